package inject_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
)

// injectJSON injects a pod, given as JSON.
func injectJSON(raw []byte, namespace string, c *config.Config) (*inject.Result, error) {
	pod, err := inject.Parse(raw)
	if err != nil {
		return nil, err
	}
	return pod.Inject(namespace, c)
}

func TestWhatIsNoPod(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"nothing":          {"", "the object is no Pod: unexpected end of JSON input"},
		"half of one":      {`{"apiVersion":"v1","kind":"Pod","spec":`, "the object is no Pod: unexpected end of JSON input"},
		"null":             {"null", `the object must be of apiVersion v1 and kind Pod, not "" and ""`},
		"a ConfigMap":      {`{"apiVersion":"v1","kind":"ConfigMap"}`, `the object must be of apiVersion v1 and kind Pod, not "v1" and "ConfigMap"`},
		"a null container": {`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[null]}}`, "the object is no Pod: spec.containers[0] must be an object, not null"},
		"a number as annotation": {
			`{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"podshare.dev/consume":1}}}`,
			"the object is no Pod: metadata.annotations.podshare.dev/consume must be a string, not a number",
		},
		"too deep": {
			`{"apiVersion":"v1","kind":"Pod","spec":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}",
			"the object is no Pod: invalid character '[' exceeded max depth",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := injectJSON([]byte(test.raw), "shop", config.Default())
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestKeysInAnotherCaseAreNotOurs(t *testing.T) {
	result, err := injectJSON([]byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"Annotations":{"podshare.dev/consume":"rules"}}}`),
		"shop", config.Default())
	require.NoError(t, err)
	assert.Empty(t, result.Patch)
}

func TestPythonThatIgnoresPythonPathIsWarnedOf(t *testing.T) {
	const warning = `podshare: Python with -E or -I ignores PYTHONPATH, so imports nothing from its shares: "app"`
	for command, warned := range map[string]bool{
		`"python3","-I","app.py"`:             true,
		`"/usr/bin/python3.14","-E","app.py"`: true,
		`"python","-u","-sI","-m","app"`:      true,
		`"python","-W","error","-E","app.py"`: true,
		`"python","-Werror","-I","app.py"`:    true,
		`"python","-Ic","import rules"`:       true,
		`"python","app.py","-I"`:              false,
		`"python","-m","app","-E"`:            false,
		`"python","-c","print()","-I"`:        false,
		`"python","-cE"`:                      false,
		`"python","-WE","app.py"`:             false,
		`"python","-X","E","app.py"`:          false,
		`"python","-P","-s","-S","app.py"`:    false,
		`"python","--version","-I"`:           false,
		`"python","-","-I"`:                   false,
		`"python"`:                            false,
		`"pythonic","-I"`:                     false,
		`"sh","-c","python -I app.py"`:        true,
		`"/bin/bash","-ec","./migrate && exec /usr/bin/python3 -uE -m app"`: true,
		`"sh","-c","python app.py -I"`:                                      false,
		`"sh","start.sh"`:                                                   false,
		`"/usr/bin/env","python3","-I","a.py"`:                              true,
		`"tini","--","python3","a.py","-I"`:                                 false,
	} {
		t.Run(command, func(t *testing.T) {
			for _, field := range []string{"command", "args"} {
				result, err := injectJSON([]byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"podshare.dev/consume":"rules",`+
					`"podshare.dev/image-python-path":"/app"}},"spec":{"containers":[{"name":"app","`+field+`":[`+command+`]}]}}`), "shop", config.Default())
				require.NoError(t, err)
				assert.Equal(t, warned, slices.Contains(result.Warnings, warning), "%s: %q", field, result.Warnings)
			}
		})
	}
}

func TestWhoMayProduceIsAskedByNamespaceAndServiceAccount(t *testing.T) {
	c := config.Default()
	c.Limits.Producers = []string{"editors/*", "*/rule-editor", "team-?/default"}
	for account, allowed := range map[string]bool{
		"editors/": true, "editors/default": true, "shop/rule-editor": true, "team-a/": true, "shop/": false,
		"team-ab/": false, "shop/rule-editors": false, "editors-2/default": false,
	} {
		namespace, name, _ := strings.Cut(account, "/")
		pod := `{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"editors","annotations":{"podshare.dev/ROLE":"rules"}},` +
			`"spec":{"serviceAccountName":"` + name + `","containers":[{"name":"app"}]}}`
		_, err := injectJSON([]byte(strings.Replace(pod, "ROLE", "consume", 1)), namespace, c)
		require.NoError(t, err, "everybody may consume")
		_, err = injectJSON([]byte(strings.Replace(pod, "ROLE", "produce", 1)), namespace, c)
		if allowed {
			assert.NoError(t, err, account)
			continue
		}
		assert.EqualError(t, err, `metadata.annotations[podshare.dev/produce]: Forbidden: "rules": this platform lets only some pods produce, `+
			`by namespace/service account: editors/*, */rule-editor, team-?/default; this pod's is "`+namespace+"/"+cmp.Or(name, "default")+`"`)
	}
}

