package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	pollInterval = 50 * time.Millisecond
	// probeLimit bounds one look at a condition: a server that accepts a connection and then says nothing is asked again.
	probeLimit = 5 * time.Second

	tailLines = 20
	tailBytes = 8 << 10
)

// Await returns when ready does so without an error. It gives up when ctx ends, after the limit, and at once when the
// process exits; its error then has ready's last one and the last lines of the process's log. what completes the
// sentence "waiting for ...".
func (p *Process) Await(
	ctx context.Context, what string, limit time.Duration, ready func(context.Context) error,
) error {
	return await(ctx, what, limit, ready, p)
}

// await is Process.Await for a condition that needs several processes. The log of the first is shown when time is up.
func await(
	ctx context.Context, what string, limit time.Duration, ready func(context.Context) error, processes ...*Process,
) error {
	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		probe, cancel := context.WithTimeout(bounded, probeLimit)
		problem := ready(probe)
		cancel()
		for _, p := range processes { // also after success: what answered may be another program on a port that p lost
			if p.exited() {
				return p.exitError("waiting for " + what)
			}
		}
		if problem == nil {
			return nil
		}
		select {
		case <-bounded.Done():
			return awaitError(ctx, what, time.Since(begun), problem, processes[0])
		case <-tick.C:
		}
	}
}

func awaitError(ctx context.Context, what string, waited time.Duration, problem error, culprit *Process) error {
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return fmt.Errorf("waited %s for %s: %w; %s", waited.Round(100*time.Millisecond), what, problem,
		quoteLog(culprit.log, tail(culprit.log)))
}

// tail returns the last lines of a file, or why they cannot be read.
func tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close() //nolint:errcheck // only read
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		if _, err := file.Seek(max(0, size-tailBytes), io.SeekStart); err != nil {
			return err.Error()
		}
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

func quoteLog(path, end string) string {
	if end == "" {
		return "its log " + path + " is empty"
	}
	return "the last lines of " + path + ":\n" + end
}
