package plugin

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/podshare/podshare/pkg/config"
)

func TestWhatWasMeantForPodshare(t *testing.T) {
	for key, want := range map[string]string{
		"podshare.io/consume":                  "podshare.dev/consume",
		"podshare/consume":                     "podshare.dev/consume",
		"podshare.dev.consume":                 "podshare.dev/consume",
		"podshare-produce":                     "podshare.dev/produce",
		"podshar.dev/consume":                  "podshare.dev/consume",
		"pod-share.dev/consume":                "podshare.dev/consume",
		"Podshare.dev/Consume":                 "podshare.dev/consume",
		"podshare.dev.v1/python_path":          "podshare.dev/python-path",
		"podshare.example.com/consumes":        "podshare.dev/consume",
		"podshare.dev/consum":                  "", // share.Parse's
		"podshare.example.com/owner":           "",
		"app.kubernetes.io/name":               "",
		"prometheus.io/scrape":                 "",
		"example.com/consume":                  "",
		"consume":                              "",
		"":                                     "",
		"kubectl.kubernetes.io/last-applied-x": "",
	} {
		assert.Equal(t, want, lookalike(key), key)
	}
}

// aPod is one that a kubelet runs, with an agent that is not ready.
func aPod(changes ...func(*corev1.Pod)) *corev1.Pod {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	pod := &corev1.Pod{
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "podshare-agent", ReadinessProbe: &corev1.Probe{}}},
			Containers:     []corev1.Container{{Name: "app"}},
		},
		Status: corev1.PodStatus{
			Phase:                 corev1.PodRunning,
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "podshare-agent", State: running}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "app", Ready: true, State: running}},
		},
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

func TestWhatKeepsAPodFromBeingReady(t *testing.T) {
	unhealthy := func(container, message string) corev1.Event {
		return corev1.Event{Reason: "Unhealthy", Message: message, InvolvedObject: corev1.ObjectReference{FieldPath: "spec.initContainers{" + container + "}"}}
	}
	for name, test := range map[string]struct {
		pod    *corev1.Pod
		events []corev1.Event
		want   string
	}{
		"the agent says": {aPod(), []corev1.Event{
			unhealthy("podshare-agent", "Readiness probe failed: share rules: no answer for 10s"),
			unhealthy("podshare-agent", "Readiness probe failed: share rules: no answer for 20s\n"),
			unhealthy("app", "Readiness probe failed: no"),
		}, "share rules: no answer for 20s"},
		"the agent has not said anything": {aPod(), nil, "container podshare-agent is not ready, and no Event says why"},
		"its image cannot be pulled": {aPod(func(p *corev1.Pod) {
			p.Status.InitContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason: "ImagePullBackOff", Message: `Back-off pulling image "podshare-agent"`}}
		}), nil, `container podshare-agent: ImagePullBackOff: Back-off pulling image "podshare-agent"`},
		"the pod has no node": {aPod(func(p *corev1.Pod) {
			p.Status.Phase = corev1.PodPending
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "no nodes available"}}
		}), nil, "not scheduled: no nodes available"},
		"the volume cannot be mounted": {aPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }),
			[]corev1.Event{{Reason: "FailedMount", Message: "mount.nfs: access denied by server"}}, "mount.nfs: access denied by server"},
		"a container of its own is not ready": {aPod(func(p *corev1.Pod) {
			p.Status.InitContainerStatuses[0].Ready = true
			p.Status.ContainerStatuses[0].Ready = false
		}), nil, "container app is not ready, and its shares are"},
		"it is ready": {aPod(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}), nil, ""},
		"it has ended": {aPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), nil, ""},
		"the agent in a container of its own": {aPod(func(p *corev1.Pod) {
			p.Spec.InitContainers[0].ReadinessProbe = nil // it only installs
			p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
				Exec: &corev1.ExecAction{Command: []string{"/run/podshare-agent/podshare-agent", "check"}}}}
			p.Status.ContainerStatuses[0].Ready = false
		}), []corev1.Event{{Reason: "Unhealthy", Message: "Readiness probe failed: share rules: not writable: read-only file system",
			InvolvedObject: corev1.ObjectReference{FieldPath: "spec.containers{app}"}}}, "share rules: not writable: read-only file system"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, complaint(test.pod, test.events)) })
	}
}

func TestAdviceOnAComplaint(t *testing.T) {
	for complaint, want := range map[string][]string{
		"share rules: waiting for rules/pricing.py": {"a producer has to write that file", "kubectl podshare describe rules -n shop"},
		"share rules: 97% full (9.7Gi of 10Gi)":     {"make room, or let the claim grow: annotation podshare.dev/size", "kubectl podshare describe rules -n shop"},
		"HTTP probe failed with statuscode: 503":    {"ask the agent itself: kubectl exec POD -c podshare-agent -- /podshare-agent check"},
		"no nodes available":                        nil,
	} {
		assert.Equal(t, want, advise(complaint, "shop").Remedy, complaint)
	}
}

