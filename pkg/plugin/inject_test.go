package plugin_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/pkg/plugin"
	"github.com/podshare/podshare/pkg/program"
)

// run calls kubectl podshare in a namespace of its own, without a cluster.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out, errOut bytes.Buffer
	command := plugin.Command(genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &errOut})
	command.SetArgs(args)
	err = command.ExecuteContext(context.Background())
	return out.String(), errOut.String(), err
}

// The golden pods of pkg/inject say what the webhook makes of pods. The plugin makes the same of them, on their own and in workloads.
func TestInjectMakesWhatTheWebhookMakes(t *testing.T) {
	pods, err := filepath.Glob("../inject/testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, pods)
	for _, pod := range pods {
		name := strings.TrimSuffix(filepath.Base(pod), ".yaml")
		text, err := os.ReadFile(pod)
		require.NoError(t, err)
		golden, err := os.ReadFile(strings.TrimSuffix(pod, ".yaml") + ".want")
		require.NoError(t, err)
		told, want, _ := strings.Cut(string(golden), "---\n")
		if strings.Contains(told, "patch: none") {
			want = string(text)
		}
		t.Run(name, func(t *testing.T) {
			compare(t, name, string(text), told, object(t, want), func(o any) any { return o })
		})
		t.Run(name+" in a Deployment", func(t *testing.T) {
			template := object(t, string(text)).(map[string]any)
			delete(template["metadata"].(map[string]any), "ownerReferences")
			content, err := yaml.Marshal(map[string]any{
				"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "app"},
				"spec": map[string]any{"template": template},
			})
			require.NoError(t, err)
			compare(t, name, string(content), told, object(t, want), func(o any) any {
				return o.(map[string]any)["spec"].(map[string]any)["template"]
			})
		})
	}
}

// compare injects a text and compares what is picked of the result with the pod that is wanted, and what is told with what the golden file has.
func compare(t *testing.T, name, text, told string, want any, pick func(any) any) {
	t.Helper()
	out, errOut, err := run(t, text, "inject", "-f", "-", "-n", "shop", "--config", goldenConfig(t, name))
	for line := range strings.Lines(told) {
		kind, message, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch kind {
		case "refused":
			require.Error(t, err)
			assert.Contains(t, errOut, message)
		case "warning":
			assert.Contains(t, errOut, message)
		}
	}
	if strings.Contains(told, "refused: ") {
		assert.Empty(t, out)
		return
	}
	require.NoError(t, err)
	if owner, ok := want.(map[string]any)["metadata"].(map[string]any)["ownerReferences"]; ok && !strings.Contains(out, "ownerReferences") {
		t.Skipf("a template has no owner such as %v", owner)
	}
	assert.Equal(t, want, pick(object(t, out)))
	again, _, err := run(t, out, "inject", "-f", "-", "-n", "shop", "--config", goldenConfig(t, name))
	require.NoError(t, err)
	assert.Equal(t, out, again, "a second run changes nothing")
}

func object(t *testing.T, text string) any {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value))
	return value
}

// goldenConfig is the configuration that a golden pod is injected with.
func goldenConfig(t *testing.T, name string) string {
	t.Helper()
	content := "apiVersion: config.podshare.dev/v1alpha1\n"
	if !strings.HasPrefix(name, "readiness-") {
		content += "defaults: {readiness: none}\n"
	}
	probe := "exec"
	if strings.Contains(name, "-http-get") {
		probe = "httpGet"
	}
	content += fmt.Sprintf("agent: {probe: %s, metrics: %t}\n", probe, strings.Contains(name, "-metrics"))
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

const twoMistakes = `# Who reads
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    metadata:
      annotations:
        podshare.dev/consumes: rules
    spec: {containers: [{name: web, image: shop/web}]}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata:
    name: reader
    annotations:
      podshare.dev/consume: rules
      podshare.dev/readiness: never
  spec: {containers: [{name: web, image: shop/web}]}
`

func TestInjectTellsAllMistakesWithTheirLinesAndPrintsNothing(t *testing.T) {
	out, errOut, err := run(t, twoMistakes, "inject", "-f", "-")
	assert.EqualError(t, err, "2 mistakes, and so nothing is printed")
	assert.Empty(t, out)
	lines := strings.Split(errOut, "\n")
	require.Len(t, lines, 3)
	assert.True(t, strings.HasPrefix(lines[0], `standard input:10: Deployment web: spec.template.metadata.annotations: Invalid value: "podshare.dev/consumes": `+
		`is not an annotation of podshare; the nearest is "podshare.dev/consume"`), lines[0])
	assert.Equal(t, `standard input:22: Pod reader: metadata.annotations[podshare.dev/readiness]: Invalid value: "never": must be one of "sidecar", "container", "none"`,
		lines[1])
}

func TestInjectWarnsOfAnnotationsThatDoNothing(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"on a Deployment itself": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {podshare.dev/consume: rules}\nspec: {template: {}}\n",
			"standard input:5: Deployment web: warning: podshare: podshare.dev/consume does nothing on the Deployment; move it to spec.template.metadata\n",
		},
		"on a Service": {
			"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  annotations:\n    podshare.dev/consume: rules\n",
			"standard input:6: Service web: warning: podshare: podshare.dev/consume does nothing on a Service: it belongs to a pod, or to the pod " +
				"template of a CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet\n",
		},
		"in the template of a kind that podshare does not know": {
			"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec:\n  template:\n    metadata:\n      annotations:\n" +
				"        podshare.dev/consume: rules\n",
			"standard input:8: Rollout web: warning: podshare: podshare.dev/consume is left as it is: pods that a Rollout makes with it are injected " +
				"when they are created\n",
		},
		"in a namespace that podshare never looks at": {
			"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: kube-system\n  annotations: {podshare.dev/consume: rules}\n" +
				"spec: {containers: [{name: web}]}\n",
			"standard input:6: Pod web: warning: podshare: nothing is added in the namespace kube-system, which podshare never looks at\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut, err := run(t, test.text, "inject", "-f", "-")
			require.NoError(t, err)
			assert.Equal(t, test.want, errOut)
			assert.Equal(t, test.text, out, "the file is as it was")
		})
	}
}

