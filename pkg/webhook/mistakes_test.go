package webhook_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/webhook"
)

var update = flag.Bool("update", false, "write what each mistake gets to docs/mistakes.md")

const mistakesPage = "../../docs/mistakes.md"

// policy is a platform's whose limits pods can run into.
const policy = `apiVersion: config.podshare.dev/v1alpha1
limits:
  sharesPerPod: 16
  maxSize: 100Gi
  storageClasses: [nfs, cephfs]
  producers: ["shop/*"]
mounts:
  allowed: [/data, /srv]
`

// mistake is an input and what it gets: 422 for one that is wrong, 403 for one that policy refuses, 200 for one that is allowed.
type mistake struct {
	what string
	code int32
	// pod is the fields of a pod that consumes rules in the container app, which replace that one's. In annotations, keys are without
	// their prefix.
	annotations map[string]string
	spec        map[string]any
}

func consume(value string) map[string]string { return map[string]string{"consume": value} }

// option is an annotation beside one that consumes rules.
func option(key, value string) map[string]string {
	return map[string]string{"consume": "rules", "image-python-path": "/app", key: value}
}

func containers(fields map[string]any) map[string]any {
	container := map[string]any{"name": "app"}
	maps.Copy(container, fields)
	return map[string]any{"containers": []any{container}}
}

func mounts(path string) map[string]any {
	spec := containers(map[string]any{"volumeMounts": []any{map[string]any{"name": "theirs", "mountPath": path}}})
	spec["volumes"] = []any{map[string]any{"name": "theirs", "emptyDir": map[string]any{}}}
	return spec
}

func many(n int, each func(int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = each(i)
	}
	return strings.Join(items, ",")
}

