package plugin_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
)

var consumes = map[string]string{"podshare.dev/consume": "rules"}

func TestExplainsWhatWasInjected(t *testing.T) {
	namespace := newNamespace(t)
	deployment := newDeployment(namespace, map[string]string{"podshare.dev/consume": "rules", "podshare.dev/await": "rules/pricing.py"})
	deployment.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "shop/app"}}
	create(t, deployment)
	pod := awaitPod(t, namespace)
	awaitBound(t, namespace, "rules")
	playKubelet(t, pod, false)
	sayUnhealthy(t, pod, "share rules: waiting for rules/pricing.py")

	said := kubectl(t, "explain", "pod/"+pod.Name, "-n", namespace)
	assert.Equal(t, `Pod shop/web-6d4cf56db6-x7k2p: injected, and not ready
! share rules: waiting for rules/pricing.py
    a producer has to write that file
    kubectl podshare describe rules -n shop
Shares:
  Name  Role  Path  Access  Claim  Phase  Because Of
  --  --  --  --  --  --  --
  rules  consumer  /podshare/rules  read-only  podshare-rules  Bound  podshare.dev/consume: rules
Containers:
  Name  Mounts  Variables
  --  --  --
  app  /podshare/rules  PODSHARE_RULES_DIR=/podshare/rules PYTHONPATH=/podshare/rules
Readiness:  sidecar (by default): container podshare-agent looks at the shares
Awaited:  rules/pricing.py
Left Alone:
  init containers "migrate": an init container takes part only when podshare.dev/containers names it
`, stable(said.out))
	assert.Equal(t, 0, said.code, "a pod that waits is no mistake")

	playKubelet(t, pod, true)
	said = kubectl(t, "explain", "deploy", "web", "-n", namespace)
	assert.Equal(t, `Deployment shop/web: its pods are injected
! podshare: PYTHONPATH hides one that the image may set; podshare.dev/image-python-path would keep it: "app"
Shares:
  Name  Role  Path  Access  Claim  Phase  Because Of
  --  --  --  --  --  --  --
  rules  consumer  /podshare/rules  read-only  podshare-rules  Bound  podshare.dev/consume: rules
Containers:  app
Readiness:  sidecar (by default): container podshare-agent looks at the shares
Awaited:  rules/pricing.py
Left Alone:
  init containers "migrate": an init container takes part only when podshare.dev/containers names it
Judged By:  the platform's configuration, ConfigMap podshare-system/podshare-config-k5b9f8d8tm
Pods:
  Name  Injected  Ready  Age  Node  Message
  --  --  --  --  --  --
  web-6d4cf56db6-x7k2p  yes  yes  1s  <none>
`, stable(said.out))
}

