package plugin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestHowLateNewFilesAppear(t *testing.T) {
	for name, test := range map[string]struct {
		provisioner string
		parameters  map[string]string
		options     []string
		want        int
	}{
		"NFS without options":                     {provisioner: "nfs.csi.k8s.io", want: 60},
		"NFS with options about other things":     {provisioner: "efs.csi.aws.com", options: []string{"hard", "acregmax=5"}, want: 60},
		"NFS with actimeo":                        {provisioner: "nfs.csi.k8s.io", options: []string{"hard", "actimeo=1"}, want: 1},
		"several options in one item":             {provisioner: "nfs.csi.k8s.io", options: []string{"hard,acdirmax=5,nolock"}, want: 5},
		"the last one counts":                     {provisioner: "nfs.csi.k8s.io", options: []string{"actimeo=1", "acdirmax=30"}, want: 30},
		"without any cache":                       {provisioner: "nfs.csi.k8s.io", options: []string{"actimeo=60", "noac"}, want: 0},
		"SMB":                                     {provisioner: "smb.csi.k8s.io", want: 1},
		"Azure Files":                             {provisioner: "file.csi.azure.com", want: 30},
		"Azure Files with actimeo":                {provisioner: "file.csi.azure.com", options: []string{"actimeo=1"}, want: 1},
		"Azure Files by NFS":                      {provisioner: "file.csi.azure.com", parameters: map[string]string{"protocol": "nfs"}, want: 60},
		"Longhorn, whose options are a parameter": {provisioner: "driver.longhorn.io", parameters: map[string]string{"nfsOptions": "vers=4.2,actimeo=1"}, want: 1},
		"CephFS, whose clients tell each other":   {provisioner: "rook-ceph.cephfs.csi.ceph.com", want: 0},
		"what is not known":                       {provisioner: "example.com/disks", want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := driverOf(test.provisioner).with(test.parameters)
			assert.Equal(t, test.want, d.latenessOf(optionsOf(test.options, test.parameters)))
		})
	}
}

func TestLateVolumes(t *testing.T) {
	volume := &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{
		MountOptions:           []string{"hard", "acdirmax=30"},
		PersistentVolumeSource: corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nas", Path: "/rules"}},
	}}
	findings := lateOf(volume, "share shop/rules")
	require.Len(t, findings, 1)
	assert.Equal(t, "share shop/rules: new files appear up to 30 s late in other pods: its NFS mount has acdirmax=30", findings[0].Message)
	assert.Contains(t, findings[0].Remedy[0], "put actimeo=1 into the mountOptions of the StorageClass")
	volume.Spec.MountOptions = []string{"actimeo=1"}
	assert.Empty(t, lateOf(volume, "share shop/rules"))
}

func TestTheClassOfNewShares(t *testing.T) {
	class := func(name, provisioner string, isDefault bool) storagev1.StorageClass {
		c := storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: provisioner}
		if isDefault {
			c.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
		}
		return c
	}
	classes := []storagev1.StorageClass{
		class("disks", "ebs.csi.aws.com", true), class("nfs", "nfs.csi.k8s.io", false), class("own", "example.com/own", false),
		class("local", "rancher.io/local-path", false),
	}
	for name, test := range map[string]struct {
		classes    []storagev1.StorageClass
		configured string
		level      level
		want       string
	}{
		"the cluster's default is for disks": {classes, "", trouble,
			"the cluster's default class, which new shares get, is disks (ebs.csi.aws.com): it does not offer ReadWriteMany"},
		"the platform's is fit":       {classes, "nfs", fine, "the class of new shares is nfs (nfs.csi.k8s.io): it offers ReadWriteMany"},
		"the platform's is not known": {classes, "own", doubt, "the class of new shares is own (example.com/own): it may or may not offer ReadWriteMany (this driver is not known here)"},
		"the platform's is local-path": {classes, "local", trouble,
			"the class of new shares is local (rancher.io/local-path): it does not offer ReadWriteMany (unless its sharedFileSystemPath is set)"},
		"the platform's is not there": {classes, "cephfs", trouble,
			"defaults.storageClass is cephfs, and there is no such StorageClass: claims of new shares stay Pending"},
		"there is no default": {classes[1:], "", doubt,
			"there is no default StorageClass, and defaults.storageClass is not set: claims of new shares stay Pending, unless somebody makes volumes for them"},
	} {
		t.Run(name, func(t *testing.T) {
			f := judgeDefaultClass(test.classes, test.configured)
			assert.Equal(t, test.want, f.Message)
			assert.Equal(t, test.level, f.Level)
			assert.Equal(t, test.level != fine, len(f.Remedy) > 0, "what is not well can be mended")
		})
	}
}
