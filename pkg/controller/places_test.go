package controller

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"
)

func TestPlacesAreTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p places
		in := func(namespace, name string) types.NamespacedName {
			return types.NamespacedName{Namespace: namespace, Name: name}
		}
		showing := func(names ...string) func() ([]string, error) {
			return func() ([]string, error) { return names, nil }
		}
		takes := func(claim types.NamespacedName, cached, live []string) bool {
			_, ok, err := p.take(claim, showing(cached...), showing(live...), 2)
			return ok && err == nil
		}
		take := func(claim types.NamespacedName, shown ...string) bool { return takes(claim, shown, shown) }
		assert.True(t, take(in("shop", "a")))
		assert.True(t, take(in("shop", "a")), "one that is tried again takes no second place")
		assert.True(t, take(in("shop", "b")))
		assert.False(t, take(in("shop", "c")), "the cache shows neither yet")
		assert.True(t, take(in("other", "c")), "each namespace has its own")
		p.giveBack(in("shop", "b"))
		assert.True(t, take(in("shop", "c"), "a"), "b could not be created")
		assert.False(t, take(in("shop", "d"), "a", "c"))
		assert.True(t, take(in("shop", "d"), "a"), "c was deleted")
		time.Sleep(claimShown + time.Second)
		assert.True(t, take(in("shop", "e"), "a"), "d was deleted before the cache showed it")
		assert.False(t, takes(in("shop", "f"), []string{"a"}, []string{"a", "e"}))
		assert.False(t, take(in("shop", "f"), "a"), "the API server showed e, and the cache does not yet")
		assert.True(t, takes(in("shop", "f"), []string{"a", "e"}, []string{"e"}), "the cache still shows a, which is gone")
	})
}

func TestOfManyAtOnceOnlyTheLimitGetsAPlace(t *testing.T) {
	var p places
	var got atomic.Int64
	var group sync.WaitGroup
	for n := range 100 {
		group.Go(func() {
			claim := types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(n)}
			shown := func() ([]string, error) { return []string{"shown"}, nil }
			if _, ok, _ := p.take(claim, shown, shown, 20); ok {
				got.Add(1)
			}
		})
	}
	group.Wait()
	assert.Equal(t, int64(19), got.Load())
}