// TestWhyNothingHappened is about what is written in the wrong place, or wrongly.
func TestWhyNothingHappened(t *testing.T) {
	for name, test := range map[string]struct {
		annotations, labels map[string]string // of the Deployment
		template            map[string]string // annotations
		of                  string            // what is asked about: the pod, or the Deployment
		want                string
		code                int
	}{
		"the annotation is on the Deployment, asked of the pod": {annotations: consumes, of: "pod", code: 1, want: `Pod shop/web-6d4cf56db6-x7k2p: not injected
✗ podshare.dev/consume stands on the Deployment web itself, where it does nothing
    move it to spec.template.metadata.annotations: kubectl -n shop edit deployment web
`},
		"asked of the Deployment": {annotations: consumes, of: "deployment", code: 1, want: `Deployment shop/web: asks for no share
✗ podshare.dev/consume stands on the Deployment web itself, where it does nothing
    move it to spec.template.metadata.annotations: kubectl -n shop edit deployment web
Pods:
  Name  Injected  Ready  Age  Node  Message
  --  --  --  --  --  --
  web-6d4cf56db6-x7k2p  no  no  1s  <none>  not scheduled: no nodes available to schedule pods
`},
		"a label instead of an annotation": {labels: consumes, of: "pod", code: 1, want: `Pod shop/web-6d4cf56db6-x7k2p: not injected
✗ podshare.dev/consume is a label of Deployment web, and podshare reads annotations
    write it under annotations instead of labels
`},
		"another prefix": {template: map[string]string{"podshare.io/consume": "rules"}, of: "pod", code: 1, want: `Pod shop/web-6d4cf56db6-x7k2p: not injected
✗ annotation "podshare.io/consume" of spec.template.metadata.annotations of Deployment web is not podshare's
    write podshare.dev/consume
`},
		"nothing of podshare's": {of: "pod", want: `Pod shop/web-6d4cf56db6-x7k2p: not injected
✓ neither the pod nor what made it has an annotation of podshare's: it asks for no share
    to give it one, add podshare.dev/consume or podshare.dev/produce to spec.template.metadata.annotations of Deployment web
`},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			deployment := newDeployment(namespace, test.template)
			deployment.Annotations, deployment.Labels = test.annotations, test.labels
			create(t, deployment)
			pod := awaitPod(t, namespace)
			require.EventuallyWithT(t, func(c *assert.CollectT) { // the scheduler has seen it
				require.NoError(c, api.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
				require.NotEmpty(c, pod.Status.Conditions)
			}, limit, tick)
			object := map[string]string{"pod": "pod/" + pod.Name, "deployment": "deployment/web"}[test.of]
			said := kubectl(t, "explain", object, "-n", namespace)
			assert.Equal(t, test.want, stable(said.out))
			assert.Equal(t, test.code, said.code, said.errors)
		})
	}
}

func TestAMistakeInATemplateIsToldAsTheWebhookTellsIt(t *testing.T) {
	namespace := newNamespace(t)
	without(t, "ValidatingWebhookConfiguration", "podshare") // it would not let the Deployment in
	create(t, newDeployment(namespace, map[string]string{"podshare.dev/consum": "rules", "podshare.dev/consume": "rules:data"}))
	said := kubectl(t, "explain", "deployment/web", "-n", namespace)
	assert.Contains(t, said.out, "its pods are refused\n")
	assert.Contains(t, said.out, `✗ spec.template.metadata.annotations: Invalid value: "podshare.dev/consum": is not an annotation of podshare; `+
		`the nearest is "podshare.dev/consume", all are `)
	assert.Contains(t, said.out, `✗ spec.template.metadata.annotations[podshare.dev/consume]: Invalid value: "rules:data": the path "data" must be an absolute path`)
	assert.Equal(t, "2 mistakes, see above\n", said.errors)
	assert.Equal(t, 1, said.code)
}

func TestWhyADeploymentHasNoPods(t *testing.T) {
	namespace := newNamespace(t)
	killWebhook(t)
	create(t, newDeployment(namespace, consumes))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		said := kubectl(t, "explain", "deployment/web", "-n", namespace)
		require.Contains(c, said.out, "Deployment "+namespace+"/web: asks for shares, and does not get them\n")
		require.Contains(c, said.out, "could not make a pod ")
		require.Contains(c, said.out, "connect: connection refused\n    nothing listens where the API server asks: kubectl -n podshare-system get pods\n")
		require.Equal(c, 1, said.code)
	}, limit, tick)
}

func TestAPodInANamespaceThatIsExcluded(t *testing.T) {
	pod := create(t, newPod("kube-system", "excluded", consumes))
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), pod, client.GracePeriodSeconds(0))) })
	said := kubectl(t, "explain", "pod/excluded", "-n", "kube-system")
	assert.Equal(t, `Pod kube-system/excluded: not injected
✗ namespace kube-system is excluded: the API server does not ask podshare about its pods
    run the pod in another namespace, or ask the platform team about the namespaceSelector of MutatingWebhookConfiguration podshare
`, said.out)
	assert.Equal(t, 1, said.code)
}