// mistakes are of the kinds that users make, by section.
var mistakes = []struct {
	title string
	list  []mistake
}{
	{"Names and lists", []mistake{
		{"no name", 422, consume(""), nil},
		{"capitals and an underscore", 422, consume("Team_A"), nil},
		{"a name that is too long", 422, consume(strings.Repeat("x", 254)), nil},
		{"another directory", 422, consume("../other"), nil},
		{"another namespace", 422, consume("ns-b/models"), nil},
		{"one name twice", 422, consume("a,b,a"), nil},
		{"a NUL", 422, consume("rules\x00"), nil},
		{"a character that turns the direction of writing", 422, consume("rules\u202e"), nil},
		{"a line break at the end, as YAML's | leaves it", 422, consume("rules\n"), nil},
		{"a letter of another alphabet", 422, consume("mödel"), nil},
		{"a space in a list", 422, consume("rules, models"), nil},
		{"a comma at the end", 422, consume("rules,"), nil},
		{"produced and consumed", 422, map[string]string{"produce": "rules", "consume": "rules"}, nil},
		{"a key with a letter missing", 422, map[string]string{"consum": "rules"}, nil},
		{"an option alone", 422, map[string]string{"size": "1Gi"}, nil},
		{"more shares than the platform allows", 403, consume(many(100, func(n int) string { return fmt.Sprintf("s%d", n) })), nil},
		{"an annotation of more than 4,096 bytes", 422, consume(strings.Repeat("rules,", 700)), nil},
	}},
	{"Paths", []mistake{
		{"a relative path", 422, consume("rules:data"), nil},
		{"the root directory", 422, consume("rules:/"), nil},
		{"two slashes", 422, consume("rules://x"), nil},
		{"a dot", 422, consume("rules:/x/."), nil},
		{"a way out", 422, consume("rules:/data/../etc"), nil},
		{"a slash at the end", 422, consume("rules:/data/"), nil},
		{"a colon, which PYTHONPATH would split at", 422, consume("rules:/a:b"), nil},
		{"the system's directories", 422, consume("rules:/etc"), nil},
		{"below one of them", 422, consume("rules:/usr/lib/python3/dist-packages"), nil},
		{"over one of them", 422, consume("rules:/run"), nil},
		{"an alias of one of them", 422, consume("rules:/var/run/secrets"), nil},
		{"what a kubelet would expand", 422, consume("rules:/$(HOME)"), nil},
		{"what a shell would run", 422, consume("rules:/`id`"), nil},
		{"a semicolon", 422, consume("rules:/a;b"), nil},
		{"a space", 422, consume("rules:/a b"), nil},
		{"outside the platform's directories", 403, consume("rules:/opt/rules"), nil},
		{"two shares at one path", 422, consume("rules:/data/x,models:/data/x"), nil},
		{"one share inside the other", 422, consume("rules:/data,models:/data/models"), nil},
		{"a path that a mount of the pod's has", 422, option("consume", "rules:/data"), mounts("/data")},
		{"inside a mount of the pod's", 200, option("consume", "rules:/data/rules"), mounts("/data")},
		{"`await` that leaves its share", 422, option("await", "rules/../x"), nil},
		{"an absolute `await`", 422, option("await", "/podshare/rules/x"), nil},
		{"`await` on a share that the pod does not consume", 422, option("await", "models/x"), nil},
	}},
	{"Values", []mistake{
		{"a size below zero", 422, option("size", "-1Gi"), nil},
		{"a size of nothing", 422, option("size", "0"), nil},
		{"a unit that Kubernetes does not have", 422, option("size", "10GB"), nil},
		{"a size that no disk has", 422, option("size", "1e30"), nil},
		{"not a number", 422, option("size", "NaN"), nil},
		{"an empty size", 422, option("size", ""), nil},
		{"a size over the platform's", 403, option("size", "101Gi"), nil},
		{"a class that the platform does not allow", 403, option("storage-class", "gp3"), nil},
		{"a class that cannot be one", 422, option("storage-class", "Fast SSD"), nil},
		{"another word for readiness", 422, option("readiness", "shell"), nil},
		{"another word for the place in PYTHONPATH", 422, option("python-path", "first"), nil},
		{"no containers", 422, option("containers", ""), nil},
		{"a container twice", 422, option("containers", "app,app"), nil},
		{"a container that is not there", 422, option("containers", "ap"), nil},
		{"an image's PYTHONPATH with a relative entry", 422, option("image-python-path", "/app:lib"), nil},
		{"one with an empty entry", 422, option("image-python-path", "/app::/lib"), nil},
	}},
	{"Pods", []mistake{
		{"a volume of a share's name that is something else", 422, option("consume", "rules"),
			map[string]any{"volumes": []any{map[string]any{"name": "podshare-rules", "emptyDir": map[string]any{}}}}},
		{"podshare's container with another image", 422, option("consume", "rules"),
			map[string]any{"initContainers": []any{map[string]any{"name": "podshare-agent", "image": "shop/agent"}}}},
		{"Windows", 422, option("consume", "rules"), map[string]any{"os": map[string]any{"name": "windows"}}},
		{"a producer that the platform does not let produce", 403, map[string]string{"produce": "rules"}, map[string]any{"namespace": "other"}},
		{"a PYTHONPATH that the image may have", 200, consume("rules"), nil},
		{"a PYTHONPATH that may come from elsewhere", 200, consume("rules"),
			containers(map[string]any{"envFrom": []any{map[string]any{"configMapRef": map[string]any{"name": "env"}}}})},
		{"Python that ignores PYTHONPATH", 200, option("consume", "rules"), containers(map[string]any{"command": []any{"python3", "-I", "app.py"}})},
		{"a readinessProbe of its own, in a mode that would add one", 200, option("readiness", "container"),
			containers(map[string]any{"readinessProbe": map[string]any{"exec": map[string]any{"command": []any{"true"}}}})},
		{"`await` without anybody who looks", 200, map[string]string{"consume": "rules", "image-python-path": "/app", "await": "rules/x", "readiness": "none"}, nil},
		{"options for Python on a pod that only produces", 200, map[string]string{"produce": "rules", "python-path": "prepend"}, nil},
	}},
}

