package suite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
)

const system = "podshare-system"

// overlay is an installation with the images to test.
var overlay = install.Overlay{Image: image, AgentImage: agentImage, StorageClass: storageClass}

// installPodshare applies an installation and waits until an annotated pod is injected.
func installPodshare(ctx context.Context, o install.Overlay) error {
	objects, err := o.Render(root)
	if err != nil {
		return err
	}
	if err := install.Apply(ctx, access, objects); err != nil {
		return err
	}
	if err := within(ctx, limit, isAvailable); err != nil {
		return fmt.Errorf("podshare is not available: %w", err)
	}
	return nil
}

// isAvailable says what podshare lacks: a replica that is ready, or that the API server reaches the webhook, for pods and for workloads.
// The second follows the first by up to a second, until the nodes know where the Service leads.
func isAvailable(ctx context.Context) error {
	if err := allAvailable(ctx); err != nil {
		return err
	}
	pod := newPod("default", "probe", map[string]string{"consume": "probe"})
	if err := api.Create(ctx, pod, client.DryRunAll); err != nil {
		return fmt.Errorf("an annotated pod, as a dry run: %w", err)
	}
	if pod.Labels["podshare.dev/injected"] != "true" {
		return errors.New("an annotated pod was accepted without its share")
	}
	mistaken := newDeployment(newPod("default", "probe", map[string]string{"consumes": "probe"}))
	if err := api.Create(ctx, mistaken, client.DryRunAll); !apierrors.IsInvalid(err) {
		return fmt.Errorf("a Deployment with a mistake, as a dry run, was not refused as invalid: %w", err)
	}
	return nil
}

// allAvailable says which Deployment of podshare is not.
func allAvailable(ctx context.Context) error {
	for _, name := range []string{"podshare-webhook", "podshare-controller"} {
		var deployment appsv1.Deployment
		if err := api.Get(ctx, client.ObjectKey{Namespace: system, Name: name}, &deployment); err != nil {
			return err
		}
		status := deployment.Status
		if status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas < *deployment.Spec.Replicas ||
			status.AvailableReplicas < *deployment.Spec.Replicas || status.Replicas > *deployment.Spec.Replicas {
			return fmt.Errorf("Deployment %s has %d of %d replicas available, %d of them updated", name,
				status.AvailableReplicas, *deployment.Spec.Replicas, status.UpdatedReplicas)
		}
	}
	return nil
}

// uninstallPodshare does what docs/platform.md says, in its order, and waits until all is gone.
func uninstallPodshare(ctx context.Context) error {
	objects, err := overlay.Render(root)
	if err != nil {
		return err
	}
	first := []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding"}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return place(first, a.GetKind()) - place(first, b.GetKind())
	})
	for _, object := range objects {
		if err := client.IgnoreNotFound(api.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))); err != nil {
			return fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return within(ctx, limit, func(ctx context.Context) error {
		for _, object := range objects {
			err := api.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopy())
			if err == nil {
				return fmt.Errorf("%s %s is still there", object.GetKind(), object.GetName())
			}
			if !apierrors.IsNotFound(err) {
				return err
			}
		}
		return nil
	})
}

func place(list []string, item string) int {
	if i := slices.Index(list, item); i >= 0 {
		return i
	}
	return len(list)
}

func TestPodshareRunsAsInstalledAndIsSpreadOverNodes(t *testing.T) {
	for _, name := range []string{"podshare-webhook", "podshare-controller"} { // another test may have moved its pods together
		require.NoError(t, restart(t.Context(), name))
	}
	var pods corev1.PodList
	require.NoError(t, api.List(t.Context(), &pods, client.InNamespace(system)))
	pods.Items = slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	require.Len(t, pods.Items, 4)
	on := map[string][]string{}
	for _, pod := range pods.Items {
		assert.Equal(t, image, pod.Spec.Containers[0].Image)
		assert.Zero(t, pod.Status.ContainerStatuses[0].RestartCount, pod.Name)
		component := pod.Labels["app.kubernetes.io/component"]
		on[component] = append(on[component], pod.Spec.NodeName)
	}
	if len(schedulable(t)) > 1 {
		for component, names := range on {
			assert.NotEqual(t, names[0], names[1], "the replicas of the %s are spread over nodes", component)
		}
	}
}

// schedulable are the nodes that take ordinary pods.
func schedulable(t *testing.T) []string {
	t.Helper()
	var list corev1.NodeList
	require.NoError(t, api.List(t.Context(), &list))
	var names []string
	for _, node := range list.Items {
		closed := slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool { return taint.Effect != corev1.TaintEffectPreferNoSchedule })
		if !closed && !node.Spec.Unschedulable {
			names = append(names, node.Name)
		}
	}
	return names
}
