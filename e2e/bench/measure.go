//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// concurrencies are how many requests are on their way at a time.
var concurrencies = []int{1, 8}

// result is one measurement.
type result struct {
	cpu     time.Duration // of the process, a request
	latency time.Duration // median
}

// ordinary measures the captured review, the webhooks taking turns.
func (b *bench) ordinary(ctx context.Context) error {
	what := fmt.Sprintf("%d turns of %d requests of %.1f KB each", b.turns, b.requests, float64(len(b.review))/1000)
	return b.part(what, func() (string, error) {
		if err := b.takeTurns(ctx); err != nil {
			return "", err
		}
		return b.ratios(), nil
	})
}

// takeTurns measures all of them, each turn in another order.
func (b *bench) takeTurns(ctx context.Context) error {
	for turn := range b.turns + 1 { // the first one is to warm up
		for i := range b.webhooks {
			w := b.webhooks[(i+turn)%len(b.webhooks)]
			for _, concurrency := range concurrencies {
				r, err := w.measure(ctx, b.review, b.requests, concurrency)
				if err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
				if turn > 0 {
					w.results[concurrency] = append(w.results[concurrency], r)
				}
			}
		}
	}
	return nil
}

func (w *webhook) measure(ctx context.Context, review []byte, requests, concurrency int) (result, error) {
	before, err := w.stat().RunningTime()
	if err != nil {
		return result{}, err
	}
	latencies, err := w.load(ctx, review, requests, concurrency)
	if err != nil {
		return result{}, err
	}
	after, err := w.stat().RunningTime()
	return result{(after - before) / time.Duration(len(latencies)), quantile(latencies, 0.5)}, err
}

// load sends a review many times, several at once, and returns how long the answers took.
func (w *webhook) load(ctx context.Context, review []byte, requests, concurrency int) ([]time.Duration, error) {
	latencies := make([][]time.Duration, concurrency)
	problems := make([]error, concurrency)
	var group sync.WaitGroup
	for n := range concurrency {
		group.Go(func() {
			for range requests / concurrency {
				begun := time.Now()
				if problems[n] = w.ask(ctx, review); problems[n] != nil {
					return
				}
				latencies[n] = append(latencies[n], time.Since(begun))
			}
		})
	}
	group.Wait()
	return slices.Concat(latencies...), errors.Join(problems...)
}

// ratios has a row for each webhook and concurrency. The ratios are of the same turn; in brackets the least and the most.
func (b *bench) ratios() string {
	t := newTable("at a time", "webhook", "CPU a request", "times the floor's", "median latency")
	for _, concurrency := range concurrencies {
		for _, w := range b.webhooks {
			var cpus, latencies []time.Duration
			var ratios []float64
			for turn, r := range w.results[concurrency] {
				cpus, latencies = append(cpus, r.cpu), append(latencies, r.latency)
				ratios = append(ratios, float64(r.cpu)/float64(b.webhooks[0].results[concurrency][turn].cpu))
			}
			t.row(fmt.Sprint(concurrency), labels[w.name], microseconds(quantile(cpus, 0.5)),
				fmt.Sprintf("%.2f (%.2f to %.2f)", quantile(ratios, 0.5), slices.Min(ratios), slices.Max(ratios)), microseconds(quantile(latencies, 0.5)))
		}
	}
	return t.String()
}

// quantile is the value that a part of all values is below.
func quantile[T cmp.Ordered](values []T, part float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(float64(len(sorted))*part), len(sorted)-1)]
}

func microseconds(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

// table is text in columns.
type table struct {
	text strings.Builder
	*tabwriter.Writer
}

func newTable(columns ...string) *table {
	t := &table{}
	t.Writer = tabwriter.NewWriter(&t.text, 0, 8, 2, ' ', 0)
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) }

func (t *table) String() string {
	_ = t.Flush()
	return t.text.String()
}