func (m mistake) body() []byte {
	pod := map[string]any{}
	if err := json.Unmarshal([]byte(plain), &pod); err != nil {
		panic(err)
	}
	annotations := map[string]string{}
	for key, value := range m.annotations {
		annotations["podshare.dev/"+key] = value
	}
	pod["metadata"] = map[string]any{"name": "web", "annotations": annotations}
	spec := containers(nil)
	maps.Copy(spec, m.spec)
	namespace := "shop"
	if n, ok := spec["namespace"]; ok {
		namespace = n.(string)
		delete(spec, "namespace")
	}
	pod["spec"] = spec
	object, err := json.Marshal(pod)
	if err != nil {
		panic(err)
	}
	return review(string(object), "namespace", namespace)
}

func (m mistake) input() string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(m.annotations)) {
		value := fmt.Sprintf("%q", m.annotations[key])
		if len(value) > 60 {
			value = value[:50] + `…"`
		}
		if beside := key == "image-python-path" && m.annotations[key] == "/app"; !beside { // so that nothing else is warned of
			lines = append(lines, "`"+key+": "+strings.ReplaceAll(value, "`", "´")+"`")
		}
	}
	return strings.Join(lines, "<br>")
}

// TestWhatEachMistakeGets asks the whole handler, and holds docs/mistakes.md to the answers.
func TestWhatEachMistakeGets(t *testing.T) {
	platform, err := config.Parse("policy.yaml", []byte(policy))
	require.NoError(t, err)
	handler := webhook.NewReviewHandler(func(pod *inject.Pod, namespace string) (*inject.Result, error) {
		return pod.Inject(namespace, platform)
	}, slog.New(slog.DiscardHandler))
	page, err := os.ReadFile(mistakesPage)
	require.NoError(t, err)
	head, _, found := strings.Cut(string(page), "\n## ")
	require.True(t, found)
	text := bytes.NewBufferString(head)
	for _, section := range mistakes {
		fmt.Fprintf(text, "\n## %s\n\n| what | written | answer | what is said |\n|---|---|---|---|\n", section.title)
		for _, m := range section.list {
			t.Run(section.title+"/"+m.what, func(t *testing.T) {
				code, said := ask(t, handler, m.body())
				assert.Equal(t, m.code, code, said)
				for _, line := range said {
					assert.NotContains(t, line, strings.Repeat("x", 65), "no more of a user's text than 64 characters")
					assert.NotRegexp(t, `[\x00-\x1f\x{202e}]`, line)
					assert.NotContains(t, line, "web", "nothing that is made up for one pod")
				}
				fmt.Fprintf(text, "| %s | %s | %d | %s |\n", strings.ReplaceAll(m.what, "|", `\|`), m.input(), m.code, cell(said))
			})
		}
	}
	requests(t, text, handler)
	files(t, text)
	if *update {
		require.NoError(t, os.WriteFile(mistakesPage, text.Bytes(), 0o644))
		return
	}
	assert.Equal(t, string(page), text.String(), "if this is intended, run `make golden` and read its diff")
}

