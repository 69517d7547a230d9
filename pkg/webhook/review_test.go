package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/inject"
)

const uid = "705ab4f5-6393-11e8-b7cc-42010a800002"

// consumer is a pod as a ReplicaSet makes it: without a name and a namespace.
const consumer = `{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"web-6d4cf56db6-",` +
	`"annotations":{"podshare.dev/consume":"rules"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet",` +
	`"name":"web-6d4cf56db6","uid":"1","controller":true}]},` +
	`"spec":{"containers":[{"name":"web","image":"python:3","future":{"field":1}}]}}`

// plain is a pod that asks for nothing.
const plain = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"web"}]}}`

// review is the body that the API server sends for a new pod, with changes: "key", value, and so on. Nil removes a key.
func review(object string, changes ...any) []byte {
	request := map[string]any{
		" uid":      uid, // sorts first, as an API server writes it
		"kind":      map[string]any{"group": "", "version": "v1", "kind": "Pod"},
		"resource":  map[string]any{"group": "", "version": "v1", "resource": "pods"},
		"namespace": "shop",
		"operation": "CREATE",
		"userInfo":  map[string]any{"username": "system:serviceaccount:kube-system:replicaset-controller"},
		"object":    json.RawMessage(object),
		"oldObject": nil,
		"dryRun":    false,
		"options":   map[string]any{"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
	}
	for n := 0; n < len(changes); n += 2 {
		key := strings.Replace(changes[n].(string), "uid", " uid", 1)
		request[key] = changes[n+1]
		if changes[n+1] == nil {
			delete(request, key)
		}
	}
	return bytes.Replace(body("admission.k8s.io/v1", "AdmissionReview", request), []byte(`" uid"`), []byte(`"uid"`), 1)
}

func body(apiVersion, kind string, request any) []byte {
	b, err := json.Marshal(map[string]any{"apiVersion": apiVersion, "kind": kind, "request": request})
	if err != nil {
		panic(err)
	}
	return b
}

func annotated(annotations map[string]string) string {
	pod, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": "web", "annotations": annotations},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "web"}}},
	})
	if err != nil {
		panic(err)
	}
	return string(pod)
}

func TestAPodThatConsumesAShareIsPatched(t *testing.T) {
	s := start(t, injectPod).ready()
	for name, dryRun := range map[string]bool{"for real": false, "as a server-side dry run": true} {
		t.Run(name, func(t *testing.T) {
			response := s.review(review(consumer, "dryRun", dryRun))
			assert.True(t, response.Allowed)
			assert.Equal(t, uid, string(response.UID))
			assert.Nil(t, response.Result)
			assert.Equal(t, []string{"podshare: PYTHONPATH hides one that the image may set; " +
				`podshare.dev/image-python-path would keep it: "web"`}, response.Warnings)
			require.NotNil(t, response.PatchType)
			assert.Equal(t, admissionv1.PatchTypeJSONPatch, *response.PatchType)

			patch, err := jsonpatch.DecodePatch(response.Patch)
			require.NoError(t, err)
			patched, err := patch.Apply([]byte(consumer))
			require.NoError(t, err)
			assert.Contains(t, string(patched), `"future":{"field":1}`, "what we do not know survives")
			var pod corev1.Pod
			require.NoError(t, json.Unmarshal(patched, &pod))
			assert.Equal(t, []corev1.VolumeMount{{Name: "podshare-rules", MountPath: "/podshare/rules", ReadOnly: true}},
				pod.Spec.Containers[0].VolumeMounts)

			again := s.review(review(string(patched)))
			assert.True(t, again.Allowed)
			assert.Empty(t, again.Patch, "a second run adds nothing")
			assert.Nil(t, again.PatchType)
		})
	}
}

func TestWhatIsNotTheCreationOfAnAnnotatedPodIsAllowedAsItIs(t *testing.T) {
	s := start(t, injectPod).ready()
	for name, body := range map[string][]byte{
		"a pod without annotations": review(plain),
		"an update":                 review(consumer, "operation", "UPDATE", "oldObject", json.RawMessage(plain)),
		"a deletion":                review("null", "operation", "DELETE", "oldObject", json.RawMessage(consumer)),
		"a connection":              review(`{"kind":"PodExecOptions"}`, "operation", "CONNECT", "subResource", "exec"),
		"the creation of a subresource": review(`{"kind":"Binding"}`, "subResource", "binding",
			"kind", map[string]string{"version": "v1", "kind": "Binding"}),
		"an ephemeral container":       review(consumer, "operation", "UPDATE", "subResource", "ephemeralcontainers"),
		"fields of a newer API server": review(plain, "novelty", map[string]int{"a": 1}),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, &admissionv1.AdmissionResponse{UID: uid, Allowed: true}, s.review(body))
		})
	}
}

func TestMalformedReviewsAreRefusedWithTheirUID(t *testing.T) {
	const (
		noReview = "podshare: the body is no AdmissionReview: "
		typeIs   = "podshare: the body's apiVersion %q and kind %q must be \"admission.k8s.io/v1\" and \"AdmissionReview\""
		noPod    = "podshare: the object must be of apiVersion v1 and kind Pod, not %q and %q"
		missing  = "podshare: request is missing; an AdmissionReview of the API server has one"
		oneOf    = `must be one of ["CREATE" "UPDATE" "DELETE" "CONNECT"]`
	)
	s := start(t, injectPod).ready()
	whole := review(consumer)
	for name, c := range map[string]struct {
		body    []byte
		uid     string
		message string
	}{
		"empty": {nil, "", noReview + "it is empty"},
		"blank": {[]byte(" \n"), "", noReview + "it is empty"},
		"text":  {[]byte("pods"), "", noReview + "invalid character 'p' looking for beginning of value"},
		"a list": {[]byte("[]"), "",
			noReview + "it must be an object, not a list"},
		"truncated":          {whole[:len(whole)-20], uid, noReview + "unexpected end of JSON input"},
		"truncated in front": {whole[:60], "", noReview + "unexpected end of JSON input"},
		"followed by more": {append(whole[:len(whole):len(whole)], "{}"...), uid,
			noReview + "invalid character '{' after top-level value"},
		"null": {[]byte("null"), "", fmt.Sprintf(typeIs, "", "")},
		"another apiVersion": {body("admission.k8s.io/v2", "AdmissionReview", map[string]string{"uid": uid}), uid,
			fmt.Sprintf(typeIs, "admission.k8s.io/v2", "AdmissionReview")},
		"the beta": {body("admission.k8s.io/v1beta1", "AdmissionReview", map[string]string{"uid": uid}), uid,
			fmt.Sprintf(typeIs, "admission.k8s.io/v1beta1", "AdmissionReview")},
		"another kind": {body("admission.k8s.io/v1", "Pod\u202e", map[string]string{"uid": uid}), uid,
			fmt.Sprintf(typeIs, "admission.k8s.io/v1", "Pod\u202e")},
		"request null":        {body("admission.k8s.io/v1", "AdmissionReview", nil), "", missing},
		"keys in other cases": {[]byte(strings.Replace(string(whole), `"request"`, `"Request"`, 1)), "", missing},
		"no uid":              {review(consumer, "uid", nil), "", "podshare: request.uid is missing; the answer repeats it"},
		"a number as uid": {review(consumer, "uid", 7), "",
			noReview + "request.uid must be a string, not a number"},
		"a text as dryRun": {review(consumer, "dryRun", "no"), uid,
			noReview + "request.dryRun must be true or false, not a string"},
		"no operation": {review(consumer, "operation", nil), uid,
			`podshare: request.operation "" ` + oneOf},
		"an unknown operation": {review(consumer, "operation", "PATCH"), uid,
			`podshare: request.operation "PATCH" ` + oneOf},
		"a long operation": {review(consumer, "operation", strings.Repeat("x", 1000)), uid,
			`podshare: request.operation "` + strings.Repeat("x", 63) + `…" ` + oneOf},
		"another resource": {review(consumer, "resource", map[string]string{"version": "v1", "resource": "configmaps"}), uid,
			`podshare: request.resource "/v1, Resource=configmaps" must be "/v1, Resource=pods"`},
		"another kind of object": {review(consumer, "kind", map[string]string{"version": "v1", "kind": "ConfigMap"}), uid,
			`podshare: request.kind "/v1, Kind=ConfigMap" must be "/v1, Kind=Pod"`},
		"object null":    {review("null"), uid, "podshare: request.object is missing; for CREATE it is the pod"},
		"no object":      {review("null", "object", nil), uid, "podshare: request.object is missing; for CREATE it is the pod"},
		"a ConfigMap":    {review(`{"apiVersion":"v1","kind":"ConfigMap"}`), uid, fmt.Sprintf(noPod, "v1", "ConfigMap")},
		"a list of pods": {review(`{"apiVersion":"v1","kind":"PodList","items":[]}`), uid, fmt.Sprintf(noPod, "v1", "PodList")},
		"a text as object": {review(`"pod"`), uid,
			"podshare: the object is no Pod: it must be an object, not a string"},
		"nesting 100,000 deep": {deep(100_000), uid, noReview + "invalid character '[' exceeded max depth"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, &admissionv1.AdmissionResponse{UID: types.UID(c.uid), Result: &metav1.Status{
				Status: metav1.StatusFailure, Code: http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest, Message: c.message,
			}}, s.review(c.body))
		})
	}
}

func TestAnErrorsTextIsBoundedAndPrintable(t *testing.T) {
	s := start(t, func(*inject.Pod, string) (*inject.Result, error) {
		return nil, errors.New("a\nb\u202ec" + strings.Repeat("1", 1<<20))
	}).ready()
	assert.Equal(t, "podshare: the pod could not be injected: a\ufffdb\ufffdc"+strings.Repeat("1", 2011)+"…", s.review(review(consumer)).Result.Message)
}

func TestRefusals(t *testing.T) {
	s := start(t, injectPod).ready()
	const (
		name = `a share's name has lower case letters, digits and "-", begins and ends with a letter or digit, ` +
			`and is at most 54 characters long`
		tooMany = `"share-0,share-1,share-2,share-3,share-4,share-5,share-6,share-7…": ` +
			`the pod names 17 shares; this platform allows at most 16 in a pod`
	)
	many := make([]string, 17)
	for n := range many {
		many[n] = fmt.Sprintf("share-%d", n)
	}
	for sentence, c := range map[string]struct {
		annotations map[string]string
		code        int32
		reason      metav1.StatusReason
		message     string
		causes      []metav1.StatusCause
	}{
		"a mistake": {
			map[string]string{"podshare.dev/consume": "Team_A"}, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
			`podshare: metadata.annotations[podshare.dev/consume]: Invalid value: "Team_A": ` + name,
			[]metav1.StatusCause{{Type: "FieldValueInvalid", Field: "metadata.annotations[podshare.dev/consume]",
				Message: `Invalid value: "Team_A": ` + name}},
		},
		"a policy": {
			map[string]string{"podshare.dev/consume": strings.Join(many, ",")},
			http.StatusForbidden, metav1.StatusReasonForbidden,
			`podshare: metadata.annotations[podshare.dev/consume]: Forbidden: ` + tooMany,
			[]metav1.StatusCause{{Type: "FieldValueForbidden", Field: "metadata.annotations[podshare.dev/consume]",
				Message: `Forbidden: ` + tooMany}},
		},
		"two mistakes": {
			map[string]string{"podshare.dev/consume": "Team_A", "podshare.dev/readiness": "shell"},
			http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
			`podshare: 2 mistakes: (1) metadata.annotations[podshare.dev/consume]: Invalid value: "Team_A": ` + name +
				`; (2) metadata.annotations[podshare.dev/readiness]: Invalid value: "shell": ` +
				`must be one of "sidecar", "container", "none"`,
			nil,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			response := s.review(review(annotated(c.annotations)))
			assert.False(t, response.Allowed)
			assert.Empty(t, response.Patch)
			assert.Equal(t, c.message, response.Result.Message)
			assert.Equal(t, c.code, response.Result.Code)
			assert.Equal(t, c.reason, response.Result.Reason)
			assert.Equal(t, metav1.StatusFailure, response.Result.Status)
			if c.causes != nil {
				assert.Equal(t, c.causes, response.Result.Details.Causes)
			}
		})
	}
}

