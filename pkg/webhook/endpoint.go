package webhook

import (
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podshare/podshare/pkg/decode"
)

// endpoint is one of the webhooks that this server is: what it is asked about, and how it answers.
type endpoint struct {
	// name is what metrics and the log call it.
	name string
	// object is what people call one of those that it is asked about.
	object string
	types  []objectType
	// operations are those that it looks at; others it allows.
	operations []string
	// read takes the object of a request, and old that which it is to replace; nil: that is not asked for.
	read, readOld func(*request, *decode.Reader)
	// answer decides about a request that is well-formed and looked at.
	answer func(v *verdict, injector Injector) *admissionv1.AdmissionResponse
}

type objectType struct {
	resource metav1.GroupVersionResource
	kind     metav1.GroupVersionKind
}

func newType(group, kind, resource string) objectType {
	return objectType{
		metav1.GroupVersionResource{Group: group, Version: "v1", Resource: resource},
		metav1.GroupVersionKind{Group: group, Version: "v1", Kind: kind},
	}
}

// The two endpoints: pods are injected, and workloads are told before that their pods would be refused.
var (
	podEndpoint = &endpoint{
		name: "pods", object: "pod",
		types:      []objectType{newType("", "Pod", "pods")},
		operations: []string{create},
		read:       (*request).readPod,
		answer:     (*verdict).injectPod,
	}
	workloadEndpoint = &endpoint{
		name: "workloads", object: "workload",
		types: []objectType{
			newType("apps", "Deployment", "deployments"), newType("apps", "StatefulSet", "statefulsets"), newType("apps", "DaemonSet", "daemonsets"),
			newType("apps", "ReplicaSet", "replicasets"), newType("batch", "Job", "jobs"), newType("batch", "CronJob", "cronjobs"),
		},
		operations: []string{create, update},
		read:       (*request).readWorkload,
		readOld:    (*request).readOldWorkload,
		answer:     (*verdict).validateWorkload,
	}
)

// isAbout says whether a request is about a resource of the endpoint's; one that says none is.
func (e *endpoint) isAbout(resource metav1.GroupVersionResource) bool {
	return resource == (metav1.GroupVersionResource{}) || slices.ContainsFunc(e.types, func(t objectType) bool { return t.resource == resource })
}

// takes says whether an object is of a kind of the endpoint's; one that says none is.
func (e *endpoint) takes(kind metav1.GroupVersionKind) bool {
	return kind == (metav1.GroupVersionKind{}) || slices.ContainsFunc(e.types, func(t objectType) bool { return t.kind == kind })
}

// oneOf lists what the endpoint's types have, for a message.
func (e *endpoint) oneOf(name func(objectType) string) string {
	names := make([]string, len(e.types))
	for i, t := range e.types {
		names[i] = strconv.Quote(name(t))
	}
	if len(names) == 1 {
		return names[0]
	}
	return "one of " + strings.Join(names, ", ")
}
