//go:build linux

package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"
)

// Options say what a watchdog watches.
type Options struct {
	Shares []Share
	// SameUser says that the process has the user and group of the containers that use the shares. Only then are the
	// permissions that it meets judged, and only then does it try to write to produced shares.
	SameUser bool
	// MinFree is what a produced share must have free.
	MinFree MinFree
	// Measured says that the usage of consumed shares is read too, for Metrics.
	Measured bool
	// Interval is the time between two looks at a share.
	Interval time.Duration
	// Timeout is how long a look may take before the share counts as not answering.
	Timeout time.Duration
	// WritePause is the time from a write test that succeeded to the next one. The other checks leave no trace, but a write
	// changes the directory, which makes each of its readers read it again.
	WritePause time.Duration
}

// DefaultOptions are those of a watchdog that is not told otherwise.
func DefaultOptions() Options {
	return Options{
		MinFree:    MinFree{Percent: 5, Bytes: 1 << 30, Inodes: 10_000},
		Interval:   5 * time.Second,
		Timeout:    10 * time.Second,
		WritePause: 30 * time.Second,
	}
}

// Watchdog looks at each share on its own, so that one that hangs does not hide how the others are.
type Watchdog struct {
	options Options
	watches []*watch
}

// watch is what is known of one share.
type watch struct {
	examiner examiner

	mu      sync.Mutex
	begun   time.Time // of the look that is under way; zero between two
	problem error     // that the last look found
	used    *usage    // that the last look read; nil: it did not
	known   bool      // whether there was one
	first   chan struct{}
}

// NewWatchdog returns a watchdog that has not begun.
func NewWatchdog(o Options) *Watchdog {
	w := &Watchdog{options: o}
	host, _ := os.Hostname() // in a pod, its name; without one the rest tells enough
	for _, share := range o.Shares {
		w.watches = append(w.watches, &watch{
			examiner: examiner{
				share: share, mount: mountpoint{path: share.Path}, sameUser: o.SameUser, minFree: o.MinFree, measured: o.Measured,
				writePause: o.WritePause, scratch: fmt.Sprintf(".podshare-agent-%s-%08x", host, rand.Uint32()), //nolint:gosec // unlike others', not secret
			},
			begun: time.Now(), // a share is waited for from now on, whenever its goroutine gets to run
			first: make(chan struct{}),
		})
	}
	return w
}

// Start looks at the shares until the context ends. The channel is closed when no look is under way any more after that:
// never, when a mount hangs for ever.
func (w *Watchdog) Start(ctx context.Context) (idle <-chan struct{}) {
	var looking sync.WaitGroup
	for _, s := range w.watches {
		looking.Go(func() { s.run(ctx, w.options.Interval) })
	}
	done := make(chan struct{})
	go func() {
		looking.Wait()
		close(done)
	}()
	return done
}

func (s *watch) run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		s.begin()
		s.end(s.examiner.examine())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *watch) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known {
		s.begun = time.Now()
	}
}

func (s *watch) end(used *usage, problem error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		s.known = true
		close(s.first)
	}
	s.begun, s.used, s.problem = time.Time{}, used, problem
}

// status returns what is wrong with the share, nil when it is healthy.
func (s *watch) status(timeout time.Duration) *Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun.IsZero() {
		if waiting := time.Since(s.begun); !s.known || waiting > timeout {
			return &Problem{s.examiner.share.Name, "no answer", waiting}
		}
	}
	if s.problem != nil {
		return &Problem{Share: s.examiner.share.Name, What: s.problem.Error()}
	}
	return nil
}

// Problem is what keeps a share from being ready.
type Problem struct {
	Share, What string
	// For is how long a share has not answered; 0 where What is all that there is to say.
	For time.Duration
}

func (p Problem) String() string {
	text := "share " + p.Share + ": " + p.What
	if p.For > 0 {
		text += " for " + p.For.Truncate(time.Second).String()
	}
	return text
}

// Problems are those of the shares that are not healthy. None: the pod is ready as far as its shares are concerned. It
// never waits for a mount.
func (w *Watchdog) Problems() []Problem {
	var problems []Problem
	for _, s := range w.watches {
		if problem := s.status(w.options.Timeout); problem != nil {
			problems = append(problems, *problem)
		}
	}
	return problems
}

// Verdict is Problems in one line, for whoever asks. In the first moment, when no look has ended yet, it gives the shares
// the time that healthy ones need.
func (w *Watchdog) Verdict(patience time.Duration) (line string, ready bool) {
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, s := range w.watches {
		select {
		case <-s.first:
		case <-limit.Done():
		}
	}
	texts := make([]string, 0, len(w.watches))
	for _, problem := range w.Problems() {
		texts = append(texts, problem.String())
	}
	if len(texts) > 0 {
		return strings.Join(texts, "; "), false
	}
	for _, s := range w.watches {
		texts = append(texts, s.examiner.share.Name)
	}
	return "ready: " + strings.Join(texts, ", "), true
}
