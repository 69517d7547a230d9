package webhook_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
)

// deployment has annotations of its own and others on its template. The image's PYTHONPATH is said, so that nothing warns of it.
func deployment(own, template map[string]string) string {
	if _, ok := template["podshare.dev/consume"]; ok {
		template["podshare.dev/image-python-path"] = "/app"
	}
	object, err := json.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "annotations": own},
		"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": template},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "web"}}},
		}},
	})
	if err != nil {
		panic(err)
	}
	return string(object)
}

func consumes(shares string) map[string]string {
	return map[string]string{"podshare.dev/consume": shares}
}

// applied is the body that the API server sends for a Deployment.
func applied(object string, changes ...any) []byte {
	return review(object, append([]any{
		"kind", map[string]string{"group": "apps", "version": "v1", "kind": "Deployment"},
		"resource", map[string]string{"group": "apps", "version": "v1", "resource": "deployments"},
	}, changes...)...)
}

// notShop is a share that everybody but the namespace shop may write.
func notShop(pod *inject.Pod, namespace string) (*inject.Result, error) {
	c := config.Default()
	c.Limits.Producers = []string{"editors/*"}
	return pod.Inject(namespace, c)
}

func TestWorkloadsAreToldWhatTheirPodsWouldBeTold(t *testing.T) {
	s := start(t, notShop).ready()
	const mistake = `spec.template.metadata.annotations[podshare.dev/consume]: Invalid value: "Team_A": a share's name has lower case letters, ` +
		`digits and "-", begins and ends with a letter or digit, and is at most 54 characters long`
	wrong, long := consumes("Team_A"), consumes("rules")
	update := func(old string, now string) []byte {
		return applied(now, "operation", "UPDATE", "oldObject", json.RawMessage(old))
	}
	for name, test := range map[string]struct {
		body     []byte
		refused  string
		code     int32
		warnings []string
	}{
		"one that is right is allowed": {body: applied(deployment(nil, consumes("rules")))},
		"a mistake in its template refuses it, with the field of the template": {
			body: applied(deployment(nil, wrong)), refused: "podshare: " + mistake, code: http.StatusUnprocessableEntity,
		},
		"a policy forbids it, by the request's namespace": {
			body: applied(deployment(nil, map[string]string{"podshare.dev/produce": "rules"})), code: http.StatusForbidden,
			refused: `podshare: spec.template.metadata.annotations[podshare.dev/produce]: Forbidden: "rules": this platform lets only some ` +
				`pods produce, by namespace/service account: editors/*; this pod's is "shop/default"`,
		},
		"another namespace may": {
			body: applied(deployment(nil, map[string]string{"podshare.dev/produce": "rules"}), "namespace", "editors"),
		},
		"an annotation on the Deployment itself is a warning": {
			body:     applied(deployment(consumes("rules"), nil)),
			warnings: []string{"podshare: podshare.dev/consume does nothing on the Deployment; move it to spec.template.metadata"},
		},
		"the template's annotation may stand on the Deployment too": {body: applied(deployment(consumes("rules"), consumes("rules")))},
		"an update that adds a mistake is refused": {
			body: update(deployment(nil, consumes("rules")), deployment(nil, wrong)), refused: "podshare: " + mistake,
			code: http.StatusUnprocessableEntity,
		},
		"an update of one that had the mistake before is a warning: it may change something else": {
			body:     update(deployment(nil, wrong), deployment(map[string]string{"note": "x"}, wrong)),
			warnings: []string{`podshare: its pods are refused: spec.template.metadata.annotations[podshare.dev/consume]: Invalid value: "Team_A": a sh…`},
		},
		"what pods would be warned of": {
			body:     applied(strings.Replace(deployment(nil, long), `"name":"web"}]`, `"name":"web","command":["python3","-I","-c","0"]}]`, 1)),
			warnings: []string{`podshare: Python with -E or -I ignores PYTHONPATH, so imports nothing from its shares: "web"`},
		},
		"one that is being deleted is left alone": {
			body: update(deployment(nil, consumes("rules")), strings.Replace(deployment(nil, wrong), `"metadata":{`, `"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z",`, 1)),
		},
		"a deletion":          {body: applied("null", "operation", "DELETE")},
		"a change of scale":   {body: applied(`{"kind":"Scale"}`, "operation", "UPDATE", "subResource", "scale")},
		"without annotations": {body: applied(deployment(nil, nil))},
	} {
		t.Run(name, func(t *testing.T) {
			response := s.reviewAt("/validate-workloads", test.body)
			assert.Equal(t, uid, string(response.UID))
			assert.Empty(t, response.Patch)
			assert.Equal(t, test.warnings, response.Warnings)
			for _, w := range response.Warnings {
				assert.LessOrEqual(t, len([]rune(w)), 120)
			}
			assert.Equal(t, test.refused == "", response.Allowed)
			if test.refused != "" {
				require.NotNil(t, response.Result)
				assert.Equal(t, test.refused, response.Result.Message)
				assert.Equal(t, test.code, response.Result.Code)
				assert.Equal(t, metav1.StatusFailure, response.Result.Status)
			}
		})
	}
}

