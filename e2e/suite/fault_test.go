package suite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The tests of this file disturb podshare itself, so none of them runs beside another one.

func TestWithAllReplicasOfTheWebhookGoneOnlyAnnotatedPodsWait(t *testing.T) {
	namespace := newNamespace(t)
	scale(t, "podshare-webhook", 0)
	t.Cleanup(func() { scaleBack(t, "podshare-webhook") })
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		err := api.Create(ctx, newPod(namespace, "annotated", map[string]string{"consume": "rules"}), client.DryRunAll)
		if err == nil {
			return fmt.Errorf("an annotated pod is accepted without the webhook")
		}
		if !strings.Contains(err.Error(), "pods.podshare.dev") {
			return err
		}
		return nil
	}))
	plain := newPod(namespace, "plain", nil)
	create(t, plain)
	awaitReady(t, plain)

	createDeployment(t, newPod(namespace, "deployment", map[string]string{"consume": "rules"}))
	awaitReplicaFailure(t, namespace)
	scaleBack(t, "podshare-webhook")
	// Its controller tries again unaided, after a growing time.
	require.NoError(t, within(t.Context(), 2*limit, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := api.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": "deployment"}); err != nil {
			return err
		}
		if len(pods.Items) == 0 {
			return fmt.Errorf("the Deployment has no pod")
		}
		return isReady(ctx, &pods.Items[0])
	}))
}

func TestPodshareComesBackByItselfWhenAllItsPodsAreDeletedAtOnce(t *testing.T) {
	namespace := newNamespace(t)
	var before corev1.PodList
	require.NoError(t, api.List(t.Context(), &before, client.InNamespace(system)))
	before.Items = slices.DeleteFunc(before.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	require.NotEmpty(t, before.Items)
	begun := time.Now()
	require.NoError(t, api.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(system), client.GracePeriodSeconds(0)))
	createDeployment(t, newPod(namespace, "unaided", map[string]string{"consume": "rules"}))

	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var now corev1.PodList
		if err := api.List(ctx, &now, client.InNamespace(system)); err != nil {
			return err
		}
		if len(now.Items) != len(before.Items) {
			return fmt.Errorf("there are %d pods, and not %d", len(now.Items), len(before.Items))
		}
		for _, pod := range now.Items {
			former := func(b corev1.Pod) bool { return b.UID == pod.UID }
			if err := isReady(ctx, &pod); err != nil || slices.ContainsFunc(before.Items, former) {
				return errors.Join(err, fmt.Errorf("pod %s is not a new one that is ready", pod.Name))
			}
		}
		return isAvailable(ctx)
	}))
	t.Logf("podshare was ready again %s after all its pods were deleted", time.Since(begun).Round(100*time.Millisecond))
	awaitPods(t, namespace, "unaided", 1)
}

// createDeployment makes one whose template is the pod.
func createDeployment(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	create(t, newDeployment(pod))
}

func newDeployment(pod *corev1.Pod) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: pod.ObjectMeta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": pod.Name}}, Template: template(pod),
	}}
}

// awaitReplicaFailure waits until a ReplicaSet says why it has no pods.
func awaitReplicaFailure(t *testing.T, namespace string) {
	t.Helper()
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var sets appsv1.ReplicaSetList
		if err := api.List(ctx, &sets, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, set := range sets.Items {
			for _, condition := range set.Status.Conditions {
				if condition.Type == appsv1.ReplicaSetReplicaFailure && strings.Contains(condition.Message, "pods.podshare.dev") {
					return nil
				}
			}
		}
		return fmt.Errorf("no ReplicaSet says that its pods are refused")
	}))
}

func TestNoPodIsLostWhileTheWebhookRollsAndItsCertificateIsRenewed(t *testing.T) {
	namespace := newNamespace(t)
	createWhile(t, namespace, 1000, rollAndRenew)
}

func TestNoPodIsLostWhileANodeIsDrained(t *testing.T) {
	namespace := newNamespace(t)
	workers := schedulable(t)
	if len(workers) < 2 {
		t.Skip("the cluster has one node that takes pods: nothing can move")
	}
	webhook := podsOf(t, "webhook")
	node := webhook[0].Spec.NodeName
	setUnschedulable(t, node, true)
	t.Cleanup(func() { setUnschedulable(t, node, false) })
	createWhile(t, namespace, 300, func(ctx context.Context) error { return drain(ctx, node) })
	for _, component := range []string{"webhook", "controller"} {
		for _, pod := range podsOf(t, component) {
			assert.NotEqual(t, node, pod.Spec.NodeName, pod.Name)
		}
	}
}

