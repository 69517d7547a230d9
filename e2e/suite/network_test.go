package suite_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestNetworkPoliciesOpenMetricsToLabelledNamespacesOnly needs a network plugin that enforces them.
func TestNetworkPoliciesOpenMetricsToLabelledNamespacesOnly(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	caller := newPod(namespace, "caller", nil)
	server := newPod(namespace, "server", nil, runs(serving))
	create(t, caller, server)
	awaitReady(t, caller, server)
	require.NoError(t, within(t.Context(), limit, func(context.Context) error { return reach(t, caller, server.Status.PodIP, 8080) }))
	create(t, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "closed"}, Spec: networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, // of every pod, from nobody
	}})
	if !becomesUnreachable(t, caller, server.Status.PodIP) {
		t.Skip("the network plugin does not enforce NetworkPolicies")
	}

	for component, port := range map[string]int{"webhook": 9443, "controller": 0} {
		for _, pod := range podsOf(t, component) {
			if port > 0 {
				assert.NoError(t, reach(t, caller, pod.Status.PodIP, port), "an API server may be anywhere")
			}
			assert.Error(t, reach(t, caller, pod.Status.PodIP, 8080), "the metrics of %s", pod.Name)
		}
	}
	labelled := &corev1.Namespace{}
	labelled.Name = namespace
	require.NoError(t, api.Patch(t.Context(), labelled, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"podshare.dev/metrics":"true"}}}`))))
	for _, component := range []string{"webhook", "controller"} {
		for _, pod := range podsOf(t, component) {
			assert.NoError(t, within(t.Context(), limit, func(context.Context) error { return reach(t, caller, pod.Status.PodIP, 8080) }))
		}
	}
}

const serving = `import http.server
http.server.HTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()`

// becomesUnreachable gives a network plugin the time to do what a policy says.
func becomesUnreachable(t *testing.T, caller *corev1.Pod, address string) bool {
	t.Helper()
	const patience = 10 * time.Second
	return within(t.Context(), patience, func(context.Context) error {
		if reach(t, caller, address, 8080) == nil {
			return errors.New("it is reached")
		}
		return nil
	}) == nil
}

// reach opens a connection from a pod.
func reach(t *testing.T, caller *corev1.Pod, address string, port int) error {
	t.Helper()
	said := must(t, caller, fmt.Sprintf(`import socket
try:
    socket.create_connection(("%s", %d), timeout=2).close()
    print("reached")
except OSError as e:
    print(e)`, address, port))
	if said != "reached" {
		return errors.New(said)
	}
	return nil
}
