package controller

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"
)

const (
	// maxKnown bounds the memory of claims to a few megabytes. Of more shares than this, those that nothing was heard
	// of for longest are forgotten.
	maxKnown = 20_000
	// knownFor is longer than the 10 hours after which every share is looked at again.
	knownFor = 24 * time.Hour
	// missedFor is how long after the last pod of a share the next one is told that the claim is gone.
	missedFor = 15 * time.Minute
)

// knownClaims remembers which claim the pods of a share have had, to notice when it is replaced under them. It is lost
// with the lease, and with the process: then a replacement is not told of, and nothing worse.
type knownClaims struct{ claims *cache.LRUExpireCache }

func newKnownClaims() knownClaims { return knownClaims{cache.NewLRUExpireCache(maxKnown)} }

// of is empty for a share that is not known.
func (k knownClaims) of(share types.NamespacedName) types.UID {
	claim, _ := k.claims.Get(share)
	uid, _ := claim.(types.UID)
	return uid
}

func (k knownClaims) remember(share types.NamespacedName, claim types.UID) {
	k.claims.Add(share, claim, knownFor)
}

// forgetSoon is for a share whose claim went, or is going, under its last pods.
func (k knownClaims) forgetSoon(share types.NamespacedName) {
	k.claims.Add(share, k.of(share), missedFor)
}

func (k knownClaims) forget(share types.NamespacedName) { k.claims.Remove(share) }
