package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/podshare/podshare/pkg/share"
)

// reviewKind is the only kind of body that there is.
const reviewKind = "AdmissionReview"

var operations = []admissionv1.Operation{admissionv1.Create, admissionv1.Update, admissionv1.Delete, admissionv1.Connect}

// readReview takes the request out of a body. The error says what makes it none that an API server sends; the request
// then holds at least the uid, if the body has one.
func (e *endpoint) readReview(body []byte) (*admissionv1.AdmissionRequest, error) {
	review := admissionv1.AdmissionReview{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &review); err != nil {
		request := &admissionv1.AdmissionRequest{UID: findUID(body)}
		if len(bytes.TrimSpace(body)) == 0 {
			err = errors.New("it is empty")
		}
		return request, fmt.Errorf("the body is no AdmissionReview: %w", err)
	}
	request := review.Request
	if request == nil {
		request = &admissionv1.AdmissionRequest{}
	}
	if err := checkType(review.TypeMeta); err != nil {
		return request, err
	}
	if review.Request == nil {
		return request, errors.New("request is missing; an AdmissionReview of the API server has one")
	}
	return request, e.check(request)
}

func checkType(t metav1.TypeMeta) error {
	version := admissionv1.SchemeGroupVersion.String()
	if t.APIVersion != version || t.Kind != reviewKind {
		return fmt.Errorf("the body's apiVersion %s and kind %s must be %q and %q",
			share.Quote(t.APIVersion), share.Quote(t.Kind), version, reviewKind)
	}
	return nil
}

// check checks what every request has that comes here. One that is not looked at is not checked more closely: the answer is the same
// for all. Somebody who writes a review by hand may leave out resource and kind, which the object says too.
func (e *endpoint) check(r *admissionv1.AdmissionRequest) error {
	switch {
	case r.UID == "":
		return errors.New("request.uid is missing; the answer repeats it")
	case !slices.Contains(operations, r.Operation):
		return fmt.Errorf("request.operation %s must be one of %q", share.Quote(string(r.Operation)), operations)
	case !e.isAbout(r.Resource):
		allowed := e.oneOf(func(t objectType) string { return t.resource.String() })
		return fmt.Errorf("request.resource %s must be %s", share.Quote(r.Resource.String()), allowed)
	case !e.looksAt(r):
		return nil
	case !e.takes(r.Kind):
		allowed := e.oneOf(func(t objectType) string { return t.kind.String() })
		return fmt.Errorf("request.kind %s must be %s", share.Quote(r.Kind.String()), allowed)
	case len(r.Object.Raw) == 0:
		return fmt.Errorf("request.object is missing; for %s it is the %s", r.Operation, e.object)
	}
	return nil
}

// looksAt reports whether a request is about an object of the endpoint's, and not about something that happens to one.
func (e *endpoint) looksAt(r *admissionv1.AdmissionRequest) bool {
	return slices.Contains(e.operations, r.Operation) && r.SubResource == ""
}

// findUID looks for request.uid in a body that cannot be decoded as a whole, as far as it can be read.
func findUID(body []byte) types.UID {
	d := json.NewDecoder(bytes.NewReader(body))
	if !enter(d, "request") || !enter(d, "uid") {
		return ""
	}
	token, _ := d.Token() // nil is no string either
	uid, _ := token.(string)
	return types.UID(uid)
}

// enter reads an object up to the value of a key.
func enter(d *json.Decoder, key string) bool {
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return false
		}
		if name == key {
			return true
		}
		if d.Decode(new(json.RawMessage)) != nil {
			return false
		}
	}
	return false
}