func TestInjectPrintsOnlyTheDifference(t *testing.T) {
	const text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web # the site\n  annotations:\n    podshare.dev/produce: rules\n" +
		"    podshare.dev/readiness: none\nspec:\n  containers:\n  - name: web\n"
	out, errOut, err := run(t, text, "inject", "-f", "-", "--diff")
	require.NoError(t, err)
	assert.Empty(t, errOut)
	assert.Equal(t, `--- standard input
+++ standard input (injected)
@@ -5,6 +5,21 @@
   annotations:
     podshare.dev/produce: rules
     podshare.dev/readiness: none
+    podshare.dev/status: '{"shares":[{"name":"rules","role":"producer","claim":"podshare-rules","path":"/podshare/rules"}],"containers":["web"],"readiness":"none"}'
+  labels:
+    podshare.dev/injected: "true"
 spec:
   containers:
   - name: web
+    env:
+    - name: PODSHARE_RULES_DIR
+      value: /podshare/rules
+    - name: PYTHONDONTWRITEBYTECODE
+      value: "1"
+    volumeMounts:
+    - mountPath: /podshare/rules
+      name: podshare-rules
+  volumes:
+  - name: podshare-rules
+    persistentVolumeClaim:
+      claimName: podshare-rules
`, out)
	out, _, err = run(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n", "inject", "-f", "-", "--diff")
	require.NoError(t, err)
	assert.Empty(t, out)
}

func TestInjectReadsFilesFoldersAndURLs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("b.yaml", "# b\nkind: B")
	write("a.yml", "# a\nkind: A\n---\nkind: A2\n")
	write("c.json", `{"kind": "C"}`)
	write("notes.txt", "no manifest: [")
	write("below/d.yaml", "---\nkind: D\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/app.yaml" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("kind: E\n"))
	}))
	defer server.Close()

	const flat = "# a\nkind: A\n---\nkind: A2\n---\n# b\nkind: B\n---\n{\"kind\": \"C\"}\n"
	out, _, err := run(t, "", "inject", "-f", dir)
	require.NoError(t, err)
	assert.Equal(t, flat, out)
	out, _, err = run(t, "kind: F\n", "inject", "-R", "-f", dir, "-f", server.URL+"/app.yaml", "-f", "-")
	require.NoError(t, err)
	assert.Equal(t, strings.Replace(flat, "---\n{", "---\nkind: D\n---\n{", 1)+"---\nkind: E\n---\nkind: F\n", out)

	_, _, err = run(t, "", "inject", "-f", server.URL+"/none.yaml")
	assert.EqualError(t, err, server.URL+"/none.yaml: the server answered 404 Not Found")
	_, _, err = run(t, "", "inject", "-f", dir+"/none.yaml")
	assert.EqualError(t, err, `"`+dir+`/none.yaml": there is no such file or folder`)
	require.NoError(t, os.Mkdir(dir+"/empty", 0o755))
	_, _, err = run(t, "", "inject", "-f", dir+"/empty")
	assert.EqualError(t, err, `"`+dir+`/empty": no file in this folder ends in .yaml, .yml, .json`)
}

func TestInjectSaysWhatItCannotRead(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a chart's template": {
			"kind: Deployment\nreplicas: {{ .Values.replicas }}\n",
			"standard input: the document that begins at line 1 is neither YAML nor JSON: ",
		},
		"a list that is no object": {
			"a: 1\n---\n- 1\n",
			"standard input: line 2: this is no object of Kubernetes, which is a map with apiVersion, kind and metadata: \"[1]\"",
		},
		"a key that is there twice, in a file that would be changed": {
			"apiVersion: v1\nkind: Pod\nmetadata:\n  annotations: {podshare.dev/consume: rules}\nspec:\n  containers: []\n  containers: [{name: a}]\n",
			`standard input: line 7: the key "containers" is there twice`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := run(t, test.text, "inject", "-f", "-")
			require.ErrorContains(t, err, test.want)
			assert.Empty(t, out)
		})
	}
}

func TestInjectIsCalledWrongly(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"inject"}, "nothing to read: say -f FILE, or -f - for standard input"},
		{[]string{"inject", "app.yaml"}, `unknown argument "app.yaml"; see kubectl podshare inject --help`},
		{[]string{"inject", "-f", "-", "--config", "/none"}, "reading the configuration: open /none: no such file or directory"},
		{[]string{"inject", "--dif"}, "unknown flag: --dif; see kubectl podshare inject --help"},
	} {
		_, _, err := run(t, "", test.args...)
		require.ErrorAs(t, err, new(program.UsageError), test.args)
		assert.EqualError(t, err, test.want)
	}
}

func TestADifferenceInSeveralPlacesSaysWhereEachIs(t *testing.T) {
	out, _, err := run(t, "", "inject", "-f", "../../manifests/samples/price-service.yaml", "--diff")
	require.NoError(t, err)
	var places []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "@@") {
			places = append(places, strings.TrimSpace(line))
		}
	}
	assert.Equal(t, []string{"@@ -11,8 +11,10 @@", "@@ -26,7 +28,9 @@", "@@ -47,7 +51,53 @@"}, places, "as diff -u says it")
}
