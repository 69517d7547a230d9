package controller_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestAPodGetsItsClaims(t *testing.T) {
	start(t)
	namespace := newNamespace(t)
	createPod(t, namespace, "a", "produce", "rules:/data/rules", "consume", "models", "size", "3Gi", "storage-class", "nfs")
	for _, share := range []string{"rules", "models"} {
		claim := awaitClaim(t, namespace, share)
		assert.Equal(t, map[string]string{"app.kubernetes.io/managed-by": "podshare", "podshare.dev/share": share}, claim.Labels)
		assert.Equal(t, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, claim.Spec.AccessModes)
		assert.Equal(t, corev1.PersistentVolumeFilesystem, *claim.Spec.VolumeMode)
		assert.Equal(t, "3Gi", claim.Spec.Resources.Requests.Storage().String())
		assert.Equal(t, "nfs", *claim.Spec.StorageClassName)
		assert.Empty(t, claim.OwnerReferences, "data outlives pods")
	}
}

// TestClaimsAreQuick wants the claims of 200 pods that appear at once within a second of their pod each, at the 99th
// percentile. What it asserts is ten times that: the machine may be busy.
func TestClaimsAreQuick(t *testing.T) {
	start(t)
	namespace := newNamespace(t)
	settle(t, namespace) // the controller's own start is not measured
	const pods = 200
	watcher, err := api.Watch(t.Context(), &corev1.PersistentVolumeClaimList{}, client.InNamespace(namespace))
	require.NoError(t, err)
	defer watcher.Stop()

	created := make([]time.Time, pods)
	var creation errgroup.Group
	creation.SetLimit(20)
	for i := range pods {
		creation.Go(func() error {
			created[i] = time.Now()
			return api.Create(t.Context(), injectedPod(namespace, fmt.Sprint("pod-", i), "consume", fmt.Sprint("share-", i)))
		})
	}
	present := awaitClaims(t, watcher, pods)
	require.NoError(t, creation.Wait())

	waits := make([]time.Duration, pods)
	for i := range pods {
		waits[i] = present[fmt.Sprint("podshare-share-", i)].Sub(created[i])
	}
	slices.Sort(waits)
	p99 := waits[pods*99/100]
	t.Logf("from the request for a pod to its claim, %d pods at once: p50 %v, p99 %v, maximum %v",
		pods, waits[pods/2], p99, waits[pods-1])
	assert.Less(t, p99, 10*time.Second)
}

// awaitClaims returns when each claim appeared, as a watcher sees it.
func awaitClaims(t *testing.T, watcher watch.Interface, count int) map[string]time.Time {
	t.Helper()
	present := map[string]time.Time{}
	timeout := time.After(2 * limit)
	for len(present) < count {
		select {
		case event := <-watcher.ResultChan():
			claim, ok := event.Object.(*corev1.PersistentVolumeClaim)
			if ok && event.Type == watch.Added && claim.Name != "podshare-last" {
				present[claim.Name] = time.Now()
			}
		case <-timeout:
			require.FailNow(t, "claims are missing", "%d of %d are there", len(present), count)
		}
	}
	return present
}

func TestPodsThatGetNoClaim(t *testing.T) {
	start(t)
	namespace := newNamespace(t)

	require.NoError(t, api.Create(t.Context(), injectedPod(namespace, "dry", "consume", "dry-run"), client.DryRunAll))

	plain := injectedPod(namespace, "plain", "consume", "not-injected")
	plain.Labels = nil
	require.NoError(t, api.Create(t.Context(), plain))

	settle(t, namespace)
	assert.Equal(t, []string{"podshare-last"}, claimNames(t, namespace))
}

func TestPodsThatHaveEndedGetNoClaim(t *testing.T) {
	namespace := newNamespace(t)
	for name, phase := range map[string]corev1.PodPhase{"succeeded": corev1.PodSucceeded, "failed": corev1.PodFailed} {
		pod := createPod(t, namespace, name, "consume", name)
		pod.Status.Phase = phase
		require.NoError(t, api.Status().Update(t.Context(), pod))
	}
	leaving := injectedPod(namespace, "leaving", "consume", "leaving")
	leaving.Finalizers = []string{"example.com/held"}
	require.NoError(t, api.Create(t.Context(), leaving))
	require.NoError(t, api.Delete(t.Context(), leaving))
	t.Cleanup(func() { release(t, leaving) })

	start(t)
	settle(t, namespace)
	assert.Equal(t, []string{"podshare-last"}, claimNames(t, namespace))
}

func TestAMistakeInAnnotationsIsTold(t *testing.T) {
	start(t)
	namespace := newNamespace(t)
	pod := createPod(t, namespace, "a", "consume", "rules", "size", "lots")
	assert.Equal(t, `podshare makes no claims for this pod: metadata.annotations[podshare.dev/size]: Invalid value: "lots": `+
		`must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"`, awaitEvent(t, pod, "InvalidAnnotations"))
	settle(t, namespace)
	assert.Equal(t, []string{"podshare-last"}, claimNames(t, namespace))
}

func TestAPodThatNamesAnotherShareLaterGetsItsClaim(t *testing.T) {
	start(t)
	namespace := newNamespace(t)
	pod := createPod(t, namespace, "a", "consume", "rules")
	awaitClaim(t, namespace, "rules")
	before := pod.DeepCopy()
	pod.Annotations["podshare.dev/consume"] = "rules,models"
	require.NoError(t, api.Patch(t.Context(), pod, client.MergeFrom(before)))
	awaitClaim(t, namespace, "models")
}
