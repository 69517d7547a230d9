package suite_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newClaim is one that somebody else makes under a share's name.
func newClaim(namespace, share string, mode corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "podshare-" + share},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{mode},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}
	if storageClass != "" {
		claim.Spec.StorageClassName = &storageClass
	}
	return claim
}

func TestAClaimOfSomebodyElsesIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	claim := newClaim(namespace, "rules", corev1.ReadWriteMany)
	pod := newPod(namespace, "consumer", map[string]string{"consume": "rules", "size": "2Gi"})
	create(t, claim, pod)
	awaitReady(t, pod)
	now, err := getClaim(t.Context(), namespace, "rules")
	require.NoError(t, err)
	assert.Equal(t, claim.UID, now.UID)
	assert.Equal(t, claim.Labels, now.Labels)
	assert.Equal(t, claim.Spec.Resources, now.Spec.Resources)
}

func TestAClaimThatIsNotReadWriteManyIsToldOf(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	claim := newClaim(namespace, "rules", corev1.ReadWriteOnce)
	pod := newPod(namespace, "consumer", map[string]string{"consume": "rules"})
	create(t, claim, pod)
	for _, object := range []client.Object{claim, pod} {
		awaitEvent(t, object, "ClaimNotReadWriteMany: ")
	}
	now, err := getClaim(t.Context(), namespace, "rules")
	require.NoError(t, err)
	assert.Equal(t, claim.Spec.AccessModes, now.Spec.AccessModes)
}

func TestAClaimGrowsAndStaysWhenTheLastPodGoes(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	pod := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	create(t, pod)
	awaitReady(t, pod)
	publish(t, pod, "rules", 4)
	before, err := getClaim(t.Context(), namespace, "rules")
	require.NoError(t, err)

	t.Run("it grows where its class can", func(t *testing.T) {
		var class storagev1.StorageClass
		require.NoError(t, api.Get(t.Context(), client.ObjectKey{Name: *before.Spec.StorageClassName}, &class))
		if class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion {
			t.Skipf("StorageClass %s does not allow expansion", class.Name)
		}
		create(t, newPod(namespace, "greedy", map[string]string{"consume": "rules", "size": "2Gi", "readiness": "none"}))
		require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
			claim, err := getClaim(ctx, namespace, "rules")
			if size := claim.Spec.Resources.Requests[corev1.ResourceStorage]; err == nil && size.String() != "2Gi" {
				err = fmt.Errorf("the claim asks for %s", size.String())
			}
			return err
		}))
	})
	require.NoError(t, api.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(namespace)))
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := api.List(ctx, &pods, client.InNamespace(namespace)); err != nil || len(pods.Items) > 0 {
			return fmt.Errorf("%d pods are left (%w)", len(pods.Items), err)
		}
		return nil
	}))
	reader := newPod(namespace, "reader", map[string]string{"consume": "rules"}, runs(following))
	create(t, reader)
	awaitLog(t, reader, "app", "price 4")
	after, err := getClaim(t.Context(), namespace, "rules")
	require.NoError(t, err)
	assert.Equal(t, before.UID, after.UID)
}

func TestAClaimThatIsDeletedUnderRunningPodsIsMadeAgainAndTheLossIsTold(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	pod := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	create(t, pod)
	awaitReady(t, pod)
	claim, err := getClaim(t.Context(), namespace, "rules")
	require.NoError(t, err)
	require.NoError(t, api.Delete(t.Context(), claim))
	awaitEvent(t, pod, "ClaimTerminating: ")
	// Kubernetes keeps it while pods use it. Somebody insists.
	require.NoError(t, api.Patch(t.Context(), claim, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))))
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		now, err := getClaim(ctx, namespace, "rules")
		if err == nil && now.UID == claim.UID {
			err = fmt.Errorf("it is still the old claim")
		}
		return err
	}))
	awaitEvent(t, pod, "ClaimReplaced: .*data was lost")
}
