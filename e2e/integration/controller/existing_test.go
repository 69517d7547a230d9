package controller_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestAClaimOfSomebodyElse(t *testing.T) {
	start(t)
	const remedy = "podshare leaves it as it is: delete it to get one from podshare, or choose another name for the share"
	for name, test := range map[string]struct {
		change func(*corev1.PersistentVolumeClaim)
		reason string
		text   string
	}{
		"ReadWriteMany: it is the share": {func(*corev1.PersistentVolumeClaim) {}, "", ""},
		"ReadWriteOnce: it is left and told": {
			func(c *corev1.PersistentVolumeClaim) {
				c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
			},
			"ClaimNotReadWriteMany",
			`claim "podshare-rules" has the access modes [ReadWriteOnce], and a share needs ReadWriteMany; ` + remedy,
		},
		"a block device: it is left and told": {
			func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeMode = new(corev1.PersistentVolumeBlock) },
			"ClaimNotFilesystem",
			`claim "podshare-rules" has the volume mode Block, and a share needs Filesystem; ` + remedy,
		},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			theirs := claim(namespace, test.change)
			require.NoError(t, api.Create(t.Context(), theirs))
			pod := createPod(t, namespace, "a", "consume", "rules")
			if test.reason != "" {
				assert.Equal(t, test.text, awaitEvent(t, pod, test.reason))
				assert.Equal(t, test.text, awaitEvent(t, theirs, test.reason))
			}
			settle(t, namespace)
			left := awaitClaim(t, namespace, "rules")
			assert.Equal(t, theirs, left, "nothing about it has changed")
		})
	}
}

const lost = `claim "podshare-rules" was deleted while pods used it, and the data was lost with it (a volume with reclaim ` +
	`policy Retain still has it); the claim that took its place is new`

func TestAClaimIsDeletedUnderRunningPods(t *testing.T) {
	start(t)
	namespace := newNamespace(t)
	pod := createPod(t, namespace, "a", "consume", "rules")
	first := awaitClaim(t, namespace, "rules")
	settle(t, namespace)

	// The API server holds a claim until Kubernetes' controllers say that no pod uses it.
	require.NoError(t, api.Delete(t.Context(), first))
	const ending = `claim "podshare-rules" is being deleted; when it is gone, which takes until no pod mounts it, podshare ` +
		`creates an empty one for the pods that still name the share`
	assert.Equal(t, ending, awaitEvent(t, pod, "ClaimTerminating"))
	assert.Equal(t, ending, awaitEvent(t, first, "ClaimTerminating"))

	release(t, first)
	second := awaitClaim(t, namespace, "rules", notThe(first))
	assert.Equal(t, lost, awaitEvent(t, pod, "ClaimReplaced"))
	assert.Equal(t, lost, awaitEvent(t, second, "ClaimReplaced"))
}

// TestAClaimGoesWithItsLastPod has what happens to a StatefulSet: the pod ends, the claim with it, and then comes the
// next pod.
func TestAClaimGoesWithItsLastPod(t *testing.T) {
	start(t)
	namespace := newNamespace(t)
	pod := createPod(t, namespace, "a", "consume", "rules")
	first := awaitClaim(t, namespace, "rules")
	settle(t, namespace)
	require.NoError(t, api.Delete(t.Context(), first))
	awaitEvent(t, pod, "ClaimTerminating")
	require.NoError(t, api.Delete(t.Context(), pod))
	release(t, first)

	next := createPod(t, namespace, "a", "consume", "rules")
	second := awaitClaim(t, namespace, "rules")
	assert.Equal(t, lost, awaitEvent(t, next, "ClaimReplaced"))
	assert.Equal(t, lost, awaitEvent(t, second, "ClaimReplaced"))
}

func TestClaimsOutlivePods(t *testing.T) {
	start(t)
	namespace := newNamespace(t)
	pod := createPod(t, namespace, "a", "consume", "rules")
	first := awaitClaim(t, namespace, "rules")
	require.NoError(t, api.Delete(t.Context(), pod))
	settle(t, namespace) // which the controller does after it saw that the pod is gone
	assert.Equal(t, first.UID, awaitClaim(t, namespace, "rules").UID)

	// Deleted while nobody uses it: the next pod gets a new claim, and nothing is said of lost data.
	require.NoError(t, api.Delete(t.Context(), first))
	release(t, first)
	next := createPod(t, namespace, "b", "consume", "rules")
	awaitClaim(t, namespace, "rules", notThe(first))
	assert.Empty(t, eventsOn(t, next, "ClaimReplaced"))
}

// release lets go of an object that is being deleted, as Kubernetes' controllers would.
func release(t *testing.T, object client.Object) {
	t.Helper()
	ctx := context.Background() // also after the test
	require.NoError(t, api.Get(ctx, client.ObjectKeyFromObject(object), object))
	object.SetFinalizers(nil)
	require.NoError(t, client.IgnoreNotFound(api.Update(ctx, object)))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		current := object.DeepCopyObject().(client.Object)
		err := api.Get(ctx, client.ObjectKeyFromObject(object), current)
		require.True(c, apierrors.IsNotFound(err) || err == nil && current.GetUID() != object.GetUID(), "it is still there")
	}, limit, tick)
}
