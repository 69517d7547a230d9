package controller

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
)

// user is a live pod that names a share, and what it asks of the share's claim.
type user struct {
	pod corev1.ObjectReference
	// size in bytes. Nil: it asks for none.
	size *resource.Quantity
	// class is a StorageClass's name. Empty: it asks for none.
	class string
}

// usersAmong picks the pods that a claim is made for, the oldest first. A pod that is being deleted needs no claim any
// more. One whose annotations have mistakes gets nothing, as at admission.
func usersAmong(pods []metav1.PartialObjectMetadata, c *config.Config) []user {
	slices.SortFunc(pods, func(a, b metav1.PartialObjectMetadata) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	var users []user
	for i := range pods {
		request, mistakes := share.Parse(pods[i].Annotations, c)
		if pods[i].DeletionTimestamp == nil && len(mistakes) == 0 {
			users = append(users, user{pod: podReference(&pods[i]), size: request.Size, class: request.StorageClass})
		}
	}
	return users
}

// largestSize that a pod asks for. Nil: none asks for one.
func largestSize(users []user) *resource.Quantity {
	var largest *resource.Quantity
	for _, u := range users {
		if u.size != nil && (largest == nil || u.size.Cmp(*largest) > 0) {
			largest = u.size
		}
	}
	return largest
}

// firstClass is what the oldest pod asks for that asks for a class. Empty: none does.
func firstClass(users []user) string {
	for _, u := range users {
		if u.class != "" {
			return u.class
		}
	}
	return ""
}

func usersWhere(users []user, match func(user) bool) []user {
	var matching []user
	for _, u := range users {
		if match(u) {
			matching = append(matching, u)
		}
	}
	return matching
}