// theGate is what podshare's webhook configuration is by default.
func theGate(changes ...func(*admissionv1.MutatingWebhook)) gate {
	w := admissionv1.MutatingWebhook{ClientConfig: admissionv1.WebhookClientConfig{CABundle: []byte("PEM")}, NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system", "podshare-system"}}}}}
	for _, change := range changes {
		change(&w)
	}
	return gate{configuration: &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))}, Webhooks: []admissionv1.MutatingWebhook{w}}}
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// An owner of a kind that podshare does not know.
func rollout(annotations map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("argoproj.io/v1alpha1")
	o.SetKind("Rollout")
	o.SetNamespace("shop")
	o.SetName("web")
	o.SetAnnotations(annotations)
	return o
}

func TestWhyAPodIsNotInjected(t *testing.T) {
	consumes := map[string]string{"podshare.dev/consume": "rules"}
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"kubernetes.io/metadata.name": "shop"}}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "mutatingwebhookconfigurations"}, "podshare", errors.New("no"))
	for name, test := range map[string]struct {
		annotations map[string]string
		gate        gate
		owner       *unstructured.Unstructured
		want        string
		remedy      string
	}{
		"a mirror pod": {map[string]string{"podshare.dev/consume": "rules", "kubernetes.io/config.mirror": "x"}, theGate(), nil,
			"the pod is the mirror of a static pod, which runs already: podshare leaves those alone", "run it as a Deployment or a DaemonSet"},
		"a selector of the platform team's": {consumes, theGate(func(w *admissionv1.MutatingWebhook) {
			w.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"share": "yes"}}
		}), nil, "namespace shop is excluded: the API server does not ask podshare about its pods",
			"run the pod in another namespace, or ask the platform team about the namespaceSelector of MutatingWebhookConfiguration podshare"},
		"an objectSelector": {consumes, theGate(func(w *admissionv1.MutatingWebhook) {
			w.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"share": "yes"}}
		}), nil, "the objectSelector of MutatingWebhookConfiguration podshare does not match the pod's labels",
			"ask the platform team which labels it wants: share=yes"},
		"no caBundle": {consumes, theGate(func(w *admissionv1.MutatingWebhook) { w.ClientConfig.CABundle = nil }), nil,
			"MutatingWebhookConfiguration podshare has no caBundle: the API server trusts nobody's answer, and refuses annotated pods", "kubectl podshare doctor"},
		"failurePolicy Ignore": {consumes, theGate(func(w *admissionv1.MutatingWebhook) { w.FailurePolicy = new(admissionv1.Ignore) }), nil,
			"the webhook's failurePolicy is Ignore: a pod that is created while podshare does not answer goes without its shares",
			"delete the pod and create it again: kubectl -n shop replace --force -f FILE"},
		"nothing explains it": {consumes, theGate(), nil,
			"podshare was not asked when the pod was created, or another webhook has removed what it added",
			"delete the pod and create it again: kubectl -n shop replace --force -f FILE"},
		"the user may not look": {consumes, gate{err: forbidden}, nil,
			"whether the API server asks podshare cannot be seen, and nothing else explains it",
			"delete the pod and create it again: kubectl -n shop replace --force -f FILE"},
		"a mistake": {map[string]string{"podshare.dev/consume": "Rules"}, theGate(), nil,
			`metadata.annotations[podshare.dev/consume]: Invalid value: "Rules": a share's name has lower case letters, digits and "-", ` +
				`begins and ends with a letter or digit, and is at most 54 characters long`, ""},
		"an annotation on an owner that podshare does not know": {nil, theGate(), rollout(consumes),
			"podshare.dev/consume stands on the Rollout web itself, where it does nothing",
			"move it to the metadata of its pod template: kubectl -n shop edit rollout web"},
		"nothing on such an owner": {nil, theGate(), rollout(nil),
			"neither the pod nor what made it has an annotation of podshare's: it asks for no share",
			"to give it one, add podshare.dev/consume or podshare.dev/produce to the pod template of Rollout web"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &podCase{
				Pod: &corev1.Pod{
					ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Annotations: test.annotations, CreationTimestamp: metav1.NewTime(noon)},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
				},
				settings: settings{Config: config.Default()}, gate: test.gate, namespace: shop,
			}
			if test.owner != nil {
				c.owners = []*unstructured.Unstructured{test.owner}
			}
			findings := c.whyNot()
			if assert.Len(t, findings, 1) {
				assert.Equal(t, test.want, findings[0].Message)
				if test.remedy != "" {
					assert.Equal(t, test.remedy, findings[0].Remedy[0])
				}
			}
		})
	}
}
