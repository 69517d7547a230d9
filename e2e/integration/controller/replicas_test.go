package controller_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/retry"
	"github.com/podshare/podshare/pkg/controller"
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

func TestAReplicaThatLostTheLeaseWaitsForIt(t *testing.T) {
	setHolder(t, "", time.Second)
	namespace := newNamespace(t)
	replica := start(t, withLease)
	holder := awaitHolder(t, "")
	createPod(t, namespace, "a", "consume", "before")
	awaitClaim(t, namespace, "before")

	setHolder(t, "thief", time.Minute)
	replica.awaitLog(t, lostLease)
	createPod(t, namespace, "b", "consume", "meanwhile")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.InDelta(c, 1, replica.metric(t, "podshare_pods", namespace, "consumer", "meanwhile"), 0)
	}, limit, tick, "it knows of the pod")
	assert.Equal(t, []string{"podshare-before"}, claimNames(t, namespace), "and changes nothing")

	setHolder(t, "", time.Second)
	awaitClaim(t, namespace, "meanwhile")
	assert.Equal(t, holder, awaitHolder(t, ""), "a process has one identity")
	replica.stop(t)
}

// TestAllReplicasAreCutOffForLongerThanTheLease measures what is told in docs/platform.md: claims some seconds after the end of an outage,
// without a process that was started again.
func TestAllReplicasAreCutOffForLongerThanTheLease(t *testing.T) {
	const claimLimit = 15 * time.Second // twice what it takes at most
	setHolder(t, "", time.Second)
	namespace, line := newNamespace(t), &line{}
	cuttable := func(o *controller.Options) { o.REST.Dial = line.dial }
	leader := start(t, withLease, cuttable)
	awaitHolder(t, "")
	standby := start(t, withLease, cuttable)
	createPod(t, namespace, "a", "consume", "before")
	awaitClaim(t, namespace, "before")

	line.cut()
	leader.awaitLog(t, lostLease)
	createPod(t, namespace, "b", "consume", "meanwhile")
	require.NoError(t, awaitExpiry(t.Context()))
	assert.Equal(t, []string{"podshare-before"}, claimNames(t, namespace))

	line.mend()
	begun := time.Now()
	awaitClaim(t, namespace, "meanwhile")
	took := time.Since(begun)
	t.Logf("the claim was there %s after the outage", took.Round(time.Millisecond))
	assert.Less(t, took, claimLimit)
	for _, replica := range []*running{leader, standby} {
		require.Empty(t, replica.ended, "it runs still")
		replica.stop(t)
	}
}

// lostLease is what a leader logs.
const lostLease = "lost the lease"

// awaitExpiry waits until a standby may take the lease.
func awaitExpiry(ctx context.Context) error {
	return retry.Within(ctx, limit, tick, func(ctx context.Context) error {
		var lease coordinationv1.Lease
		if err := api.Get(ctx, leaseKey, &lease); err != nil {
			return err
		}
		expiry := lease.Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second)
		if time.Now().Before(expiry) {
			return fmt.Errorf("the lease is valid until %s", expiry)
		}
		return nil
	})
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
