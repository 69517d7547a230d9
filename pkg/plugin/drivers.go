package plugin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// protocol is how a node reaches a shared volume, where that decides how soon it sees new files. Empty: not known, or no matter.
type protocol string

const (
	nfs protocol = "NFS"
	smb protocol = "SMB"
)

// driver is what is known of a provisioner.
type driver struct {
	// shared says whether its volumes can be ReadWriteMany, as file systems.
	shared answer
	// but limits that, in a few words.
	but      string
	protocol protocol
	// lateness is in seconds how late new files appear when no mount option says otherwise. 0: the protocol's own.
	lateness int
}

type answer int

const (
	unknown answer = iota
	yes
	no
)

// drivers are known by what their documentation says. A class may still be of a driver that is not here.
var drivers = map[string]driver{
	// Network file systems.
	"nfs.csi.k8s.io":                                {shared: yes, protocol: nfs},
	"efs.csi.aws.com":                               {shared: yes, protocol: nfs},
	"fss.csi.oraclecloud.com":                       {shared: yes, protocol: nfs},
	"nasplugin.csi.alibabacloud.com":                {shared: yes, protocol: nfs},
	"filestore.csi.storage.gke.io":                  {shared: yes, protocol: nfs},
	"fsx.openzfs.csi.aws.com":                       {shared: yes, protocol: nfs},
	"vpc.file.csi.ibm.io":                           {shared: yes, protocol: nfs},
	"cluster.local/nfs-subdir-external-provisioner": {shared: yes, protocol: nfs},
	"k8s-sigs.io/nfs-subdir-external-provisioner":   {shared: yes, protocol: nfs},
	"driver.longhorn.io":                            {shared: yes, protocol: nfs},
	"file.csi.azure.com":                            {shared: yes, protocol: smb, lateness: 30}, // its own default of actimeo
	"smb.csi.k8s.io":                                {shared: yes, protocol: smb},
	"cephfs.csi.ceph.com":                           {shared: yes},
	"fsx.csi.aws.com":                               {shared: yes},
	"csi.juicefs.com":                               {shared: yes},
	"csi.weka.io":                                   {shared: yes},
	"beegfs.csi.netapp.com":                         {shared: yes},
	// One node's own directories.
	"kubernetes.io/host-path":      {shared: yes, but: "on a single node: it is a directory of the node's"},
	"k8s.io/minikube-hostpath":     {shared: yes, but: "on a single node: it is a directory of the node's"},
	"rancher.io/local-path":        {shared: no, but: "unless its sharedFileSystemPath is set"},
	"topolvm.io":                   {shared: no},
	"openebs.io/local":             {shared: no},
	"kubernetes.io/no-provisioner": {shared: unknown, but: "it depends on the volumes that somebody makes for it"},
	// Disks, which one node at a time mounts.
	"ebs.csi.aws.com":                 {shared: no},
	"pd.csi.storage.gke.io":           {shared: no},
	"disk.csi.azure.com":              {shared: no},
	"cinder.csi.openstack.org":        {shared: no},
	"rbd.csi.ceph.com":                {shared: no, but: "only as raw block devices"},
	"dobs.csi.digitalocean.com":       {shared: no},
	"linodebs.csi.linode.com":         {shared: no},
	"csi.hetzner.cloud":               {shared: no},
	"diskplugin.csi.alibabacloud.com": {shared: no},
	"blockvolume.csi.oraclecloud.com": {shared: no},
	"vpc.block.csi.ibm.io":            {shared: no},
	// Both, by their settings.
	"csi.trident.netapp.io":  {shared: unknown, but: "its NAS backends can, its SAN backends cannot"},
	"csi.vsphere.vmware.com": {shared: unknown, but: "only with vSAN file services"},
	"pxd.portworx.com":       {shared: unknown, but: "only with sharedv4"},
}

// driverOf knows the drivers of Rook too, whose names begin with the namespace of their operator.
func driverOf(provisioner string) driver {
	if known, found := drivers[provisioner]; found {
		return known
	}
	for _, suffix := range []string{"cephfs.csi.ceph.com", "rbd.csi.ceph.com"} {
		if strings.HasSuffix(provisioner, "."+suffix) {
			return drivers[suffix]
		}
	}
	return driver{but: "this driver is not known here"}
}

