//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/podshare/podshare/e2e/proc"
	"github.com/podshare/podshare/e2e/retry"
	"github.com/podshare/podshare/e2e/servers"
)

const (
	// settleLimit bounds the wait until the controller has nothing left to do.
	settleLimit = 5 * time.Minute
	// scrapeTick is how often the controller is asked meanwhile: answering takes time and memory of what is measured.
	scrapeTick = time.Second
	// memorySpan is how long memory is looked at, of which the median counts.
	memorySpan = 5 * time.Second
	// restSpan is how long memory has to stay as it is to be at rest, and restLimit bounds the wait. Go collects garbage at least every 2
	// minutes, and what it gives back then belongs to work that is over.
	restSpan, restLimit = 150 * time.Second, 15 * time.Minute
)

// startController runs the controller without leader election. Its metrics count requests by their method alone, so a renewed lease (a
// PUT every 2 seconds) would look like a share's; and a leader that was killed has its lease for 10 seconds more, which is what the
// drills measure. Everything else is as it is installed.
func (s *scale) startController(ctx context.Context) error {
	return s.podshare.StartController(ctx, "", "--leader-elect=false")
}

// measureRestart kills the controller, and starts another one on top of all shares.
func (s *scale) measureRestart(ctx context.Context) error {
	if err := s.podshare.Controller.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.podshare.Controller.Ended()
	begun := time.Now()
	if err := s.out.Step("the controller was killed, and a new one has looked at each share", func() error {
		if err := s.startController(ctx); err != nil {
			return err
		}
		return s.awaitSettled(ctx)
	}); err != nil {
		return err
	}
	s.figures.add("a restart on top of them: ready, and has looked at each share", time.Since(begun).Seconds(), seconds, atMost(10))
	c, err := s.costs(ctx)
	s.figures.add("a restart on top of them: write requests", c.writes, number, atMost(0).strictly())
	s.figures.add("a restart on top of them: resident memory", c.resident, mebibytes, atMost(maxResident))
	s.figures.add("a restart on top of them: its peak", c.peak, mebibytes, atMost(maxResident))
	return err
}

// awaitSettled waits until the controller has looked at each share and has nothing left to do. A new one begins when all pods and
// claims that it found are in its queue, each share once: so there is no moment before the end that looks like it.
func (s *scale) awaitSettled(ctx context.Context) error {
	return retry.Within(ctx, settleLimit, scrapeTick, func(ctx context.Context) error {
		metrics, err := s.podshare.ControllerMetrics(ctx)
		if err != nil {
			return err
		}
		added, addedErr := metrics.Sum("workqueue_adds_total", `name="share"`)
		done, doneErr := metrics.Sum("controller_runtime_reconcile_total", `controller="share"`)
		pods, podsErr := metrics.Sum("podshare_pods")
		claims, claimsErr := metrics.Sum("podshare_claims")
		if err := errors.Join(addedErr, doneErr, podsErr, claimsErr); err != nil {
			return err
		}
		shares := float64(s.shares)
		if claims != shares || pods != shares*float64(s.podsPerShare) || done < shares || done != added {
			return fmt.Errorf("the controller knows %.0f pods and %.0f claims, and has done %.0f of %.0f reconciliations",
				pods, claims, done, added)
		}
		return nil
	})
}

// costs are what the controller has cost since it was started.
type costs struct{ writes, resident, peak float64 }

// costs counts write requests last: Events are written after what they tell of.
func (s *scale) costs(ctx context.Context) (c costs, err error) {
	if c.resident, c.peak, err = s.memory(ctx); err != nil {
		return c, err
	}
	metrics, err := s.podshare.ControllerMetrics(ctx)
	if err != nil {
		return c, err
	}
	c.writes, err = writeRequests(metrics)
	return c, err
}

// writeRequests is how often the controller asked the API server to change something, Events among it, with whatever result.
func writeRequests(metrics servers.Metrics) (float64, error) {
	sum := 0.0
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		count, err := metrics.Sum("rest_client_requests_total", fmt.Sprintf("method=%q", method))
		if err != nil {
			return 0, err
		}
		sum += count
	}
	return sum, nil
}

// memory is what the controller has resident, the median over a while, and the most it ever had, in MiB. Nothing is asked of it
// meanwhile: answering takes memory.
func (s *scale) memory(ctx context.Context) (resident, peak float64, err error) {
	err = s.out.Step(fmt.Sprintf("its memory is looked at for %.0f s", memorySpan.Seconds()), func() error {
		resident, peak, err = s.sampleMemory(ctx)
		return err
	})
	return resident, peak, err
}

func (s *scale) sampleMemory(ctx context.Context) (resident, peak float64, err error) {
	var samples []float64
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for begun := time.Now(); time.Since(begun) < memorySpan; {
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-ticker.C:
		}
		if resident, peak, err = s.residentMemory(); err != nil {
			return 0, 0, err
		}
		samples = append(samples, resident)
	}
	return percentile(samples, 50), peak, nil
}

// awaitRest waits until the controller's memory stays as it is.
func (s *scale) awaitRest(ctx context.Context) error {
	return s.out.Step(fmt.Sprintf("its memory has been the same for %.0f s", restSpan.Seconds()), func() error {
		var level float64
		var since time.Time
		return retry.Within(ctx, restLimit, tick, func(context.Context) error {
			resident, _, err := s.residentMemory()
			if err != nil {
				return err
			}
			if since.IsZero() || math.Abs(resident-level) > noise {
				level, since = resident, time.Now()
			}
			if time.Since(since) < restSpan {
				return fmt.Errorf("the controller's memory has not come to rest: it is %.1f MiB now", resident)
			}
			return nil
		})
	})
}

// residentMemory is what the controller has, and the most that it had, in MiB.
func (s *scale) residentMemory() (resident, peak float64, err error) {
	process := proc.Process(s.podshare.Controller.PID())
	resident, residentErr := process.Memory("status", "VmRSS")
	peak, peakErr := process.Memory("status", "VmHWM")
	return resident, peak, errors.Join(residentErr, peakErr)
}
