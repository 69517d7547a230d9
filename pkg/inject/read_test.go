package inject

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// FuzzParse: whatever the API server can decode into its own type is read, and as that.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(f, err)
		raw, err := yaml.YAMLToJSON(content)
		require.NoError(f, err)
		f.Add(raw)
	}
	for _, seed := range []string{
		`{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":null,"labels":{"a":null,"\u00e4\ud800":"\u2028"}},"spec":{"containers":[{}]}}`,
		`{"apiVersion":"v1","kind":"Pod","spec":{"os":null,"hostNetwork":true,"automountServiceAccountToken":false,"securityContext":{"runAsUser":0,` +
			`"runAsGroup":-1,"fsGroup":9007199254740993},"volumes":[{"name":"a","emptyDir":null},{"persistentVolumeClaim":{"claimName":"c","readOnly":true}}]}}`,
		`{"apiVersion":"v1","kind":"Pod","spec":{"initContainers":[],"containers":[{"Name":"a","env":[{"valueFrom":{}},{"valueFrom":null}],` +
			`"envFrom":[{"prefix":"P"},{}],"volumeDevices":[{"devicePath":"/d"}],"readinessProbe":{"httpGet":{"port":"http"}},"command":["a",null]}]}}`,
		`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"readinessProbe":{"httpGet":{"path":"/","port":8080},"exec":{"command":[]}},` +
			`"resources":{"limits":{"cpu":1,"memory":"1Gi"},"requests":null},"ports":[{"name":"podshare","containerPort":9472,"protocol":"TCP"},{}]}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var typed corev1.Pod
		duplicates, err := kjson.UnmarshalStrict(raw, &typed, kjson.DisallowDuplicateFields)
		if err != nil || len(duplicates) > 0 || typed.APIVersion != "v1" || typed.Kind != "Pod" {
			return
		}
		sent, err := json.Marshal(&typed)
		require.NoError(t, err)
		assert.Equal(t, essence(t, sent), essence(t, raw))
	})
}

// essence is what is read of a pod, but for what the API server itself writes in other ways: lists and objects of nothing, amounts, and volumes that
// have several sources.
func essence(t *testing.T, raw []byte) *Pod {
	t.Helper()
	p, err := Parse(raw)
	require.NoError(t, err)
	p.spec.Resources, p.volumes, p.initContainers = resources{}, list{}, list{}
	p.spec.Volumes, p.spec.InitContainers = append([]volume(nil), p.spec.Volumes...), append([]*container(nil), p.spec.InitContainers...)
	for _, m := range []*map[string]string{&p.metadata.Annotations, &p.metadata.Labels} {
		if len(*m) == 0 {
			*m = nil
		}
	}
	p.metadata.Owners = append([]owner(nil), p.metadata.Owners...)
	p.spec.Containers = append([]*container(nil), p.spec.Containers...)
	for n := range p.spec.Volumes {
		p.spec.Volumes[n].Source = ""
	}
	all := slices.Concat(p.spec.InitContainers, p.spec.Containers)
	if p.agent != nil {
		all = append(all, p.agent)
	}
	for _, c := range all {
		c.Resources, c.mounts, c.env = resources{}, list{}, list{}
		for _, list := range []*[]string{&c.Command, &c.Args, &c.EnvPrefixes, &c.DevicePaths} {
			*list = append([]string(nil), *list...)
		}
		c.Ports = append([]containerPort(nil), c.Ports...)
		for n := range c.Ports { // always written
			c.Ports[n].Number = new(*cmp.Or(c.Ports[n].Number, new(int64(0))))
		}
		c.Env, c.VolumeMounts = append([]envVar(nil), c.Env...), append([]mount(nil), c.VolumeMounts...)
		if c.ReadinessProbe != nil && c.ReadinessProbe.Exec != nil {
			c.ReadinessProbe.Exec.Command = append([]string(nil), c.ReadinessProbe.Exec.Command...)
		}
		if c.ReadinessProbe != nil && c.ReadinessProbe.HTTPGet != nil {
			if port, err := strconv.Atoi(cmp.Or(c.ReadinessProbe.HTTPGet.port, "0")); err == nil { // always written
				c.ReadinessProbe.HTTPGet.port = strconv.Itoa(port)
			}
		}
	}
	return p
}
