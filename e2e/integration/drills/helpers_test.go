package drills_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/retry"
)

const (
	// limit bounds every wait: many times what it takes.
	limit = time.Minute
	tick  = 50 * time.Millisecond
	// claimLimit is what a claim may take when something of podshare's was gone.
	claimLimit = 20 * time.Second
)

// within tries something until it succeeds, and returns the last error when the time is up.
func within(ctx context.Context, try func(context.Context) error) error {
	return retry.Within(ctx, limit, tick, try)
}

var names atomic.Int64

// newPod is a pod of a name of its own that no node has to run. With a share it asks for that.
func newPod(share string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("pod-%d", names.Add(1))},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop/app"}}},
	}
	if share != "" {
		pod.Annotations = map[string]string{"podshare.dev/consume": share}
	}
	return pod
}

// newShare is a name that no other pod uses.
func newShare() string { return fmt.Sprintf("share-%d", names.Add(1)) }

// isWhole says what is missing for an annotated pod to be injected.
func isWhole(ctx context.Context) error {
	pod := newPod("probe")
	if err := api.Create(ctx, pod, client.DryRunAll); err != nil {
		return err
	}
	if pod.Labels["podshare.dev/injected"] != "true" {
		return errors.New("an annotated pod was accepted without its share")
	}
	return nil
}

func hasClaim(share string) func(context.Context) error {
	return func(ctx context.Context) error {
		return api.Get(ctx, client.ObjectKey{Namespace: "default", Name: "podshare-" + share}, &corev1.PersistentVolumeClaim{})
	}
}

// requireUnhurt creates pods without annotations, and says how long the slowest took.
func requireUnhurt(t *testing.T) {
	t.Helper()
	var slowest time.Duration
	for range 20 {
		begun := time.Now()
		require.NoError(t, api.Create(t.Context(), newPod("")), "a pod without annotations")
		slowest = max(slowest, time.Since(begun))
	}
	t.Logf("20 pods without annotations were created, the slowest in %s", slowest.Round(time.Millisecond))
}

// requireRefused creates an annotated pod, and wants no for an answer within the webhook's timeout and half a second.
func requireRefused(t *testing.T, why string) {
	t.Helper()
	const timeout = 3 * time.Second // manifests/base/mutating-webhook.yaml
	begun := time.Now()
	err := api.Create(t.Context(), newPod("rules"))
	took := time.Since(begun)
	require.ErrorContains(t, err, `failed calling webhook "pods.podshare.dev"`)
	require.ErrorContains(t, err, why)
	require.Less(t, took, timeout+500*time.Millisecond)
	t.Logf("an annotated pod was refused after %s", took.Round(time.Millisecond))
}
