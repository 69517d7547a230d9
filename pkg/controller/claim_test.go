package controller

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/config"
)

func TestNewClaim(t *testing.T) {
	claim := newClaim("shop", "rules", nil, "", config.Default())
	assert.Equal(t, "shop", claim.Namespace)
	assert.Equal(t, "podshare-rules", claim.Name)
	assert.Equal(t, map[string]string{"app.kubernetes.io/managed-by": "podshare", "podshare.dev/share": "rules"}, claim.Labels)
	assert.Empty(t, claim.OwnerReferences, "data outlives pods")
	assert.Equal(t, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, claim.Spec.AccessModes)
	assert.Equal(t, corev1.PersistentVolumeFilesystem, *claim.Spec.VolumeMode)
	assert.Equal(t, "1Gi", claim.Spec.Resources.Requests.Storage().String())
	assert.Nil(t, claim.Spec.StorageClassName, "the cluster's default class, also one that is added later")
}

func TestAnnotationsOverrideThePlatformsDefaults(t *testing.T) {
	platform := config.Default()
	platform.Defaults.StorageClass = "nfs"
	claim := newClaim("shop", "rules", nil, "", platform)
	assert.Equal(t, "nfs", *claim.Spec.StorageClassName)

	claim = newClaim("shop", "rules", new(resource.MustParse("7Gi")), "cephfs", platform)
	assert.Equal(t, "7Gi", claim.Spec.Resources.Requests.Storage().String())
	assert.Equal(t, "cephfs", *claim.Spec.StorageClassName)
}
