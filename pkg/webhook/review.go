package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podshare/podshare/pkg/decode"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/share"
	"github.com/podshare/podshare/pkg/workload"
)

// reviewKind is the only kind of body that there is.
const reviewKind = "AdmissionReview"

const (
	create = string(admissionv1.Create)
	update = string(admissionv1.Update)
)

var operations = []string{create, update, string(admissionv1.Delete), string(admissionv1.Connect)}

// review is what is read of a body.
type review struct {
	apiVersion, kind string
	request          *request // nil: there is none
}

// request is what is read of an AdmissionRequest (k8s.io/api/admission/v1, which says what the fields mean). The API server sends a
// pod's managed fields too, and who creates it: about half of the body.
type request struct {
	uid, operation, subResource, namespace, name string

	resource metav1.GroupVersionResource
	kind     metav1.GroupVersionKind
	dryRun   bool

	// The object, of which one is there; or problem, which says why it is not what it should be. The old one is only there if it
	// could be read.
	pod                   *inject.Pod
	workload, oldWorkload *workload.Workload
	problem               error
}

func (v *review) read(r *decode.Reader, e *endpoint) {
	for field := range r.Fields() {
		switch string(field) {
		case "apiVersion":
			r.String(&v.apiVersion)
		case "kind":
			r.String(&v.kind)
		case "request":
			if v.request == nil && r.Present() {
				v.request = &request{}
			}
			if v.request != nil {
				v.request.read(r, e)
			}
		}
	}
}

func (q *request) read(r *decode.Reader, e *endpoint) {
	for field := range r.Fields() {
		switch string(field) {
		case "uid":
			r.String(&q.uid)
		case "operation":
			r.String(&q.operation)
		case "subResource":
			r.String(&q.subResource)
		case "namespace":
			r.String(&q.namespace)
		case "name":
			r.String(&q.name)
		case "dryRun":
			r.Bool(&q.dryRun)
		case "resource":
			readType(r, "resource", &q.resource.Group, &q.resource.Version, &q.resource.Resource)
		case "kind":
			readType(r, "kind", &q.kind.Group, &q.kind.Version, &q.kind.Kind)
		case "object":
			if r.Present() {
				e.read(q, r)
			}
		case "oldObject":
			if r.Present() && e.readOld != nil {
				e.readOld(q, r)
			}
		}
	}
}

func readType(r *decode.Reader, last string, group, version, name *string) {
	for field := range r.Fields() {
		switch string(field) {
		case "group":
			r.String(group)
		case "version":
			r.String(version)
		case last:
			r.String(name)
		}
	}
}

func (q *request) readPod(r *decode.Reader)         { q.pod, q.problem = inject.Read(r) }
func (q *request) readWorkload(r *decode.Reader)    { q.workload, q.problem = workload.Read(r) }
func (q *request) readOldWorkload(r *decode.Reader) { q.oldWorkload, _ = workload.Read(r) }

// readReview takes the request out of a body. The error says what makes it none that an API server sends; the request
// then holds at least the uid, if the body has one.
func (e *endpoint) readReview(body []byte) (*request, error) {
	var v review
	err := decode.Bytes(body, func(r *decode.Reader) { v.read(r, e) })
	q := v.request
	if q == nil {
		q = &request{}
	}
	if err != nil {
		if len(bytes.TrimSpace(body)) == 0 {
			err = errors.New("it is empty")
		}
		return q, fmt.Errorf("the body is no AdmissionReview: %w", err)
	}
	if err := v.checkType(); err != nil {
		return q, err
	}
	if v.request == nil {
		return q, errors.New("request is missing; an AdmissionReview of the API server has one")
	}
	return q, e.check(q)
}

func (v *review) checkType() error {
	version := admissionv1.SchemeGroupVersion.String()
	if v.apiVersion != version || v.kind != reviewKind {
		return fmt.Errorf("the body's apiVersion %s and kind %s must be %q and %q",
			share.Quote(v.apiVersion), share.Quote(v.kind), version, reviewKind)
	}
	return nil
}

// check checks what every request has that comes here. One that is not looked at is not checked more closely: the answer is the same
// for all. Somebody who writes a review by hand may leave out resource and kind, which the object says too.
func (e *endpoint) check(q *request) error {
	switch {
	case q.uid == "":
		return errors.New("request.uid is missing; the answer repeats it")
	case !slices.Contains(operations, q.operation):
		return fmt.Errorf("request.operation %s must be one of %q", share.Quote(q.operation), operations)
	case !e.isAbout(q.resource):
		allowed := e.oneOf(func(t objectType) string { return t.resource.String() })
		return fmt.Errorf("request.resource %s must be %s", share.Quote(q.resource.String()), allowed)
	case !e.looksAt(q):
		return nil
	case !e.takes(q.kind):
		allowed := e.oneOf(func(t objectType) string { return t.kind.String() })
		return fmt.Errorf("request.kind %s must be %s", share.Quote(q.kind.String()), allowed)
	case q.pod == nil && q.workload == nil && q.problem == nil:
		return fmt.Errorf("request.object is missing; for %s it is the %s", q.operation, e.object)
	}
	return nil
}

// looksAt reports whether a request is about an object of the endpoint's, and not about something that happens to one.
func (e *endpoint) looksAt(q *request) bool {
	return slices.Contains(e.operations, q.operation) && q.subResource == ""
}