func TestNoWarningIsRepeatedNorTooLong(t *testing.T) {
	s := start(t, injectPod).ready()
	own := map[string]string{}
	for n := range 40 {
		own["podshare.dev/"+strings.Repeat("k", n+1)] = ""
	}
	response := s.reviewAt("/validate-workloads", applied(deployment(own, consumes("rules"))))
	assert.True(t, response.Allowed)
	assert.Len(t, response.Warnings, 16)
	told := map[string]bool{}
	for _, w := range response.Warnings {
		assert.LessOrEqual(t, len([]rune(w)), 120)
		assert.False(t, told[w], w)
		told[w] = true
	}
}

func TestWhatIsNoWorkloadIsRefusedWithItsUID(t *testing.T) {
	s := start(t, injectPod).ready()
	const kinds = "CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet"
	for name, test := range map[string]struct {
		body []byte
		want string
	}{
		"a pod": {review(consumer), `podshare: request.resource "/v1, Resource=pods" must be one of "apps/v1, Resource=deployments", ` +
			`"apps/v1, Resource=statefulsets", "apps/v1, Resource=daemonsets", "apps/v1, Resource=replicasets", ` +
			`"batch/v1, Resource=jobs", "batch/v1, Resource=cronjobs"`},
		"no object": {applied("null"), "podshare: request.object is missing; for CREATE it is the workload"},
		"another object": {applied(plain), "podshare: the object must be one of " + kinds +
			`, of apps/v1 or batch/v1, and not of apiVersion "v1" and kind "Pod"`},
		"a template that is a text": {applied(`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":"x"}}`),
			"podshare: the object is no workload: spec.template must be an object, not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			response := s.reviewAt("/validate-workloads", test.body)
			assert.False(t, response.Allowed)
			assert.Equal(t, uid, string(response.UID))
			assert.Equal(t, int32(http.StatusBadRequest), response.Result.Code)
			assert.Contains(t, response.Result.Message, test.want)
		})
	}
}

// Whoever applies a workload is not to be kept from it by a fault of ours: its pods are refused all the same.
func TestAFaultOfOurOwnAllowsTheWorkload(t *testing.T) {
	s := start(t, func(*inject.Pod, string) (*inject.Result, error) { return nil, assert.AnError }).ready()
	response := s.reviewAt("/validate-workloads", applied(deployment(nil, consumes("rules"))))
	assert.Equal(t, &admissionv1.AdmissionResponse{UID: uid, Allowed: true}, response)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		lines := s.logged("admission request")
		require.NotEmpty(c, lines)
		assert.Equal(c, "ERROR", lines[0]["level"])
		assert.Equal(c, "web", lines[0]["deployment"])
	}, bound, bound/1000)
}
