package controller

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// newClaim is the claim to create for a share. Size nil and class empty stand for the platform's defaults. It has no owner: a share's data
// outlives the pods that use it.
func newClaim(namespace, name string, size *resource.Quantity, class string, c *config.Config) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      api.ClaimName(name),
			Labels:    map[string]string{api.ManagedByLabel: api.ManagedBy, api.ShareLabel: name},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			VolumeMode:  new(corev1.PersistentVolumeFilesystem),
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: *cmp.Or(size, &c.Defaults.Size)},
			},
		},
	}
	// Without a class the cluster's default is used, also one that is added later. An empty name would mean: no class, ever.
	if class = cmp.Or(class, c.Defaults.StorageClass); class != "" {
		claim.Spec.StorageClassName = &class
	}
	return claim
}
