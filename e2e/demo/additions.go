package main

import (
	"context"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/pkg/api"
)

// additions is the diff from the pod that the cluster would make of the sample's template without podshare's annotations
// to the pod that it made. To know the former, it asks for a dry run.
func (d *demo) additions(ctx context.Context, s *sample) ([]string, error) {
	plain := corev1.Pod{ObjectMeta: *s.template.ObjectMeta.DeepCopy(), Spec: *s.template.Spec.DeepCopy()}
	plain.Namespace, plain.GenerateName = samplesNamespace, s.name+"-"
	maps.DeleteFunc(plain.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, api.Prefix) })
	if err := d.client.Create(ctx, &plain, client.DryRunAll); err != nil {
		return nil, fmt.Errorf("the pod of %s without podshare: %w", s.name, err)
	}
	plain.Annotations = s.template.Annotations
	before, err := essence(&plain)
	if err != nil {
		return nil, err
	}
	after, err := essence(&s.pod)
	if err != nil {
		return nil, err
	}
	return diff(before, after)
}

// essence is the part of a pod that its author writes, in YAML: without what the API server and the controllers of
// workloads give to each pod.
func essence(pod *corev1.Pod) (string, error) {
	labels := maps.Clone(pod.Labels)
	delete(labels, "pod-template-hash")
	content, err := yaml.Marshal(corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: pod.Annotations},
		Spec:       pod.Spec,
	})
	return string(content), err
}
