package controller

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// claimShown is how long the cache may take to show a claim that was created: many times what it does.
const claimShown = time.Minute

// places are those that a limit of claims leaves in each namespace. The cache shows a claim some time after it was created; without what is
// remembered here, ten shares at once would all see the last place.
type places struct {
	lock sync.Mutex
	// pending are claims that are being created, or that the cache does not show yet, since when.
	pending map[types.NamespacedName]time.Time
}

// take takes a place for a claim, beside those of its namespace, and returns how many there are without it. It takes none when that is the
// limit: then the API server is asked too, since the cache may still show claims that are gone. Both are read here, so that no claim goes from
// what is remembered to what is shown in between.
func (p *places) take(claim types.NamespacedName, cached, live func() ([]string, error), limit int) (count int, ok bool, err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	there, err := cached()
	if err != nil {
		return 0, false, err
	}
	p.forgetShown(claim.Namespace, there)
	if count = p.beside(claim, there); count >= limit {
		if there, err = live(); err != nil {
			return 0, false, err
		}
		if count = p.beside(claim, there); count >= limit {
			return count, false, nil
		}
	}
	if p.pending == nil {
		p.pending = map[types.NamespacedName]time.Time{}
	}
	p.pending[claim] = time.Now()
	return count, true, nil
}

// forgetShown forgets the claims that the cache shows. That the API server has them says nothing: the next share asks the cache.
func (p *places) forgetShown(namespace string, cached []string) {
	for claim, since := range p.pending {
		if claim.Namespace == namespace && (slices.Contains(cached, claim.Name) || time.Since(since) > claimShown) {
			delete(p.pending, claim)
		}
	}
}

// beside counts the other claims of a claim's namespace.
func (p *places) beside(claim types.NamespacedName, there []string) int {
	others := sets.New(there...)
	for other := range p.pending {
		if other.Namespace == claim.Namespace {
			others.Insert(other.Name)
		}
	}
	return others.Delete(claim.Name).Len() // itself, when it was tried before
}

// giveBack is for a claim that could not be created.
func (p *places) giveBack(claim types.NamespacedName) {
	p.lock.Lock()
	defer p.lock.Unlock()
	delete(p.pending, claim)
}