// createWhile creates pods for as long as something goes on, and at least as many: each has to be injected.
func createWhile(t *testing.T, namespace string, least int, disturb func(context.Context) error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- disturb(t.Context()) }()
	created, begun := 0, time.Now()
	for disturbed := true; disturbed || created < least; created++ {
		pod := newPod(namespace, fmt.Sprintf("pod-%d", created), map[string]string{"consume": "rules"}, func(pod *corev1.Pod) {
			pod.Spec.NodeSelector = map[string]string{"podshare.dev/none": ""} // no node has to run it
		})
		require.NoError(t, api.Create(t.Context(), pod))
		require.Equal(t, "true", pod.Labels["podshare.dev/injected"], "pod %d is not injected", created)
		select {
		case err := <-done:
			require.NoError(t, err)
			disturbed = false
		case <-time.After(time.Millisecond):
		}
	}
	took := time.Since(begun)
	t.Logf("%d pods were created and injected in %s: %.0f a second", created, took.Round(time.Second), float64(created)/took.Seconds())
}

// drain evicts podshare's pods from a node, as `kubectl drain` does, and waits until others have taken their place.
func drain(ctx context.Context, node string) error {
	var pods corev1.PodList
	if err := api.List(ctx, &pods, client.InNamespace(system)); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if pod.Spec.NodeName != node {
			continue
		}
		err := within(ctx, limit, func(ctx context.Context) error { // a disruption budget may ask to wait
			eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
			return client.IgnoreNotFound(nodes.PolicyV1().Evictions(pod.Namespace).Evict(ctx, eviction))
		})
		if err != nil {
			return err
		}
	}
	return within(ctx, limit, func(ctx context.Context) error {
		var left corev1.PodList
		if err := api.List(ctx, &left, client.InNamespace(system)); err != nil {
			return err
		}
		for _, pod := range left.Items {
			if pod.Spec.NodeName == node {
				return fmt.Errorf("pod %s is still on node %s", pod.Name, node)
			}
		}
		return isAvailable(ctx)
	})
}

func podsOf(t *testing.T, component string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	require.NoError(t, api.List(t.Context(), &list, client.InNamespace(system), client.MatchingLabels{"app.kubernetes.io/component": component}))
	require.NotEmpty(t, list.Items)
	return list.Items
}

func setUnschedulable(t *testing.T, name string, unschedulable bool) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, unschedulable)
	require.NoError(t, api.Patch(context.Background(), node, client.RawPatch(types.MergePatchType, patch)))
}

// rollAndRenew restarts the webhook, has its certificate issued anew, and restarts it with that one.
func rollAndRenew(ctx context.Context) error {
	before, err := secret(ctx, servingSecret)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		restartWebhook,
		func(ctx context.Context) error { // cert-manager issues a certificate again whose Secret is gone
			return api.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: servingSecret}})
		},
		func(ctx context.Context) error { return awaitOther(ctx, before) },
		restartWebhook,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func TestANewLeaderMakesClaimsAfterTheOldOneIsKilled(t *testing.T) {
	namespace := newNamespace(t)
	var lease coordinationv1.Lease
	require.NoError(t, api.Get(t.Context(), client.ObjectKey{Namespace: system, Name: "podshare-controller"}, &lease))
	holder, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	leader := &corev1.Pod{}
	leader.Namespace, leader.Name = system, holder
	require.NoError(t, api.Delete(t.Context(), leader, client.GracePeriodSeconds(0)))
	requireNewClaimSoon(t, namespace, "rules", "the leader was killed")
	require.NoError(t, within(t.Context(), limit, isAvailable))
}

// requireNewClaimSoon creates a pod that names a new share, and wants its claim within what the controller may take after something was gone.
func requireNewClaimSoon(t *testing.T, namespace, share, since string) {
	t.Helper()
	begun := time.Now()
	create(t, newPod(namespace, "new", map[string]string{"consume": share, "readiness": "none"}))
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		_, err := getClaim(ctx, namespace, share)
		return err
	}))
	took := time.Since(begun)
	t.Logf("the claim of a new share was there %s after %s", took.Round(100*time.Millisecond), since)
	assert.Less(t, took, 20*time.Second)
}

func scale(t *testing.T, name string, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	deployment := &appsv1.Deployment{}
	deployment.Namespace, deployment.Name = system, name
	require.NoError(t, api.Patch(context.Background(), deployment, client.RawPatch(types.MergePatchType, patch)))
	require.NoError(t, within(context.Background(), limit, func(ctx context.Context) error {
		var pods corev1.PodList
		err := api.List(ctx, &pods, client.InNamespace(system), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
		if err == nil && len(pods.Items) > replicas {
			err = fmt.Errorf("%s has %d pods", name, len(pods.Items))
		}
		return err
	}))
}

func scaleBack(t *testing.T, name string) {
	t.Helper()
	scale(t, name, 2)
	require.NoError(t, within(context.Background(), limit, isAvailable))
}

func restartWebhook(ctx context.Context) error { return restart(ctx, "podshare-webhook") }

// restart does what `kubectl rollout restart` does, and waits for its end.
func restart(ctx context.Context, name string) error {
	patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`,
		time.Now().Format(time.RFC3339Nano))
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: name}}
	if err := api.Patch(ctx, deployment, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		return err
	}
	return within(ctx, limit, isAvailable)
}
