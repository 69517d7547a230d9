package controller

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// observation is all that is known of a share when it is decided what to do.
type observation struct {
	// share is named by its namespace and its own name.
	share types.NamespacedName
	// users are the pods that need the claim, the oldest first. There is at least one.
	users []user
	// claim of the share. Nil: there is none.
	claim *corev1.PersistentVolumeClaim
	// watched says that a change of the claim will be heard of.
	watched bool
	// previous is the claim that these pods had before. Empty: none is known.
	previous types.UID
	// class of the claim, known when it needs to grow. Nil: there is no such class.
	class *storagev1.StorageClass
}

// decision is what to do about a share: create its claim, or grow it, or neither; and then to tell.
type decision struct {
	create  *corev1.PersistentVolumeClaim
	grow    *resource.Quantity // the new request, in bytes
	notices []notice
	// usable says that the claim, or the one to create, is the share.
	usable bool
	// recheck wants another look soon, since nothing will tell of a change.
	recheck bool
}

// decide is a pure function: it asks no server and changes nothing.
func decide(o observation, c *config.Config) decision {
	d := decision{recheck: o.claim != nil && !o.watched}
	claim := o.claim
	if claim == nil {
		d.create = newClaim(o.share.Namespace, o.share.Name, largestSize(o.users), firstClass(o.users), c)
		claim = d.create
	}
	if problem, ok := unusable(claim); ok {
		problem.users = o.users
		d.notices = []notice{problem}
		return d
	}
	d.usable = true
	d.notices = slices.Concat(lostData(o, claim), otherClasses(o, claim), smallerSizes(o))
	if needsGrowth(o) {
		d.decideGrowth(o)
	}
	return d
}

// unusable says why a claim cannot be the share, if it cannot. It is left as it is: it may be somebody's.
func unusable(claim *corev1.PersistentVolumeClaim) (notice, bool) {
	const remedy = "podshare leaves it as it is: delete it to get one from podshare, or choose another name for the share"
	switch mode := claim.Spec.VolumeMode; {
	case claim.DeletionTimestamp != nil:
		return warning("ClaimTerminating", useClaim,
			"claim %q is being deleted; when it is gone, which takes until no pod mounts it, podshare creates an empty one "+
				"for the pods that still name the share", claim.Name), true
	case !slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteMany):
		return warning("ClaimNotReadWriteMany", useClaim,
			"claim %q has the access modes %v, and a share needs ReadWriteMany; %s", claim.Name, claim.Spec.AccessModes, remedy), true
	case mode != nil && *mode != corev1.PersistentVolumeFilesystem:
		return warning("ClaimNotFilesystem", useClaim,
			"claim %q has the volume mode %s, and a share needs Filesystem; %s", claim.Name, *mode, remedy), true
	}
	return notice{}, false
}

// lostData tells when the pods' claim is another one than it was.
func lostData(o observation, claim *corev1.PersistentVolumeClaim) []notice {
	if o.previous == "" || o.claim != nil && o.claim.UID == o.previous {
		return nil
	}
	lost := warning("ClaimReplaced", createClaim,
		"claim %q was deleted while pods used it, and the data was lost with it (a volume with reclaim policy Retain "+
			"still has it); the claim that took its place is new", claim.Name)
	lost.users = o.users
	return []notice{lost}
}

// otherClasses tells the pods that ask for another StorageClass than the claim has.
func otherClasses(o observation, claim *corev1.PersistentVolumeClaim) []notice {
	var notices []notice
	actual := className(claim)
	for _, u := range o.users {
		if u.class == "" || u.class == actual {
			continue
		}
		other := warning("StorageClassDiffers", useClaim,
			"%s asks for StorageClass %q; claim %q has %s, and a claim keeps its class",
			api.StorageClass, u.class, claim.Name, quotedOrNone(actual))
		other.users, other.podsOnly = []user{u}, true
		notices = append(notices, other)
	}
	return notices
}

// smallerSizes tells the pods that another pod of the share asks for more.
func smallerSizes(o observation) []notice {
	largest := largestSize(o.users)
	smaller := usersWhere(o.users, func(u user) bool { return u.size != nil && u.size.Cmp(*largest) < 0 })
	if len(smaller) == 0 {
		return nil
	}
	n := normal("SizesDiffer", useClaim,
		"other pods ask for more of the share %q; the largest size, %s, counts", o.share.Name, largest)
	n.users, n.podsOnly = smaller, true
	return []notice{n}
}

// isOurs says whether podshare created a claim and may therefore change it.
func isOurs(claim *corev1.PersistentVolumeClaim) bool {
	_, labelled := shareOf(claim)
	return labelled && claim.Labels[api.ManagedByLabel] == api.ManagedBy
}

// className is empty for a claim without a class.
func className(claim *corev1.PersistentVolumeClaim) string {
	if claim.Spec.StorageClassName == nil {
		return ""
	}
	return *claim.Spec.StorageClassName
}

func quotedOrNone(class string) string {
	if class == "" {
		return "none"
	}
	return fmt.Sprintf("%q", class)
}
