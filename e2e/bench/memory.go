//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/podshare/podshare/e2e/screen"
)

// loadConcurrency is how many requests are on their way while memory is looked at.
const loadConcurrency = 64

// memory looks at what the webhooks have in memory after many requests, many at a time.
func (b *bench) memory(ctx context.Context) error {
	return b.part(fmt.Sprintf("%d requests to each webhook, %d at a time", b.load, loadConcurrency), func() (string, error) {
		t := newTable("webhook", "resident before", "resident after", "requests a second", "p99")
		for _, w := range b.webhooks {
			before, err := w.resident()
			if err != nil {
				return "", err
			}
			begun := time.Now()
			latencies, err := w.load(ctx, b.review, b.load, loadConcurrency)
			if err != nil {
				return "", fmt.Errorf("%s: %w", w.name, err)
			}
			took := time.Since(begun)
			after, err := w.resident()
			if err != nil {
				return "", err
			}
			t.row(labels[w.name], fmt.Sprintf("%.1f MiB", before), fmt.Sprintf("%.1f MiB", after),
				fmt.Sprintf("%.0f", float64(len(latencies))/took.Seconds()), milliseconds(quantile(latencies, 0.99)))
		}
		return t.String(), nil
	})
}

// soak sends one webhook requests for a long time, and says every minute what it has in memory.
func soak(ctx context.Context, o options, w *webhook, review []byte, out *screen.Screen) error {
	var requests int
	begun := time.Now()
	said := begun
	for time.Since(begun) < o.soak {
		latencies, err := w.load(ctx, review, 100*loadConcurrency, loadConcurrency)
		if err != nil {
			return err
		}
		requests += len(latencies)
		if time.Since(said) < time.Minute && time.Since(begun) < o.soak {
			continue
		}
		said = time.Now()
		resident, err := w.resident()
		if err != nil {
			return err
		}
		out.Say("after %s and %d requests: %.1f MiB resident", time.Since(begun).Round(time.Second), requests, resident)
	}
	return nil
}

// starts measures how long podshare's webhook takes from its start until it is ready.
func (b *bench) starts(ctx context.Context) error {
	const starts = 15
	return b.part(fmt.Sprintf("podshare's webhook is started %d times", starts), func() (string, error) {
		w := find(b.webhooks, podshareName)
		var took []time.Duration
		for range starts {
			if err := w.stop(); err != nil {
				return "", err
			}
			begun := time.Now()
			if err := w.start(ctx, time.Millisecond); err != nil {
				return "", err
			}
			took = append(took, time.Since(begun))
		}
		return fmt.Sprintf("ready after %s (median), %s at most\n", milliseconds(quantile(took, 0.5)), milliseconds(quantile(took, 1))), nil
	})
}
