package suite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/command"
)

// The tests of this file disturb the cluster itself, so none of them runs beside another one.

func TestSharesAndPodshareOutliveARestartOfTheAPIServer(t *testing.T) {
	namespace := newNamespace(t)
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	consumer := newPod(namespace, "consumer", map[string]string{"consume": "rules"}, runs(following))
	create(t, producer, consumer)
	awaitReady(t, producer, consumer)
	publish(t, producer, "rules", 1)
	awaitLog(t, consumer, "app", "price 1")

	before := apiServerStart(t)
	require.NotEmpty(t, before)
	disturb(t, "restart-api-server")
	require.NoError(t, within(t.Context(), limit, func(context.Context) error {
		if now := apiServerStart(t); now == "" || now == before {
			return errors.New("the API server is the same, or does not answer")
		}
		return nil
	}))
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error { // by its Service, which nodes find again at their own pace
		_, err := tryToExecute(ctx, consumer, "app", "python3", "-c",
			"import os, socket; socket.create_connection((os.environ['KUBERNETES_SERVICE_HOST'], os.environ['KUBERNETES_SERVICE_PORT']), timeout=1)")
		return err
	}))
	requireNewClaimSoon(t, namespace, "more", "pods could reach the API server again")
	publish(t, producer, "rules", 2)
	awaitLog(t, consumer, "app", "price 2")
	for _, pod := range []*corev1.Pod{producer, consumer} {
		require.NoError(t, isReady(t.Context(), pod))
		for _, status := range pod.Status.ContainerStatuses {
			assert.Zero(t, status.RestartCount, "%s in %s", status.Name, pod.Name)
		}
	}
	require.NoError(t, within(t.Context(), limit, isAvailable))
}

var startTime = regexp.MustCompile(`(?m)^process_start_time_seconds (\S+)$`)

// apiServerStart is when the API server was started, as it says itself; "" while it does not answer.
func apiServerStart(t *testing.T) string {
	t.Helper()
	metrics, err := nodes.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if found := startTime.FindSubmatch(metrics); err == nil && found != nil {
		return string(found[1])
	}
	return ""
}

func TestTheConsumersOfAWorkerThatStopsMoveAndImportTheSame(t *testing.T) {
	workers := schedulable(t)
	if len(workers) < 2 {
		t.Skip("the cluster has one node that takes pods: nothing can move")
	}
	namespace, stopped := newNamespace(t), workers[0]
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"}, on(workers[1]))
	create(t, producer)
	awaitReady(t, producer)
	publish(t, producer, "rules", 7)
	pod := newPod(namespace, "consumer", map[string]string{"consume": "rules", "await": "rules/pricing.py"}, runs(following), prefers(stopped), leavesAtOnce)
	createDeployment(t, pod)
	first := awaitOn(t, namespace, func(node string) bool { return node == stopped })

	disturb(t, "stop-node", stopped)
	begun := time.Now()
	t.Cleanup(func() { startNode(t, stopped) })
	moved := awaitOn(t, namespace, func(node string) bool { return node != stopped })
	t.Logf("a consumer was ready on another node %s after its own was stopped", time.Since(begun).Round(time.Second))
	assert.NotEqual(t, first.UID, moved.UID)
	awaitLog(t, moved, "app", "price 7")
}

// prefers a node to all others.
func prefers(node string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
				Weight: 100,
				Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
				}}},
			}},
		}}
	}
}

// leavesAtOnce makes a pod leave a node that is gone without the five minutes that Kubernetes waits by default.
func leavesAtOnce(pod *corev1.Pod) {
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
			Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(1)),
		})
	}
}

// awaitOn waits until a pod of the Deployment consumer is ready on a node.
func awaitOn(t *testing.T, namespace string, wanted func(node string) bool) (ready *corev1.Pod) {
	t.Helper()
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := api.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": "consumer"}); err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp == nil && wanted(pod.Spec.NodeName) && isReady(ctx, &pod) == nil {
				ready = &pod
				return nil
			}
		}
		return fmt.Errorf("none of the %d pods of the consumer is ready there", len(pods.Items))
	}))
	return ready
}

// startNode brings a node back, and waits until podshare is whole.
func startNode(t *testing.T, name string) {
	t.Helper()
	disturb(t, "start-node", name)
	require.NoError(t, within(context.Background(), limit, func(ctx context.Context) error {
		var node corev1.Node
		if err := api.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return err
		}
		if taints := node.Spec.Taints; len(taints) > 0 {
			return fmt.Errorf("node %s has the taint %s", name, taints[0].Key)
		}
		return isAvailable(ctx)
	}))
}

// disturb has the program of DISTURB do something to the cluster.
func disturb(t *testing.T, how ...string) {
	t.Helper()
	program := os.Getenv("DISTURB")
	if program == "" {
		t.Skipf("without DISTURB, nothing here can %s", how[0])
	}
	require.NoError(t, command.Run(context.Background(), nil, program, how...))
}
