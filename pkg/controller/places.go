package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
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

// take takes a place for a claim, beside those of its namespace that are shown, and returns how many there are without it. It takes
// none when that is the limit. They are asked for here, so that no claim goes from what is remembered to what is shown in between.
func (p *places) take(claim types.NamespacedName, shown func() ([]string, error), limit int) (count int, ok bool, err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	there, err := shown()
	if err != nil {
		return 0, false, err
	}
	names := map[string]bool{}
	for _, name := range there {
		names[name] = true
	}
	for other, since := range p.pending {
		switch {
		case other.Namespace != claim.Namespace:
		case names[other.Name] || time.Since(since) > claimShown:
			delete(p.pending, other)
		default:
			names[other.Name] = true
		}
	}
	delete(names, claim.Name) // tried before
	if len(names) >= limit {
		return len(names), false, nil
	}
	if p.pending == nil {
		p.pending = map[types.NamespacedName]time.Time{}
	}
	p.pending[claim] = time.Now()
	return len(names), true, nil
}

// giveBack is for a claim that could not be created.
func (p *places) giveBack(claim types.NamespacedName) {
	p.lock.Lock()
	defer p.lock.Unlock()
	delete(p.pending, claim)
}
