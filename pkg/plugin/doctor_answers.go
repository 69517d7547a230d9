package plugin

import (
	"context"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/api"
)

// probeName is that of what is sent as a dry run, and of its share. Neither comes to be.
const probeName = "podshare-doctor"

// probePod is a pod that every namespace takes: the restricted Pod Security Standard, and quotas that want resources, are heeded.
func (d *doctor) probePod(annotations map[string]string) corev1.PodTemplateSpec {
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: annotations, Labels: map[string]string{"app.kubernetes.io/name": probeName}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "app", Image: d.settings.Agent.Image,
				Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// checkAnswers sends dry runs: they prove at once that the API server reaches the webhook, trusts it, and heeds what it says.
func (d *doctor) checkAnswers(ctx context.Context) []finding {
	namespace, err := d.cluster.namespace(ctx, d.namespace)
	if w := d.gate.webhook(); err == nil && w != nil && !passes(w.NamespaceSelector, namespace.Labels) {
		return []finding{warn("namespace %s is excluded, so nothing can be tried in it", d.namespace).mend("name another one: -n NAMESPACE")}
	}
	return append(d.tryPod(ctx), d.tryWorkload(ctx)...)
}

func (d *doctor) tryPod(ctx context.Context) []finding {
	template := d.probePod(map[string]string{api.Consume: probeName, api.Readiness: string(api.ReadinessNone)})
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.GenerateName = d.namespace, probeName+"-"
	begun := time.Now()
	err := d.Create(ctx, pod, client.DryRunAll)
	took := time.Since(begun).Round(time.Millisecond)
	switch {
	case err == nil && isInjected(pod):
		return []finding{ok("an annotated pod, as a dry run in namespace %s, gets its share: %s", d.namespace, took)}
	case err == nil:
		return []finding{broken("an annotated pod, as a dry run in namespace %s, gets nothing: the API server does not ask podshare", d.namespace).
			mend("kubectl get mutatingwebhookconfiguration %s", configurationName)}
	}
	return []finding{d.judgeRefusal("an annotated pod", err)}
}

// tryWorkload sends a mistake, which has to be refused: the webhook for workloads is not missed otherwise, since without an
// answer they are let through.
func (d *doctor) tryWorkload(ctx context.Context) []finding {
	labels := map[string]string{"app.kubernetes.io/name": probeName}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: probeName},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: d.probePod(map[string]string{api.Consume: ""}),
		},
	}
	err := d.Create(ctx, deployment, client.DryRunAll)
	switch {
	case err == nil:
		return []finding{warn("a Deployment with a mistake, as a dry run, is let through: the API server does not reach the webhook for workloads, or "+
			"does not ask it").mend("see the other lines, and kubectl get validatingwebhookconfiguration %s", configurationName)}
	case strings.Contains(err.Error(), api.Consume):
		return []finding{ok("a Deployment with a mistake, as a dry run, is refused as it should be")}
	}
	return []finding{d.judgeRefusal("a Deployment", err)}
}

// judgeRefusal says what an API server's refusal of a dry run means.
func (d *doctor) judgeRefusal(what string, err error) finding {
	message := reason(err)
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot create resource"):
		return warn("whether the webhook answers was not tried: you may not create %s in namespace %s, not even as a dry run", what, d.namespace).
			mend("name another namespace: -n NAMESPACE")
	case strings.Contains(err.Error(), "podshare"):
		return broken("%s, as a dry run in namespace %s, is refused: %s", what, d.namespace, oneLine(err.Error())).mend("%s", meaning(err.Error()))
	default:
		return warn("whether the webhook answers is not known: namespace %s takes no dry run of %s (%s)", d.namespace, what, oneLine(message)).
			mend("name another namespace: -n NAMESPACE")
	}
}
