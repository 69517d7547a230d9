package webhook

import (
	"net/http"
	"time"
)

// A review takes about five times its size in memory until it is answered. Most are of a few KiB; whoever sends many of
// the largest at once must not end the process for everybody, so these take turns.
const (
	largeBody = 64 << 10 // bytes
	maxLarge  = 2        // at a time
)

// isLarge reports whether a request has to wait for its turn. One that does not say how long it is counts as large.
func isLarge(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > largeBody }

type turns chan struct{}

// take waits for a turn, and reports whether there was one in time.
func (t turns) take(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

func (t turns) leave() { <-t }
