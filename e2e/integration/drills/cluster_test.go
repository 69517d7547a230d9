package drills_test

import (
	"context"
	"flag"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var outage = flag.Duration("outage", 20*time.Second, "how long the controller is cut off from the API server: longer than its lease")

func TestTheControllerIsCutOff(t *testing.T) {
	apiServer.cut()
	share := newShare()
	begun := time.Now()
	require.NoError(t, api.Create(t.Context(), newPod(share)), "annotated pods are the webhook's, and it does not need the controller")
	requireUnhurt(t)
	select {
	case <-podshare.Controller.Ended():
		require.FailNow(t, "the controller ended with its lease")
	case <-time.After(time.Until(begun.Add(*outage))):
	}
	require.Error(t, hasClaim(share)(t.Context()), "nobody was there to make it")
	apiServer.mend()
	requireClaim(t, share, "the controller could reach the API server again")
	requireSameController(t)
}

// requireSameController wants the process that was started to run still: in a cluster, the kubelet takes its time to start another.
func requireSameController(t *testing.T) {
	t.Helper()
	select {
	case <-podshare.Controller.Ended():
		require.FailNow(t, "the controller ended")
	default:
	}
}

func TestTheAPIServerIsRestarted(t *testing.T) {
	require.NoError(t, kubernetes.RestartAPIServer(t.Context()))
	share := newShare()
	require.NoError(t, api.Create(t.Context(), newPod(share)), "the webhook goes on as it was")
	requireUnhurt(t)
	requireClaim(t, share, "the API server was back")
	requireSameController(t)
}

func TestEtcdIsSlow(t *testing.T) {
	etcd, stop := kubernetes.Etcd(), make(chan struct{})
	stopped := make(chan error)
	go func() { stopped <- slowDown(etcd.Signal, stop) }()
	shares := make([]string, 10)
	for i := range shares {
		shares[i] = newShare()
		require.NoError(t, api.Create(t.Context(), newPod(shares[i])))
	}
	requireUnhurt(t)
	for _, share := range shares {
		requireClaim(t, share, "etcd was slow")
	}
	close(stop)
	require.NoError(t, <-stopped)
}

// slowDown lets a process run for a fifth of the time.
func slowDown(signal func(syscall.Signal) error, stop <-chan struct{}) error {
	for {
		if err := signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(80 * time.Millisecond)
		if err := signal(syscall.SIGCONT); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestAllOfPodshareIsGone(t *testing.T) {
	killWebhook(t)
	require.NoError(t, podshare.Controller.Signal(syscall.SIGKILL))
	<-podshare.Controller.Ended()
	requireUnhurt(t)
	requireRefused(t, "connection refused")
	startWebhook(t)
	startController(t)
	share := newShare()
	require.NoError(t, api.Create(t.Context(), newPod(share)))
	requireClaim(t, share, "podshare was started again")
}

func startController(t *testing.T) {
	t.Helper()
	require.NoError(t, podshare.StartController(t.Context(), apiServer.url))
}

// requireClaim waits for a share's claim, of which there is one.
func requireClaim(t *testing.T, share, since string) {
	t.Helper()
	begun := time.Now()
	require.NoError(t, within(t.Context(), hasClaim(share)))
	took := time.Since(begun)
	t.Logf("the claim was there %s after %s", took.Round(time.Millisecond), since)
	assert.Less(t, took, claimLimit)
	var claims corev1.PersistentVolumeClaimList
	labels := client.MatchingLabels{"podshare.dev/share": share}
	require.NoError(t, api.List(context.Background(), &claims, labels))
	assert.Len(t, claims.Items, 1, share)
}