func TestAReviewByHandNeedNotRepeatWhatThePodSays(t *testing.T) {
	s := start(t, injectPod).ready()
	response := s.review(review(consumer, "resource", nil, "kind", nil))
	assert.True(t, response.Allowed)
	assert.NotEmpty(t, response.Patch)
}

func TestAPolicyAmongMistakesIsInvalid(t *testing.T) {
	at := field.NewPath("spec")
	s := start(t, func(*inject.Pod, string) (*inject.Result, error) {
		mistakes := field.ErrorList{field.Forbidden(at, "policy"), field.Invalid(at, "v", "mistake")}
		return nil, &inject.RefusedError{Mistakes: mistakes}
	}).ready()
	result := s.review(review(consumer)).Result
	assert.Equal(t, int32(http.StatusUnprocessableEntity), result.Code)
	assert.Equal(t, `podshare: 2 mistakes: (1) spec: Forbidden: policy; (2) spec: Invalid value: "v": mistake`, result.Message)
}

func TestManyMistakesAreToldInPart(t *testing.T) {
	var mistakes field.ErrorList
	for n := range 120 {
		mistakes = append(mistakes, field.Required(field.NewPath("f"+fmt.Sprint(n+1)), ""))
	}
	s := start(t, func(*inject.Pod, string) (*inject.Result, error) {
		return nil, &inject.RefusedError{Mistakes: mistakes}
	}).ready()
	result := s.review(review(consumer)).Result
	assert.Regexp(t, `^podshare: 120 mistakes: \(1\) f1: Required value; \(2\) f2: .*; `+
		`\(16\) f16: Required value; and 104 more$`, result.Message)
	assert.Len(t, result.Details.Causes, 100)
}

func TestAnErrorOfOurOwnIsNotTheCallersFault(t *testing.T) {
	s := start(t, func(*inject.Pod, string) (*inject.Result, error) {
		return nil, errors.New("no more numbers")
	}).ready()
	assert.Equal(t, &admissionv1.AdmissionResponse{UID: uid, Result: &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError,
		Message: "podshare: the pod could not be injected: no more numbers",
	}}, s.review(review(consumer)))
}

// deep is a review with a pod of so many lists in lists.
func deep(levels int) []byte {
	return []byte(strings.Replace(string(review(`{"apiVersion":"v1","kind":"Pod","spec":0}`)), `"spec":0`,
		`"spec":`+strings.Repeat("[", levels)+strings.Repeat("]", levels), 1))
}