func TestAWarningNamesAsManyContainersAsItHasRoomFor(t *testing.T) {
	const text = "podshare: PYTHONPATH begins with $(PYTHONPATH), harmless where envFrom does not set it: "
	for count, want := range map[int]string{
		1:  text + `"c0"`,
		4:  text + `"c0", "c1", "c2", "c3"`,
		30: text + `"c0", "c1", "c2" and 27 more`,
	} {
		raw := strings.ReplaceAll(string(bigPod(count, 0)), `"env":`, `"envFrom":[{}],"env":`)
		result, err := injectJSON([]byte(raw), "shop", config.Default())
		require.NoError(t, err)
		assert.Equal(t, []string{want}, result.Warnings)
	}
}

// bigPod has many containers that consume a share, and annotations of other people of about the size given.
func bigPod(containers, annotationBytes int) []byte {
	annotations := map[string]string{"podshare.dev/consume": "rules,models,features", "podshare.dev/produce": "scores"}
	for n := 0; annotationBytes > 0; n++ {
		annotations[fmt.Sprintf("example.com/note-%d", n)] = strings.Repeat("x", 1000)
		annotationBytes -= 1000
	}
	list := make([]any, containers)
	for n := range list {
		list[n] = map[string]any{"name": fmt.Sprintf("c%d", n), "image": "shop/app", "env": []any{
			map[string]any{"name": "LOG_LEVEL", "value": "debug"},
		}}
	}
	raw, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"annotations": annotations},
		"spec":     map[string]any{"containers": list},
	})
	if err != nil {
		panic(err)
	}
	return raw
}

// FuzzPod sends anything: never a panic, and what is accepted gives a patch that applies and then has nothing to add.
func FuzzPod(f *testing.F) {
	f.Add([]byte(`{}`), "rules", "", "")
	f.Add([]byte(`{"containers":[{"name":"a","env":null,"volumeMounts":[]}],"volumes":[null]}`), "rules:/data", "models", "a")
	f.Add([]byte(`{"containers":[{"env":[{"name":"PYTHONPATH","valueFrom":{}},null]}],"initContainers":[]}`), "a,b", "", "x")
	f.Fuzz(func(t *testing.T, spec []byte, consume, produce, containers string) {
		annotations := map[string]string{"podshare.dev/consume": consume, "podshare.dev/produce": produce}
		for key, value := range map[string]string{"produce": produce, "containers": containers} {
			if value != "" {
				annotations["podshare.dev/"+key] = value
			}
		}
		raw, err := json.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"annotations": annotations}, "spec": json.RawMessage(spec),
		})
		if err != nil {
			return // no JSON
		}
		pod, err := inject.Parse(raw)
		if err != nil {
			return // no pod
		}
		for _, metrics := range []bool{false, true} {
			platform := config.Default()
			platform.Agent.Metrics = metrics
			result, err := pod.Inject("shop", platform)
			if err != nil {
				require.ErrorAs(t, err, new(*inject.RefusedError))
				continue
			}
			again, err := injectJSON(apply(t, raw, result), "shop", platform)
			require.NoError(t, err)
			require.Empty(t, again.Patch)
		}
	})
}

// BenchmarkPod has the pods whose answer is bounded: an ordinary one, one of 500 containers (20 ms), and one with 256 KiB
// of annotations (50 ms).
func BenchmarkPod(b *testing.B) {
	for name, raw := range map[string][]byte{
		"1-container": bigPod(1, 0), "500-containers": bigPod(500, 0), "256KiB-of-annotations": bigPod(1, 256<<10),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := injectJSON(raw, "shop", config.Default()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
