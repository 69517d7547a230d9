package share_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
)

// annotations are a pod's, given without our prefix.
type annotations map[string]string

func (a annotations) full() map[string]string {
	full := map[string]string{"example.com/owner": "pricing"}
	for key, value := range a {
		full[api.Prefix+key] = value
	}
	return full
}

func TestParse(t *testing.T) {
	size := resource.MustParse("5Gi")
	for name, test := range map[string]struct {
		annotations annotations
		want        share.Request
	}{
		"no annotation of ours asks for nothing": {annotations{}, share.Request{}},
		"our own report is not read":             {annotations{"status": `{"shares":[]}`}, share.Request{}},
		"a share lies below the root": {annotations{"consume": "rules"}, share.Request{
			Shares: []share.Share{{Name: "rules", Role: api.Consumer, Path: "/podshare/rules"}},
		}},
		"produced shares come first, each kind as written": {
			annotations{"consume": "z,a:/data/a", "produce": "models"},
			share.Request{Shares: []share.Share{
				{Name: "models", Role: api.Producer, Path: "/podshare/models"},
				{Name: "z", Role: api.Consumer, Path: "/podshare/z"},
				{Name: "a", Role: api.Consumer, Path: "/data/a"},
			}},
		},
		"every option": {
			annotations{
				"consume": "rules", "containers": "app,worker", "python-path": "prepend", "image-python-path": "/app:/app/lib/",
				"readiness": "none", "await": "rules/pricing.py,rules/v1/tax.py", "size": "5Gi", "storage-class": "nfs.fast",
			},
			share.Request{
				Shares:          []share.Share{{Name: "rules", Role: api.Consumer, Path: "/podshare/rules"}},
				Containers:      []string{"app", "worker"},
				PythonPath:      api.PythonPathPrepend,
				ImagePythonPath: "/app:/app/lib/",
				Readiness:       api.ReadinessNone,
				Await:           []share.File{{Share: "rules", Path: "pricing.py"}, {Share: "rules", Path: "v1/tax.py"}},
				Size:            &size,
				StorageClass:    "nfs.fast",
			},
		},
		"a name of 54 characters is the longest": {annotations{"produce": strings.Repeat("a", 54)}, share.Request{
			Shares: []share.Share{{
				Name: strings.Repeat("a", 54), Role: api.Producer, Path: "/podshare/" + strings.Repeat("a", 54),
			}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.want.PythonPath == "" {
				test.want.PythonPath, test.want.Readiness = api.PythonPathAppend, api.ReadinessSidecar
			}
			request, mistakes := share.Parse(test.annotations.full(), config.Default())
			assert.Empty(t, mistakes)
			assert.Equal(t, &test.want, request)
		})
	}
}

// The rules as the messages say them.
const (
	nameRule = `a share's name has lower case letters, digits and "-", begins and ends with a letter or digit, and is at most 54 characters long`
	pathRule = `must be an absolute path of letters, digits and . _ - + @ between slashes, such as "/data/rules"`
	sizeRule = `must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"`
	fileRule = `must be files on consumed shares, comma separated, such as "rules/pricing.py"`
	fileForm = fileRule + `: a path in its shortest form that stays on the share, of letters, digits and . _ - + @ between slashes`
	listRule = `must name shares, comma separated, such as "rules" or "rules:/data/rules,models"`
	bakedIn  = `must be what the image sets PYTHONPATH to: absolute paths, colon separated, such as "/app:/app/lib"`
	sysRule  = `a share is mounted outside the system's directories (/etc, /usr, /bin, /sbin, /lib, /lib32, /lib64, /libx32, /proc, /sys, /dev, ` +
		`/run/secrets/kubernetes.io/serviceaccount, /var/run/secrets/kubernetes.io/serviceaccount, ` +
		`/podshare-agent, /run/podshare-agent, /var/run/podshare-agent)`
)

func TestMistakes(t *testing.T) {
	long := strings.Repeat("x", 55)
	for name, test := range map[string]struct {
		annotations annotations
		want        []string // each without "metadata.annotations[podshare.dev/"
	}{
		"an empty value":            {annotations{"produce": ""}, []string{`produce]: Invalid value: "": ` + listRule}},
		"upper case and underscore": {annotations{"produce": "Team_A"}, []string{`produce]: Invalid value: "Team_A": ` + nameRule}},
		"a long name":               {annotations{"produce": long}, []string{`produce]: Invalid value: "` + long + `": ` + nameRule}},
		"254 characters are cut at 64": {annotations{"consume": strings.Repeat("b", 254)}, []string{
			`consume]: Invalid value: "` + strings.Repeat("b", 63) + `…": ` + nameRule,
		}},
		"a way out of the namespace's shares": {annotations{"consume": "../other"}, []string{
			`consume]: Invalid value: "../other": ` + nameRule + `; a share belongs to the pod's own namespace, and its path follows a colon`,
		}},
		"another namespace's share": {annotations{"consume": "ns-b/models"}, []string{
			`consume]: Invalid value: "ns-b/models": ` + nameRule + `; a share belongs to the pod's own namespace, and its path follows a colon`,
		}},
		"a share twice": {annotations{"consume": "a,b,a"}, []string{
			`consume]: Invalid value: "a": "a" is named twice; each share is named once`,
		}},
		"a share in both roles": {annotations{"produce": "a", "consume": "a:/data"}, []string{
			`consume]: Invalid value: "a:/data": "a" is in podshare.dev/produce too; a producer also reads, so name it in one of the two`,
		}},
		"a NUL":                {annotations{"consume": "a\x00"}, []string{`consume]: Invalid value: "a\x00": ` + nameRule}},
		"bidirectional":        {annotations{"consume": "a\u202eb"}, []string{`consume]: Invalid value: "a\u202eb": ` + nameRule}},
		"a trailing line feed": {annotations{"consume": "a\n"}, []string{`consume]: Invalid value: "a\n": ` + nameRule + `; the list is written without spaces or line breaks`}},
		"a space":              {annotations{"consume": "a, b"}, []string{`consume]: Invalid value: " b": ` + nameRule + `; the list is written without spaces or line breaks`}},
		"a letter beyond a-z":  {annotations{"consume": "mödel"}, []string{`consume]: Invalid value: "mödel": ` + nameRule}},
		"an empty item":        {annotations{"consume": "a,"}, []string{`consume]: Invalid value: "": ` + listRule}},

		"an unknown key": {annotations{"consum": "a"}, []string{
			`metadata.annotations: Invalid value: "podshare.dev/consum": is not an annotation of podshare; the nearest is "podshare.dev/consume", ` +
				`all are podshare.dev/produce, podshare.dev/consume, podshare.dev/containers, podshare.dev/python-path, ` +
				`podshare.dev/image-python-path, podshare.dev/readiness, podshare.dev/await, podshare.dev/size, podshare.dev/storage-class`,
		}},
		"options without a share": {annotations{"size": "1Gi", "readiness": "none"}, []string{
			`readiness]: Invalid value: "none": has no effect without podshare.dev/produce or podshare.dev/consume, which name the shares`,
			`size]: Invalid value: "1Gi": has no effect without podshare.dev/produce or podshare.dev/consume, which name the shares`,
		}},
		"a value of 4,097 bytes": {annotations{"consume": strings.Repeat("a", 4097)}, []string{
			`consume]: Invalid value: "` + strings.Repeat("a", 63) + `…": has 4097 bytes; at most 4096 are allowed`,
		}},

		"a relative path":              {annotations{"consume": "a:data"}, []string{`consume]: Invalid value: "a:data": the path "data" ` + pathRule}},
		"the root":                     {annotations{"consume": "a:/"}, []string{`consume]: Invalid value: "a:/": the path "/" must not be the root directory; ` + pathRule}},
		"an empty path":                {annotations{"consume": "a:"}, []string{`consume]: Invalid value: "a:": the path "" ` + pathRule}},
		"two slashes":                  {annotations{"consume": "a://x"}, []string{`consume]: Invalid value: "a://x": the path "//x" ` + pathRule}},
		"a dot":                        {annotations{"consume": "a:/x/."}, []string{`consume]: Invalid value: "a:/x/.": the path "/x/." must be in its shortest form, which is "/x"`}},
		"a way up":                     {annotations{"consume": "a:/data/../etc"}, []string{`consume]: Invalid value: "a:/data/../etc": the path "/data/../etc" must be in its shortest form, which is "/etc"`}},
		"a colon":                      {annotations{"consume": "a:/a:b"}, []string{`consume]: Invalid value: "a:/a:b": the path "/a:b" ` + pathRule}},
		"an expansion":                 {annotations{"consume": "a:/$(HOME)"}, []string{`consume]: Invalid value: "a:/$(HOME)": the path "/$(HOME)" ` + pathRule}},
		"backticks":                    {annotations{"consume": "a:/`id`"}, []string{"consume]: Invalid value: \"a:/`id`\": the path \"/`id`\" " + pathRule}},
		"a directory of the system":    {annotations{"consume": "a:/usr/local/lib"}, []string{`consume]: Invalid value: "a:/usr/local/lib": the path "/usr/local/lib" lies in, or over, /usr: ` + sysRule}},
		"over the account's directory": {annotations{"consume": "a:/var/run"}, []string{`consume]: Invalid value: "a:/var/run": the path "/var/run" lies in, or over, /var/run/secrets/kubernetes.io/serviceaccount: ` + sysRule}},
		"two shares at one path": {annotations{"consume": "a:/data,b:/data"}, []string{
			`consume]: Invalid value: "b": is mounted at "/data" and the share "a" at "/data"; one path must not be or contain the other`,
		}},
		"a share inside another": {annotations{"produce": "b:/data/b", "consume": "a:/data"}, []string{
			`consume]: Invalid value: "a": is mounted at "/data" and the share "b" at "/data/b"; one path must not be or contain the other`,
		}},

		"await leaves its share":    {annotations{"consume": "rules", "await": "rules/../x"}, []string{`await]: Invalid value: "rules/../x": ` + fileForm}},
		"await is absolute":         {annotations{"consume": "rules", "await": "/rules/x"}, []string{`await]: Invalid value: "/rules/x": ` + fileRule + `; this pod consumes "rules"`}},
		"await names no file":       {annotations{"consume": "rules", "await": "rules"}, []string{`await]: Invalid value: "rules": ` + fileForm}},
		"await on a produced share": {annotations{"produce": "rules", "await": "rules/x"}, []string{`await]: Invalid value: "rules/x": ` + fileRule + `; this pod consumes none`}},
		"await twice":               {annotations{"consume": "r", "await": "r/x,r/x"}, []string{`await]: Invalid value: "r/x": is named twice; each file is named once`}},
		"await nothing":             {annotations{"consume": "r", "await": ""}, []string{`await]: Invalid value: "": ` + fileRule}},

		"a negative size":                     {annotations{"produce": "a", "size": "-1Gi"}, []string{`size]: Invalid value: "-1Gi": ` + sizeRule}},
		"no size":                             {annotations{"produce": "a", "size": ""}, []string{`size]: Invalid value: "": ` + sizeRule}},
		"nothing as size":                     {annotations{"produce": "a", "size": "0"}, []string{`size]: Invalid value: "0": ` + sizeRule}},
		"another unit":                        {annotations{"produce": "a", "size": "10GB"}, []string{`size]: Invalid value: "10GB": ` + sizeRule}},
		"a size beyond 63 bits":               {annotations{"produce": "a", "size": "1e30"}, []string{`size]: Invalid value: "1e30": must be less than 8Ei`}},
		"an exponent that would take minutes": {annotations{"produce": "a", "size": "1e999999999"}, []string{`size]: Invalid value: "1e999999999": ` + sizeRule}},
		"no number":                           {annotations{"produce": "a", "size": "NaN"}, []string{`size]: Invalid value: "NaN": ` + sizeRule}},
		"a part of a byte":                    {annotations{"produce": "a", "size": "0.5"}, []string{`size]: Invalid value: "0.5": ` + sizeRule}},
		"a class that is no name": {annotations{"produce": "a", "storage-class": "Fast!"}, []string{
			`storage-class]: Invalid value: "Fast!": must be the name of a StorageClass: lower case letters, digits, "-" and ".", ` +
				`beginning and ending with a letter or digit, at most 253 characters`,
		}},
		"a readiness that there is not":   {annotations{"produce": "a", "readiness": "shell"}, []string{`readiness]: Invalid value: "shell": must be one of "sidecar", "container", "none"`}},
		"a python-path that there is not": {annotations{"consume": "a", "python-path": "first"}, []string{`python-path]: Invalid value: "first": must be one of "append", "prepend", "none"`}},
		"no containers":                   {annotations{"consume": "a", "containers": ""}, []string{`containers]: Invalid value: "": must name containers of the pod, comma separated, such as "app" or "app,worker"`}},
		"a container twice":               {annotations{"consume": "a", "containers": "app,app"}, []string{`containers]: Invalid value: "app": is named twice; each container is named once`}},
		"no container's name":             {annotations{"consume": "a", "containers": "app, db"}, []string{`containers]: Invalid value: " db": is no container's name: lower case letters, digits and "-", at most 63 characters, in a list without spaces`}},
		"a relative entry of the image's": {annotations{"consume": "a", "image-python-path": "/app:lib"}, []string{`image-python-path]: Invalid value: "/app:lib": ` + bakedIn + `; the entry "lib" is not`}},
		"an empty entry of the image's":   {annotations{"consume": "a", "image-python-path": "/app:"}, []string{`image-python-path]: Invalid value: "/app:": ` + bakedIn + `; the entry "" is not`}},

		"all mistakes at once": {annotations{"produce": "A", "consume": "b:/etc", "size": "0", "typo": "x"}, []string{
			`metadata.annotations: Invalid value: "podshare.dev/typo": is not an annotation of podshare; the nearest is "podshare.dev/size", ` +
				`all are podshare.dev/produce, podshare.dev/consume, podshare.dev/containers, podshare.dev/python-path, ` +
				`podshare.dev/image-python-path, podshare.dev/readiness, podshare.dev/await, podshare.dev/size, podshare.dev/storage-class`,
			`produce]: Invalid value: "A": ` + nameRule,
			`consume]: Invalid value: "b:/etc": the path "/etc" lies in, or over, /etc: ` + sysRule,
			`size]: Invalid value: "0": ` + sizeRule,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, mistakes := share.Parse(test.annotations.full(), config.Default())
			var got []string
			for _, mistake := range mistakes {
				assert.NotEqual(t, field.ErrorTypeForbidden, mistake.Type)
				got = append(got, strings.TrimPrefix(mistake.Error(), "metadata.annotations[podshare.dev/"))
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestWhatPolicyForbids(t *testing.T) {
	limit := resource.MustParse("10Gi")
	platform := config.Default()
	platform.Mounts.Allowed = []string{"/data"}
	platform.Limits = config.Limits{SharesPerPod: 2, MaxSize: &limit, StorageClasses: []string{"nfs", "cephfs"}}
	for name, test := range map[string]struct {
		annotations annotations
		want        string
	}{
		"more shares than a pod may have": {
			annotations{"produce": "a", "consume": "b,c"},
			`metadata.annotations[podshare.dev/consume]: Forbidden: "b,c": the pod names 3 shares; this platform allows at most 2 in a pod`,
		},
		"a path elsewhere": {
			annotations{"produce": "a:/srv/a"},
			`metadata.annotations[podshare.dev/produce]: Forbidden: "a:/srv/a": this platform allows paths below /podshare, /data`,
		},
		"more than the largest size": {
			annotations{"produce": "a", "size": "11Gi"},
			`metadata.annotations[podshare.dev/size]: Forbidden: "11Gi": this platform allows at most 10Gi`,
		},
		"another class": {
			annotations{"produce": "a", "storage-class": "ebs"},
			`metadata.annotations[podshare.dev/storage-class]: Forbidden: "ebs": this platform allows "nfs", "cephfs"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, mistakes := share.Parse(test.annotations.full(), platform)
			require.Len(t, mistakes, 1)
			assert.Equal(t, field.ErrorTypeForbidden, mistakes[0].Type)
			assert.Equal(t, test.want, mistakes[0].Error())
		})
	}
}

func TestWhatIsRightIsReadBesideAMistake(t *testing.T) {
	request, mistakes := share.Parse(annotations{"produce": "rules", "consume": "Models", "size": "0"}.full(), config.Default())
	assert.Len(t, mistakes, 2)
	assert.Equal(t, []share.Share{{Name: "rules", Role: api.Producer, Path: "/podshare/rules"}}, request.Shares)
	assert.Nil(t, request.Size)
}

// FuzzParse looks for values that pass and should not: each share must be safe to mount, and each message one line.
func FuzzParse(f *testing.F) {
	f.Add("rules:/data/rules,models", "rules/../x", "1Gi", "/app:/lib")
	f.Add("a,,b:\u202e", "\x00", "1e999999999", "$(PYTHONPATH)")
	f.Fuzz(func(t *testing.T, consume, await, size, image string) {
		request, mistakes := share.Parse(annotations{
			"consume": consume, "await": await, "size": size, "image-python-path": image,
		}.full(), config.Default())
		for _, s := range request.Shares {
			require.NoError(t, config.CheckMountPath(s.Path))
			require.Regexp(t, `^[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?$`, s.Name)
		}
		for _, file := range request.Await {
			require.NotContains(t, "/"+file.Path+"/", "/../")
		}
		if request.Size != nil {
			require.Positive(t, request.Size.Value())
		}
		for _, mistake := range mistakes {
			require.NotContains(t, mistake.Error(), "\n")
			require.Less(t, len(mistake.Error()), 2000)
		}
	})
}
