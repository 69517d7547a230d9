package controller

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// needsGrowth says whether a pod asks for more than the claim requests.
func needsGrowth(o observation) bool {
	largest := largestSize(o.users)
	return o.claim != nil && largest != nil && largest.Cmp(*o.claim.Spec.Resources.Requests.Storage()) > 0
}

// decideGrowth grows the claim, or tells why it stays as it is.
func (d *decision) decideGrowth(o observation) {
	larger := largestSize(o.users)
	request := o.claim.Spec.Resources.Requests.Storage()
	var n notice
	switch obstacle := growthObstacle(o); {
	case obstacle != "":
		n = warning("ClaimCannotGrow", growClaim,
			"pods ask for %s of the share %q; claim %q requests %s and cannot grow: %s",
			larger, o.share.Name, o.claim.Name, request, obstacle)
		d.recheck = true
	case o.claim.Status.Phase != corev1.ClaimBound:
		n = normal("ClaimNotYetBound", growClaim,
			"pods ask for %s of the share %q; claim %q requests %s and grows once it is bound",
			larger, o.share.Name, o.claim.Name, request)
	default:
		n = normal("ClaimGrows", growClaim,
			"pods ask for %s of the share %q; claim %q requests it now, instead of %s",
			larger, o.share.Name, o.claim.Name, request)
		d.grow = larger
	}
	n.users = askingForMore(o)
	d.notices = append(d.notices, n)
}

// askingForMore are the pods that want the claim to grow.
func askingForMore(o observation) []user {
	request := o.claim.Spec.Resources.Requests.Storage()
	return usersWhere(o.users, func(u user) bool { return u.size != nil && u.size.Cmp(*request) > 0 })
}

// growthObstacle is what keeps a claim from ever growing. Empty: nothing.
func growthObstacle(o observation) string {
	name := className(o.claim)
	switch {
	case !isOurs(o.claim):
		return "podshare did not create it, so it does not change it"
	case name == "":
		return "it has no StorageClass"
	case o.class == nil:
		return fmt.Sprintf("there is no StorageClass %q", name)
	case o.class.AllowVolumeExpansion == nil || !*o.class.AllowVolumeExpansion:
		return fmt.Sprintf("StorageClass %q does not allow volume expansion", name)
	}
	return ""
}
