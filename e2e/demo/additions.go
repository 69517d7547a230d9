package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/pkg/api"
)

// additions are what podshare added to a pod: the shares, and what checks them for its readiness. Both are diffs.
type additions struct{ shares, readiness []string }

// additionsTo compares the pod that the cluster made with the one that it would make of the sample's template without podshare's
// annotations. To know the latter, it asks for a dry run.
func (d *demo) additionsTo(ctx context.Context, s *sample) (additions, error) {
	plain := corev1.Pod{ObjectMeta: *s.template.ObjectMeta.DeepCopy(), Spec: *s.template.Spec.DeepCopy()}
	plain.Namespace, plain.GenerateName = samplesNamespace, s.name+"-"
	maps.DeleteFunc(plain.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, api.Prefix) })
	if err := d.client.Create(ctx, &plain, client.DryRunAll); err != nil {
		return additions{}, fmt.Errorf("the pod of %s without podshare: %w", s.name, err)
	}
	plain.Annotations = s.template.Annotations
	var texts []string
	for _, pod := range []*corev1.Pod{&plain, withoutReadiness(&s.pod), &s.pod} {
		text, err := essence(pod)
		if err != nil {
			return additions{}, err
		}
		texts = append(texts, text)
	}
	shares, err := diff(texts[0], texts[1])
	if err != nil {
		return additions{}, err
	}
	readiness, err := diff(texts[1], texts[2])
	return additions{shares, readiness}, err
}

// withoutReadiness is a pod without what podshare added to check its shares.
func withoutReadiness(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	own := func(name string) bool { return name == api.AgentVolume || name == api.NoTokenVolume }
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return own(v.Name) })
	pod.Spec.InitContainers = slices.DeleteFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		return c.Name == api.AgentContainer
	})
	for n := range pod.Spec.Containers {
		c := &pod.Spec.Containers[n]
		c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return own(m.Name) })
		if p := c.ReadinessProbe; p != nil && p.Exec != nil && strings.HasPrefix(p.Exec.Command[0], api.AgentDir) {
			c.ReadinessProbe = nil
		}
	}
	return pod
}

// essence is the part of a pod that its author writes, in YAML: without what the API server and the controllers of
// workloads give to each pod.
func essence(pod *corev1.Pod) (string, error) {
	labels := maps.Clone(pod.Labels)
	delete(labels, "pod-template-hash")
	spec := pod.Spec
	spec.NodeName = ""
	content, err := yaml.Marshal(corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: pod.Annotations},
		Spec:       spec,
	})
	return string(content), err
}
