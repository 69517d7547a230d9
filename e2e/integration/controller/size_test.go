package controller_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAClaimGrows(t *testing.T) {
	createClass(t, "grows", new(true))
	start(t)
	namespace := newNamespace(t)
	small := createPod(t, namespace, "small", "consume", "rules", "size", "1Gi", "storage-class", "grows")
	claim := awaitClaim(t, namespace, "rules")

	large := createPod(t, namespace, "large", "produce", "rules", "size", "5Gi")
	assert.Equal(t, `pods ask for 5Gi of the share "rules"; claim "podshare-rules" requests 1Gi and grows once it is bound`,
		awaitEvent(t, large, "ClaimNotYetBound"))
	assert.Equal(t, `other pods ask for more of the share "rules"; the largest size, 5Gi, counts`,
		awaitEvent(t, small, "SizesDiffer"))

	setPhase(t, claim, corev1.ClaimBound)
	awaitClaim(t, namespace, "rules", sized("5Gi"))
	const grown = `pods ask for 5Gi of the share "rules"; claim "podshare-rules" requests it now, instead of 1Gi`
	assert.Equal(t, grown, awaitEvent(t, claim, "ClaimGrows"))
	assert.Equal(t, grown, awaitEvent(t, large, "ClaimGrows"))
}

func TestAClaimThatCannotGrow(t *testing.T) {
	createClass(t, "fixed", nil)
	start(t)
	namespace := newNamespace(t)
	createPod(t, namespace, "small", "consume", "rules", "storage-class", "fixed")
	claim := awaitClaim(t, namespace, "rules")
	setPhase(t, claim, corev1.ClaimBound)

	large := createPod(t, namespace, "large", "produce", "rules", "size", "5Gi")
	const text = `pods ask for 5Gi of the share "rules"; claim "podshare-rules" requests 1Gi and cannot grow: ` +
		`StorageClass "fixed" does not allow volume expansion`
	assert.Equal(t, text, awaitEvent(t, large, "ClaimCannotGrow"))
	assert.Equal(t, text, awaitEvent(t, claim, "ClaimCannotGrow"))
	awaitClaim(t, namespace, "rules", sized("1Gi"))
}

func TestASmallerSizeChangesNothing(t *testing.T) {
	createClass(t, "shrinks", new(true))
	start(t)
	namespace := newNamespace(t)
	createPod(t, namespace, "a", "consume", "rules", "storage-class", "shrinks")
	setPhase(t, awaitClaim(t, namespace, "rules"), corev1.ClaimBound)
	smaller := createPod(t, namespace, "b", "consume", "rules", "size", "10Mi")
	settle(t, namespace)
	awaitClaim(t, namespace, "rules", sized("1Gi"))
	assert.Empty(t, eventsOn(t, smaller, "SizesDiffer"))
}

func TestPodsThatAskForDifferentThings(t *testing.T) {
	namespace := newNamespace(t) // both pods are there before the controller is: it decides once, for both
	createPod(t, namespace, "a", "produce", "rules", "size", "1Gi", "storage-class", "slow")
	other := createPod(t, namespace, "b", "consume", "rules", "size", "2Gi", "storage-class", "fast")
	start(t)
	claim := awaitClaim(t, namespace, "rules", sized("2Gi"))
	assert.Equal(t, "slow", *claim.Spec.StorageClassName)
	assert.Equal(t, `podshare.dev/storage-class asks for StorageClass "fast"; claim "podshare-rules" has "slow", `+
		`and a claim keeps its class`, awaitEvent(t, other, "StorageClassDiffers"))
}

func createClass(t *testing.T, name string, expands *bool) {
	t.Helper()
	class := &storagev1.StorageClass{
		ObjectMeta:           metav1.ObjectMeta{Name: name},
		Provisioner:          "example.com/none",
		AllowVolumeExpansion: expands,
	}
	require.NoError(t, api.Create(t.Context(), class))
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), class)) })
}
