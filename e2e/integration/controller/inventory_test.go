package controller_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/podshare/podshare/pkg/controller"
)

func TestTheInventory(t *testing.T) {
	running := start(t)
	namespace := newNamespace(t)
	createPod(t, namespace, "a", "produce", "rules")
	pod := createPod(t, namespace, "b", "consume", "rules,old")
	claim := awaitClaim(t, namespace, "rules")
	awaitClaim(t, namespace, "old")
	unused := running.metric(t, "podshare_shares_unused")

	setPhase(t, claim, corev1.ClaimBound)
	require.NoError(t, api.Delete(t.Context(), pod))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.InDelta(c, unused+1, running.metric(t, "podshare_shares_unused"), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_pods", namespace, "producer", "rules"), 0)
		assert.InDelta(c, 0, running.metric(t, "podshare_pods", namespace, "consumer", "rules"), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_claim_info", namespace, "podshare-rules", "rules"), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_claim_info", namespace, "podshare-old", "old"), 0)
		assert.Positive(c, running.metric(t, "podshare_claims", "Bound"))
		assert.Positive(c, running.metric(t, "podshare_claims", "Pending"))
	}, limit, tick)
}

// metric is the value of a series, whose labels' values are in the order of the labels' names. 0 when there is none.
func (r *running) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, series := range family.GetMetric() {
			var values []string
			for _, pair := range series.GetLabel() {
				values = append(values, pair.GetValue())
			}
			if family.GetName() == name && assert.ObjectsAreEqual(labels, values) {
				return series.GetGauge().GetValue() + series.GetCounter().GetValue() // it is one of them
			}
		}
	}
	return 0
}

func TestProbesAndMetricsAreServedOnOneAddress(t *testing.T) {
	address := freeAddress(t)
	start(t, func(o *controller.Options) { o.MetricsAddress = address })
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/metrics": "workqueue_depth"} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			response, err := http.Get(fmt.Sprintf("http://%s%s", address, path))
			require.NoError(c, err)
			defer response.Body.Close() //nolint:errcheck // it is read to its end
			body, err := io.ReadAll(response.Body)
			require.NoError(c, err)
			assert.Equal(c, http.StatusOK, response.StatusCode)
			assert.Contains(c, string(body), want)
		}, limit, tick, path)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() //nolint:errcheck // it only found a port
	return listener.Addr().String()
}
