package controller_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestARestartMissesNothing(t *testing.T) {
	namespace := newNamespace(t)
	first := start(t)
	createPod(t, namespace, "a", "consume", "before")
	awaitClaim(t, namespace, "before")
	first.stop(t)

	createPod(t, namespace, "b", "consume", "meanwhile")
	start(t)
	awaitClaim(t, namespace, "meanwhile")
}

func TestOfTwoReplicasTheOtherTakesOver(t *testing.T) {
	namespace := newNamespace(t)
	first := start(t, withLease)
	holder := awaitHolder(t, "")
	second := start(t, withLease)
	createPod(t, namespace, "a", "consume", "before")
	awaitClaim(t, namespace, "before")

	first.stop(t) // it gives the lease up, so nobody waits until it runs out
	awaitHolder(t, holder)
	createPod(t, namespace, "b", "consume", "after")
	awaitClaim(t, namespace, "after")
	second.stop(t)
}

// TestAReplicaThatDoesNotLead has a leader that died holding the lease.
func TestAReplicaThatDoesNotLead(t *testing.T) {
	namespace := newNamespace(t)
	createPod(t, namespace, "a", "produce", "rules")
	createPod(t, namespace, "b", "consume", "rules")
	setHolder(t, "dead", 6*time.Second)

	standby := start(t, withLease)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.InDelta(c, 1, standby.metric(t, "podshare_pods", namespace, "consumer", "rules"), 0)
	}, limit, tick, "it reports what there is")
	assert.InDelta(t, 1, standby.metric(t, "podshare_pods", namespace, "producer", "rules"), 0)
	assert.Empty(t, claimNames(t, namespace), "and changes nothing")

	awaitClaim(t, namespace, "rules") // until the lease has run out
}

func TestALostLeaseEndsTheController(t *testing.T) {
	setHolder(t, "", time.Second)
	r := start(t, withLease)
	awaitHolder(t, "")
	setHolder(t, "thief", time.Minute)
	select {
	case err := <-r.ended:
		assert.EqualError(t, err, "the controller stopped: leader election lost")
		r.cancel()
		r.cancel = nil
	case <-time.After(limit):
		assert.Fail(t, "it still runs")
	}
	setHolder(t, "", time.Second)
}

// awaitHolder waits until somebody else than a former holder has the lease.
func awaitHolder(t *testing.T, former string) string {
	t.Helper()
	var lease coordinationv1.Lease
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(t.Context(), leaseKey, &lease))
		require.NotNil(c, lease.Spec.HolderIdentity)
		require.NotContains(c, []string{"", former}, *lease.Spec.HolderIdentity)
	}, limit, tick)
	return *lease.Spec.HolderIdentity
}

var leaseKey = client.ObjectKey{Namespace: "podshare-system", Name: "podshare-controller"}

// setHolder writes the lease as a replica would that has just renewed it.
func setHolder(t *testing.T, holder string, duration time.Duration) {
	t.Helper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: leaseKey.Namespace, Name: leaseKey.Name}}
	require.NoError(t, client.IgnoreNotFound(api.Delete(t.Context(), lease)))
	now := metav1.NowMicro()
	lease.ResourceVersion = ""
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: &holder, LeaseDurationSeconds: new(int32(duration.Seconds())), AcquireTime: &now, RenewTime: &now,
	}
	require.NoError(t, api.Create(t.Context(), lease))
}
