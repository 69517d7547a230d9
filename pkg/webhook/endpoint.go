package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// endpoint is one of the webhooks that this server is: what it is asked about, and how it answers.
type endpoint struct {
	// name is what metrics and the log call it.
	name string
	// object is what people call one of those that it is asked about.
	object string
	types  []objectType
	// operations are those that it looks at; others it allows.
	operations []admissionv1.Operation
	// answer decides about a request that is well-formed and looked at.
	answer func(v *verdict, injector Injector) *admissionv1.AdmissionResponse
}

type objectType struct{ group, kind, resource string }

// The two endpoints: pods are injected, and workloads are told before that their pods would be refused.
var (
	podEndpoint = &endpoint{
		name: "pods", object: "pod",
		types:      []objectType{{"", "Pod", "pods"}},
		operations: []admissionv1.Operation{admissionv1.Create},
		answer:     (*verdict).injectPod,
	}
	workloadEndpoint = &endpoint{
		name: "workloads", object: "workload",
		types: []objectType{
			{"apps", "Deployment", "deployments"}, {"apps", "StatefulSet", "statefulsets"}, {"apps", "DaemonSet", "daemonsets"},
			{"apps", "ReplicaSet", "replicasets"}, {"batch", "Job", "jobs"}, {"batch", "CronJob", "cronjobs"},
		},
		operations: []admissionv1.Operation{admissionv1.Create, admissionv1.Update},
		answer:     (*verdict).validateWorkload,
	}
)

func (e *endpoint) resources() []string {
	names := make([]string, len(e.types))
	for i, t := range e.types {
		names[i] = (&metav1.GroupVersionResource{Group: t.group, Version: "v1", Resource: t.resource}).String()
	}
	return names
}

func (e *endpoint) kinds() []string {
	names := make([]string, len(e.types))
	for i, t := range e.types {
		names[i] = metav1.GroupVersionKind{Group: t.group, Version: "v1", Kind: t.kind}.String()
	}
	return names
}