// defaultClass is the annotation that makes a class the cluster's default.
const defaultClass = "storageclass.kubernetes.io/is-default-class"

// describe says whether a class is fit for shares.
func (d driver) describe() string {
	text := map[answer]string{yes: "offers ReadWriteMany", no: "does not offer ReadWriteMany", unknown: "may or may not offer ReadWriteMany"}[d.shared]
	if d.but != "" {
		text += " (" + d.but + ")"
	}
	return text
}

// driverOfVolume is how a volume is mounted.
func driverOfVolume(v *corev1.PersistentVolume) driver {
	switch {
	case v.Spec.NFS != nil:
		return driver{shared: yes, protocol: nfs}
	case v.Spec.CSI != nil:
		d := driverOf(v.Spec.CSI.Driver)
		return d.with(v.Spec.CSI.VolumeAttributes)
	default:
		return driver{}
	}
}

// with heeds the parameter with which Azure Files is not SMB.
func (d driver) with(parameters map[string]string) driver {
	if d.protocol == smb && strings.EqualFold(parameters["protocol"], "nfs") {
		return driver{shared: d.shared, protocol: nfs}
	}
	return d
}

// optionsOf are the mount options of what is made of a class: Longhorn has those of NFS in a parameter.
func optionsOf(options []string, parameters map[string]string) []string {
	if own := parameters["nfsOptions"]; own != "" {
		return strings.Split(own, ",")
	}
	return options
}

// soon is how late a new file may appear, in seconds, before it is worth a word.
const soon = 3

// latenessOf is how many seconds a consumer may take to see a new file, by the caches of the mount: nfs(5), mount.cifs(8).
func (d driver) latenessOf(options []string) int {
	late := d.lateness
	if late == 0 {
		late = map[protocol]int{nfs: 60, smb: 1}[d.protocol]
	}
	if d.protocol == "" {
		return 0
	}
	for _, option := range splitOptions(options) {
		key, value, _ := strings.Cut(option, "=")
		seconds, err := strconv.Atoi(value)
		switch {
		case key == "noac":
			return 0
		case err == nil && (key == "actimeo" || key == "acdirmax"): // the last one counts
			late = seconds
		}
	}
	return late
}

// splitOptions: one item may hold several.
func splitOptions(options []string) []string {
	return strings.FieldsFunc(strings.Join(options, ","), func(r rune) bool { return r == ',' })
}

// late warns of mount options that make new files appear late. what is a class or a volume, which has them.
func (d driver) late(what string, options []string) []finding {
	seconds := d.latenessOf(options)
	if seconds <= soon {
		return nil
	}
	written := "has no option actimeo or acdirmax"
	if own := slices.DeleteFunc(splitOptions(options), func(o string) bool { return !strings.HasPrefix(o, "ac") }); len(own) > 0 {
		written = "has " + strings.Join(own, ", ")
	}
	f := warn("%s: new files appear up to %d s late in other pods: its %s mount %s", what, seconds, d.protocol, written)
	return []finding{f.mend("put actimeo=1 into the mountOptions of the StorageClass (NFS: %s; Longhorn: its parameter nfsOptions)", freshNFS).
		mend("volumes that exist keep theirs: change their spec.mountOptions too, and create the pods anew")}
}

// freshNFS are the mount options that make new files appear within about a second: docs/storage.md.
const freshNFS = "nfsvers=4.1,hard,timeo=600,retrans=2,noresvport,actimeo=1,lookupcache=pos"

// isDefault says whether claims without a class get this one.
func isDefault(class *storagev1.StorageClass) bool { return class.Annotations[defaultClass] == "true" }

// volumeSource says in a few words what a volume is.
func volumeSource(v *corev1.PersistentVolume) string {
	switch s := v.Spec.PersistentVolumeSource; {
	case s.CSI != nil:
		return "CSI, driver " + s.CSI.Driver
	case s.NFS != nil:
		return fmt.Sprintf("NFS, %s:%s", s.NFS.Server, s.NFS.Path)
	case s.HostPath != nil:
		return "HostPath, " + s.HostPath.Path
	case s.Local != nil:
		return "Local, " + s.Local.Path
	default:
		return "another kind"
	}
}