// requests writes what else than pods the webhook is sent, and what it answers: with HTTP status 200 and a code in the review, or with an
// HTTP error.
func requests(t *testing.T, text *bytes.Buffer, handler http.Handler) {
	t.Helper()
	fmt.Fprint(text, "\n## Requests\n\nWhat is no new pod, most of which an API server never sends. Where the answer is an AdmissionReview, it repeats the uid as far as there is one.\n\n"+
		"| what | answer | what is said |\n|---|---|---|\n")
	whole := review(consumer)
	for _, r := range []struct {
		what   string
		code   int
		method string
		kind   string
		body   []byte
	}{
		{"an empty body", 400, "POST", "application/json", nil},
		{"a truncated one", 400, "POST", "application/json", whole[:len(whole)-20]},
		{"no JSON", 400, "POST", "application/json", []byte("pods")},
		{"nesting 100,000 deep", 400, "POST", "application/json", deep(100_000)},
		{"`request: null`", 400, "POST", "application/json", body("admission.k8s.io/v1", "AdmissionReview", nil)},
		{"another apiVersion", 400, "POST", "application/json", body("admission.k8s.io/v2", "AdmissionReview", map[string]string{"uid": uid})},
		{"another kind", 400, "POST", "application/json", body("v1", "ConfigMap", nil)},
		{"no uid", 400, "POST", "application/json", review(consumer, "uid", nil)},
		{"`object: null`", 400, "POST", "application/json", review("null")},
		{"a ConfigMap as the object", 400, "POST", "application/json", review(`{"apiVersion":"v1","kind":"ConfigMap"}`)},
		{"DELETE", 200, "POST", "application/json", review("null", "operation", "DELETE")},
		{"CONNECT", 200, "POST", "application/json", review(`{"kind":"PodExecOptions"}`, "operation", "CONNECT", "subResource", "exec")},
		{"more than 7 MiB", 413, "POST", "application/json", bytes.Repeat([]byte(" "), 7<<20+1)},
		{"YAML, by its Content-Type", 415, "POST", "application/yaml", whole},
		{"no Content-Type", 415, "POST", "", whole},
		{"GET", 405, "GET", "", nil},
		{"another path", 404, "POST /mutate", "application/json", whole},
	} {
		t.Run("Requests/"+r.what, func(t *testing.T) {
			method, path, _ := strings.Cut(r.method, " ")
			request := httptest.NewRequest(method, cmp.Or(path, "/mutate-pods"), bytes.NewReader(r.body))
			request.Header.Set("Content-Type", r.kind)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			code, said := recorder.Code, strings.TrimSpace(recorder.Body.String())
			if code == http.StatusOK {
				var answer admissionv1.AdmissionReview
				require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
				said = "allowed, nothing changed"
				if result := answer.Response.Result; result != nil {
					code, said = int(result.Code), result.Message
				}
			}
			assert.Equal(t, r.code, code, said)
			fmt.Fprintf(text, "| %s | %d | %s |\n", r.what, code, cell([]string{said}))
		})
	}
}

// files writes what mistakes in the platform's configuration get: the process does not start.
func files(t *testing.T, text *bytes.Buffer) {
	t.Helper()
	fmt.Fprint(text, "\n## The platform's configuration\n\nA process with a mistake in its file does not start: it exits with code 2, and says every "+
		"mistake at once, each with its line.\n\n| in the file, behind `apiVersion` in its first line | what is said |\n|---|---|\n")
	for _, content := range []string{
		"limits: {sharePerPod: 3}", "limits: {maxSize: 10GB}", "limits: {sharesPerPod: 0}", "limits: {producers: [shop]}", "limits: {sharesPerNamespace: many}",
		"limits: {storageClasses: nfs}", "defaults: {size: 1Gi}\nlimits: {maxSize: 500Mi}", "defaults: {readiness: shell}", "mounts: {root: /etc/shares}",
		"mounts: {allowed: [/]}", "agent: {image: podshare agent}", "agent: {port: 80}", "agent: {resources: {limits: {cpu: 5m}}}", "kind: Deployment",
	} {
		t.Run("Configuration/"+content, func(t *testing.T) {
			_, err := config.Parse("config.yaml", []byte("apiVersion: "+config.APIVersion+"\n"+content+"\n"))
			require.Error(t, err)
			fmt.Fprintf(text, "| `%s` | %s |\n", strings.ReplaceAll(content, "\n", "`<br>`"), cell(strings.Split(err.Error(), "\n")))
		})
	}
}

// beginning is how a message begins, which the page says once.
var beginning = regexp.MustCompile(`^podshare: (metadata\.annotations\[podshare\.dev/[a-z-]+\]: )?`)

func cell(said []string) string {
	for i := range said {
		said[i] = beginning.ReplaceAllString(said[i], "")
	}
	text := strings.Join(said, "<br>")
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "&lt;br>", "<br>", "*", `\*`).Replace(text)
}

func ask(t *testing.T, handler http.Handler, body []byte) (code int32, said []string) {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/mutate-pods", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	require.Equal(t, http.StatusOK, recorder.Code)
	var answer admissionv1.AdmissionReview
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
	if answer.Response.Allowed {
		for _, w := range answer.Response.Warnings {
			assert.LessOrEqual(t, len([]rune(w)), 120)
		}
		return http.StatusOK, answer.Response.Warnings
	}
	assert.Empty(t, answer.Response.Patch)
	return answer.Response.Result.Code, []string{answer.Response.Result.Message}
}
