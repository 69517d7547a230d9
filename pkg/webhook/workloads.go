package webhook

import (
	"errors"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/workload"
)

// validateWorkload refuses a workload whose pods would be refused, so that whoever makes it learns of it, and not only those who
// read a ReplicaSet's Events. It warns of what its pods would warn of, and of annotations that stand in the wrong place.
func (v *verdict) validateWorkload(injector Injector) *admissionv1.AdmissionResponse {
	w := v.request.workload
	if w == nil {
		return v.deny(malformed, "workload", badRequest(v.request.problem))
	}
	v.object, v.result = inject.Metadata{Name: w.Name, Annotations: w.Pod.Metadata().Annotations}, unchanged
	response := &admissionv1.AdmissionResponse{Allowed: true}
	if w.Deleted { // what is changed now is only on its way out
		return response
	}
	warnings := w.Warnings()
	mistakes, more, err := v.check(w, injector)
	if err != nil { // our own mistake is none of theirs; their pods are refused all the same
		v.result, v.reason, v.message = failed, "internal", safe(err.Error(), maxMessage)
		return response
	}
	if len(v.added(mistakes, injector)) > 0 {
		return v.refuseMistakes(mistakes)
	}
	for _, m := range mistakes {
		warnings = append(warnings, "podshare: its pods are refused: "+m.Error())
	}
	response.Warnings = bounded(append(warnings, more...))
	return response
}

// check asks what would become of a workload's pods. The mistakes name fields of the workload.
func (v *verdict) check(w *workload.Workload, injector Injector) (field.ErrorList, []string, error) {
	injection, err := injector(w.Pod, v.request.namespace)
	if err == nil {
		return nil, injection.Warnings, nil
	}
	refusal, ok := errors.AsType[*inject.RefusedError](err)
	if !ok {
		return nil, nil, err
	}
	return refusal.In(w.Path), nil, nil
}

// added are the mistakes that an update adds. One that was there before keeps nobody from changing something else: a workload can
// be older than podshare, or than a policy.
func (v *verdict) added(mistakes field.ErrorList, injector Injector) field.ErrorList {
	old := v.request.oldWorkload
	if len(mistakes) == 0 || old == nil {
		return mistakes
	}
	before, _, _ := v.check(old, injector)
	return slices.DeleteFunc(slices.Clone(mistakes), func(m *field.Error) bool {
		return slices.ContainsFunc(before, func(b *field.Error) bool { return b.Error() == m.Error() })
	})
}

// bounded makes warnings fit, and none repeat.
func bounded(warnings []string) []string {
	var told []string
	for _, w := range warnings {
		if w = safe(w, inject.MaxWarning); !slices.Contains(told, w) {
			told = append(told, w)
		}
	}
	return told[:min(len(told), inject.MaxWarnings)]
}
