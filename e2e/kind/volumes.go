package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	storageClass = "podshare-e2e"
	// volumes is how many there are: more than all tests have claims, as none is used twice.
	volumes = 100
	// nodeDirectory is where the shared directory is on each node.
	nodeDirectory = "/var/local/podshare-e2e"
)

// shared is the directory of this machine that all nodes see.
func (c *cluster) shared() string { return filepath.Join(c.dir, "shared") }

func volumeName(n int) string { return fmt.Sprintf("volume-%d", n) }

// makeVolumeDirectories makes a directory for each volume that every user may write to: kubelet applies a pod's fsGroup to most
// kinds of volumes, but not to a node's directories.
func (c *cluster) makeVolumeDirectories() error {
	for n := range volumes {
		dir := filepath.Join(c.shared(), volumeName(n))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, fs.ModePerm); err != nil { // not by MkdirAll, which heeds the umask
			return err
		}
	}
	return nil
}

// createVolumes makes a StorageClass and its volumes by hand: kind's own class refuses ReadWriteMany.
func (c *cluster) createVolumes(ctx context.Context) error {
	access, err := c.access()
	if err != nil {
		return err
	}
	api, err := client.New(access, client.Options{})
	if err != nil {
		return err
	}
	problems := []error{api.Create(ctx, &storagev1.StorageClass{
		ObjectMeta:           metav1.ObjectMeta{Name: storageClass},
		Provisioner:          "kubernetes.io/no-provisioner",
		AllowVolumeExpansion: new(true), // of the claim; nobody resizes a directory
	})}
	for n := range volumes {
		problems = append(problems, api.Create(ctx, &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: storageClass + "-" + volumeName(n)},
			Spec: corev1.PersistentVolumeSpec{
				StorageClassName: storageClass,
				Capacity:         corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
				AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany, corev1.ReadWriteOnce},
				PersistentVolumeSource: corev1.PersistentVolumeSource{
					HostPath: &corev1.HostPathVolumeSource{Path: filepath.Join(nodeDirectory, volumeName(n)), Type: new(corev1.HostPathDirectory)},
				},
				PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			},
		}))
	}
	return errors.Join(problems...)
}
