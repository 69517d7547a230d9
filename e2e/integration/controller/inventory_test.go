package controller_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/controller"
)

func TestTheInventory(t *testing.T) {
	running := start(t)
	namespace := newNamespace(t)
	createPod(t, namespace, "a", "produce", "rules", "storage-class", "fast")
	pod := createPod(t, namespace, "b", "consume", "rules,old")
	claim := awaitClaim(t, namespace, "rules")
	awaitClaim(t, namespace, "old")
	unused := running.metric(t, "podshare_shares_unused")

	before := claim.DeepCopy()
	claim.Status = corev1.PersistentVolumeClaimStatus{
		Phase: corev1.ClaimBound, Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")},
	}
	require.NoError(t, api.Status().Patch(t.Context(), claim, client.MergeFrom(before)))
	require.NoError(t, api.Delete(t.Context(), pod))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.InDelta(c, unused+1, running.metric(t, "podshare_shares_unused"), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_pods", namespace, "producer", "rules"), 0)
		assert.InDelta(c, 0, running.metric(t, "podshare_pods", namespace, "consumer", "rules"), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_claim_info", namespace, "podshare-rules", "rules", "fast"), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_claim_info", namespace, "podshare-old", "old", ""), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_claim_status_phase", namespace, "podshare-rules", "Bound", "rules"), 0)
		assert.InDelta(c, 1, running.metric(t, "podshare_claim_status_phase", namespace, "podshare-old", "Pending", "old"), 0)
		assert.InDelta(c, 2<<30, running.metric(t, "podshare_claim_capacity_bytes", namespace, "podshare-rules", "rules"), 0)
		assert.Positive(c, running.metric(t, "podshare_claims", "Bound"))
		assert.Positive(c, running.metric(t, "podshare_claims", "Pending"))
	}, limit, tick)
}

func TestPodsThatWaitAreCounted(t *testing.T) {
	namespace := newNamespace(t)
	mine := claim(namespace, func(c *corev1.PersistentVolumeClaim) {
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	})
	require.NoError(t, api.Create(t.Context(), mine))
	createPod(t, namespace, "a", "produce", "rules")
	pod := createPod(t, namespace, "b", "consume", "rules")
	running := start(t, withLease)
	requireWaiting := func(want float64, why string) {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.InDelta(c, want, running.metric(t, "podshare_pods_waiting", namespace, "ClaimNotReadWriteMany", "rules"), 0)
		}, limit, tick, why)
	}
	requireWaiting(2, "the claim is somebody's, and no share")
	require.NoError(t, api.Delete(t.Context(), pod))
	requireWaiting(1, "one of them is gone")

	setHolder(t, "thief", time.Minute)
	running.awaitLog(t, lostLease)
	requireWaiting(0, "a replica that does not lead knows nothing")
	setHolder(t, "", time.Second)
	requireWaiting(1, "it leads again")

	mine.Finalizers = nil
	require.NoError(t, api.Update(t.Context(), mine)) // nobody runs here that would see that no pod mounts it
	require.NoError(t, client.IgnoreNotFound(api.Delete(t.Context(), mine)))
	createPod(t, namespace, "c", "consume", "rules")
	awaitClaim(t, namespace, "rules", notThe(mine))
	requireWaiting(0, "they have a claim")
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
