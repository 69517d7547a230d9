package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/inject"
)

// result is what became of a request: a label of the metrics, and a word of the log.
type result string

const (
	injected  result = "injected"  // allowed, with a patch
	unchanged result = "unchanged" // allowed: the pod is as it should be, or asks for nothing
	ignored   result = "ignored"   // allowed: not something that is looked at
	refused   result = "refused"   // the pod's annotations cannot be honoured
	malformed result = "malformed" // nothing that an API server sends
	failed    result = "error"     // our own mistake
)

// verdict is what is known of a request in the end, for the metrics and the log.
type verdict struct {
	endpoint *endpoint
	result   result
	// reason tells results of one kind apart. Empty: there is only one.
	reason string
	// message is what the caller is told. Empty: it got what it wanted.
	message string
	// request is nil when there was no body to read it from.
	request *request
	// object is the new one, as far as it could be read. A workload's annotations are those of its template.
	object inject.Metadata
	// report says what the pod has. Nil: nothing of ours.
	report *api.Report
}

// decide answers the body of a request. It notes in the verdict what it finds as soon as it finds it.
func (v *verdict) decide(body []byte, injector Injector) *admissionv1.AdmissionReview {
	response := v.respond(body, injector)
	response.UID = types.UID(v.request.uid)
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: reviewKind},
		Response: response,
	}
}

func (v *verdict) respond(body []byte, injector Injector) *admissionv1.AdmissionResponse {
	var err error
	e := v.endpoint
	if v.request, err = e.readReview(body); err != nil {
		return v.deny(malformed, "review", badRequest(err))
	}
	if !e.looksAt(v.request) {
		v.result, v.reason = ignored, "operation"
		if v.request.subResource != "" {
			v.reason = "subresource"
		}
		return &admissionv1.AdmissionResponse{Allowed: true}
	}
	return e.answer(v, injector)
}

// injectPod answers with a patch.
func (v *verdict) injectPod(injector Injector) *admissionv1.AdmissionResponse {
	if err := v.request.problem; err != nil {
		return v.deny(malformed, "pod", badRequest(err))
	}
	v.object = v.request.pod.Metadata()
	injection, err := injector(v.request.pod, v.request.namespace)
	if err != nil {
		return v.refuse(err)
	}
	return v.allow(injection)
}

func (v *verdict) allow(injection *inject.Result) *admissionv1.AdmissionResponse {
	response := &admissionv1.AdmissionResponse{Allowed: true, Warnings: injection.Warnings}
	v.result, v.report = unchanged, injection.Report
	if len(injection.Patch) == 0 {
		return response
	}
	patch, err := writePatch(injection.Patch)
	if err != nil {
		return v.refuse(fmt.Errorf("writing the patch: %w", err))
	}
	v.result = injected
	response.Patch, response.PatchType = patch, new(admissionv1.PatchTypeJSONPatch)
	return response
}

// operation is one of a patch, as it is written. The library's own way to write itself makes a text of each part first, which then is
// checked and copied: it takes three times as long.
type operation struct {
	Operation string `json:"op"`
	Path      string `json:"path"`
	Value     any    `json:"value"`
}

func writePatch(patch []jsonpatch.Operation) ([]byte, error) {
	operations := make([]operation, len(patch))
	for n, o := range patch {
		operations[n] = operation{o.Operation, o.Path, o.Value}
	}
	return json.Marshal(operations)
}

func (v *verdict) refuse(err error) *admissionv1.AdmissionResponse {
	if e, ok := errors.AsType[*inject.RefusedError](err); ok {
		return v.refuseMistakes(e.Mistakes)
	}
	return v.deny(failed, "internal", &metav1.Status{
		Code:    http.StatusInternalServerError,
		Reason:  metav1.StatusReasonInternalError,
		Message: safe("the pod could not be injected: "+err.Error(), maxMessage),
	})
}

func (v *verdict) refuseMistakes(mistakes field.ErrorList) *admissionv1.AdmissionResponse {
	status := refusal(mistakes)
	reason := "invalid"
	if status.Reason == metav1.StatusReasonForbidden {
		reason = "forbidden"
	}
	return v.deny(refused, reason, status)
}

// deny completes a status into an answer. The API server puts `admission webhook "…" denied the request: ` before the
// message; an Event about a ReplicaSet's pod shows nothing else.
func (v *verdict) deny(result result, reason string, status *metav1.Status) *admissionv1.AdmissionResponse {
	status.Status = metav1.StatusFailure
	status.Message = "podshare: " + status.Message
	v.result, v.reason, v.message = result, reason, status.Message
	return &admissionv1.AdmissionResponse{Result: status}
}

func badRequest(err error) *metav1.Status {
	return &metav1.Status{
		Code:    http.StatusBadRequest,
		Reason:  metav1.StatusReasonBadRequest,
		Message: safe(err.Error(), maxMessage), // a decoder shows what it stumbles over, whole
	}
}

// role is the pod's, by the annotations that it has.
func (v *verdict) role() string {
	_, produces := v.object.Annotations[api.Produce]
	_, consumes := v.object.Annotations[api.Consume]
	switch {
	case produces && consumes:
		return "both"
	case produces:
		return string(api.Producer)
	case consumes:
		return string(api.Consumer)
	default:
		return "none"
	}
}