func TestAPodFromBeforeTheInstallation(t *testing.T) {
	namespace := newNamespace(t)
	without(t, "ValidatingAdmissionPolicyBinding", "podshare-injected")
	require.NoError(t, api.Delete(t.Context(), find(t, "MutatingWebhookConfiguration", "podshare")))
	pod := newPod(namespace, "old", consumes)
	require.EventuallyWithT(t, func(c *assert.CollectT) { // the API server may take a moment to forget the webhook and the policy
		_ = api.Delete(t.Context(), pod, client.GracePeriodSeconds(0))
		pod = newPod(namespace, "old", consumes)
		require.NoError(c, api.Create(t.Context(), pod))
		require.Empty(c, pod.Labels["podshare.dev/injected"])
	}, limit, tick)

	said := kubectl(t, "explain", "pod/old", "-n", namespace)
	assert.Contains(t, said.out, "✗ MutatingWebhookConfiguration podshare does not exist: the API server asks nobody about annotated pods\n    kubectl podshare doctor\n")

	awaitNextSecond(t, pod.CreationTimestamp)
	require.NoError(t, install.Apply(t.Context(), kubernetes.Config(), []*unstructured.Unstructured{find(t, "MutatingWebhookConfiguration", "podshare")}))
	said = kubectl(t, "explain", "pod/old", "-n", namespace)
	assert.Equal(t, `Pod shop/old: not injected
✗ the pod was created 1s before podshare was registered: pods are injected when they are created
    delete the pod and create it again: kubectl -n shop replace --force -f FILE
`, stable(said.out))
	assert.Equal(t, 1, said.code)
}

func TestAPodThatWasAnnotatedLater(t *testing.T) {
	namespace := newNamespace(t)
	pod := create(t, newPod(namespace, "late", nil))
	awaitNextSecond(t, pod.CreationTimestamp)
	before := pod.DeepCopy()
	pod.Annotations = consumes
	require.NoError(t, api.Patch(t.Context(), pod, client.MergeFrom(before), client.FieldOwner("kubectl-annotate")))
	said := kubectl(t, "explain", "pod/late", "-n", namespace)
	assert.Equal(t, `Pod shop/late: not injected
✗ podshare.dev/consume was written by "kubectl-annotate", which changed the pod 1s after it was created: pods are injected when they are created
    delete the pod and create it again: kubectl -n shop replace --force -f FILE
`, stable(said.out))
}

func TestAPodOfAnOlderTemplate(t *testing.T) {
	namespace := newNamespace(t)
	deployment := newDeployment(namespace, nil)
	deployment.Spec.Paused = true // so that the new template makes no pods yet
	create(t, deployment)
	before := deployment.DeepCopy()
	deployment.Spec.Paused = false
	require.NoError(t, api.Patch(t.Context(), deployment, client.MergeFrom(before)))
	pod := awaitPod(t, namespace)
	before = deployment.DeepCopy()
	deployment.Spec.Paused, deployment.Spec.Template.Annotations = true, consumes
	require.NoError(t, api.Patch(t.Context(), deployment, client.MergeFrom(before)))

	said := kubectl(t, "explain", "pod/"+pod.Name, "-n", namespace)
	assert.Equal(t, `Pod shop/web-6d4cf56db6-x7k2p: not injected
✗ the template of Deployment web has podshare.dev/consume by now; the pod was made before, from an older one
    kubectl -n shop rollout restart deployment web
`, stable(said.out))
}

func TestWhatIsNoWorkload(t *testing.T) {
	said := kubectl(t, "explain", "service/kubernetes")
	assert.Equal(t, "Service kubernetes makes no pods that podshare knows of; explain takes Pod, CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet\n", said.errors)
	assert.Equal(t, 2, said.code)
	said = kubectl(t, "explain")
	assert.Equal(t, "name a pod or a workload, such as \"pod/web-1\" or \"deployment web\"\n", said.errors)
	assert.Equal(t, 2, said.code)
	said = kubectl(t, "explain", "pod/none")
	assert.Equal(t, "pods \"none\" not found\n", said.errors)
	assert.Equal(t, 1, said.code)
}

// awaitNextSecond waits until what is created next is younger: the API server counts seconds.
func awaitNextSecond(t *testing.T, created metav1.Time) {
	t.Helper()
	require.Eventually(t, func() bool { return time.Now().Truncate(time.Second).After(created.Time) }, limit, tick)
}
