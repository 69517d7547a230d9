package manifests_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// agentOf is the container that podshare added.
func agentOf(t *testing.T, pod *corev1.Pod) *corev1.Container {
	t.Helper()
	for n := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[n].Name == "podshare-agent" {
			return &pod.Spec.InitContainers[n]
		}
	}
	require.Fail(t, "the pod has no podshare-agent")
	return nil
}

func TestTheSidecarPassesTheRestrictedStandard(t *testing.T) {
	startWebhook(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "restricted", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	require.NoError(t, api.Create(t.Context(), namespace))
	require.NoError(t, playServiceAccountController(t.Context(), namespace.Name))
	restricted := func(pod *corev1.Pod) {
		pod.Namespace = namespace.Name
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	for _, readiness := range []string{"sidecar", "container"} {
		t.Run(readiness, func(t *testing.T) {
			pod := newPod("app", map[string]string{"produce": "rules", "readiness": readiness}, restricted)
			require.NoError(t, create(t, pod))
			agentOf(t, pod)
		})
	}
}

func TestTheSidecarHasNoToken(t *testing.T) {
	startWebhook(t)
	pod := newPod("app", consumesRules)
	pod.Spec.AutomountServiceAccountToken = nil
	require.NoError(t, create(t, pod))
	const dir = "/var/run/secrets/kubernetes.io/serviceaccount"
	at := func(c *corev1.Container) (volume string) {
		for _, m := range c.VolumeMounts {
			if m.MountPath == dir {
				volume = m.Name
			}
		}
		return volume
	}
	assert.Contains(t, at(&pod.Spec.Containers[0]), "kube-api-access-", "the API server gives one to each container")
	assert.Equal(t, "podshare--no-token", at(agentOf(t, pod)), "but for one that has something in its place")
}

func TestThePodsQualityOfServiceStaysWhatItWas(t *testing.T) {
	startWebhook(t)
	list := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	}
	for name, resources := range map[string]corev1.ResourceRequirements{
		"BestEffort": {},
		"Burstable":  {Requests: list("10m", "10Mi"), Limits: list("10m", "20Mi")},
		"Guaranteed": {Limits: list("1", "1Gi")},
	} {
		for _, readiness := range []string{"sidecar", "container", "none"} {
			t.Run(name+" with "+readiness, func(t *testing.T) {
				pod := newPod("app", map[string]string{"consume": "rules", "readiness": readiness})
				pod.Spec.Containers[0].Resources = resources
				require.NoError(t, create(t, pod))
				assert.Equal(t, name, string(pod.Status.QOSClass))
			})
		}
	}
}

// others counts the webhooks of registerOther.
var others atomic.Int64

// registerOther runs a mutating webhook of somebody else's, which is called after podshare's.
func registerOther(t *testing.T, again admissionregistrationv1.ReinvocationPolicyType, change func(pod *corev1.Pod)) {
	t.Helper()
	const mark = "example.com/changed-by"
	name := fmt.Sprintf("z-other-%d", others.Add(1)) // they are called in the order of their names
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		var pod corev1.Pod
		if json.NewDecoder(r.Body).Decode(&review) != nil || json.Unmarshal(review.Request.Object.Raw, &pod) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		change(&pod)
		pod.Spec.NodeSelector = map[string]string{mark: name}
		patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": pod.Spec}})
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		kind := admissionv1.PatchTypeJSONPatch
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: &kind}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "other.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: new(server.URL), CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "default"}},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			ReinvocationPolicy:      &again,
		}},
	}
	require.NoError(t, api.Create(t.Context(), configuration))
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), configuration)) })
	require.EventuallyWithT(t, func(c *assert.CollectT) { // until the API server calls it
		pod := newPod("probe", nil)
		assert.NoError(c, api.Create(t.Context(), pod, client.DryRunAll))
		assert.Equal(c, name, pod.Spec.NodeSelector[mark])
	}, limit, tick)
}

func TestAContainerThatAnotherWebhookAddsTakesPart(t *testing.T) {
	startWebhook(t)
	registerOther(t, admissionregistrationv1.NeverReinvocationPolicy, func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "late", Image: "mesh/proxy"})
	})
	pod := newPod("app", consumesRules)
	require.NoError(t, create(t, pod))
	require.Len(t, pod.Spec.Containers, 2)
	assert.Contains(t, pod.Spec.Containers[1].VolumeMounts,
		corev1.VolumeMount{Name: "podshare-rules", MountPath: "/podshare/rules", ReadOnly: true})
	require.Len(t, pod.Spec.InitContainers, 1)
	assert.Equal(t, corev1.ContainerRestartPolicyAlways, *agentOf(t, pod).RestartPolicy)
}

// dropRestartPolicy is what a webhook does that was built before there were sidecars, and sends pods back whole.
func dropRestartPolicy(pod *corev1.Pod) {
	for n := range pod.Spec.InitContainers {
		pod.Spec.InitContainers[n].RestartPolicy = nil
	}
}

func TestARestartPolicyThatAnotherWebhookDropsIsPutBack(t *testing.T) {
	startWebhook(t)
	registerOther(t, admissionregistrationv1.NeverReinvocationPolicy, dropRestartPolicy)
	pod := newPod("app", consumesRules)
	require.NoError(t, create(t, pod))
	assert.Equal(t, corev1.ContainerRestartPolicyAlways, *agentOf(t, pod).RestartPolicy)
}

func TestARestartPolicyThatIsDroppedEachTimeIsRefused(t *testing.T) {
	startWebhook(t)
	t.Run("by the API server, when the probe is kept", func(t *testing.T) {
		registerOther(t, admissionregistrationv1.IfNeededReinvocationPolicy, dropRestartPolicy)
		err := dryRun(t, newPod("app", consumesRules))
		assert.ErrorContains(t, err, "spec.initContainers[0].readinessProbe: Forbidden")
	})
	t.Run("by the policy, when the probe is dropped too", func(t *testing.T) {
		registerOther(t, admissionregistrationv1.IfNeededReinvocationPolicy, func(pod *corev1.Pod) {
			dropRestartPolicy(pod)
			for n := range pod.Spec.InitContainers {
				pod.Spec.InitContainers[n].ReadinessProbe = nil
			}
		})
		err := dryRun(t, newPod("app", consumesRules))
		assert.ErrorContains(t, err, "the init container podshare-agent has lost its restartPolicy: Always")
		assert.True(t, apierrors.IsForbidden(err))
	})
}
