//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/retry"
)

const (
	// startLimit bounds the wait for each thing that is measured: many times what it takes.
	startLimit = time.Minute
	tick       = 20 * time.Millisecond
)

// concurrencies are how many requests are on their way at a time.
var concurrencies = []int{1, 8}

// contestant is a webhook that is measured: a process.
type contestant struct {
	name    string
	port    int
	url     string
	client  *http.Client
	process *exec.Cmd
	results map[int][]result // by concurrency, one a turn
}

// result is one measurement.
type result struct {
	cpu     time.Duration // of the process, a request
	latency time.Duration // median
}

// startAll runs the webhooks, the floor first.
func startAll(ctx context.Context, o options, dir string, ca []byte) ([]*contestant, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ports, err := cluster.FreePorts(3)
	if err != nil {
		return nil, err
	}
	certificates := "--cert-dir=" + filepath.Join(dir, "certificates")
	var all []*contestant
	for i, name := range []string{floorName, "podshare", defaulterName} {
		address := fmt.Sprintf("127.0.0.1:%d", ports[i])
		arguments := []string{self, "-serve=" + name, "-address=" + address, certificates}
		path := ""
		if name == "podshare" {
			arguments = []string{o.program, certificates, "--bind-address=" + address, "--metrics-address=0", "--drain-delay=0s"}
			path = "/mutate-pods"
		}
		c, err := start(ctx, &contestant{name: name, port: ports[i], url: "https://" + address + path}, ca, arguments)
		if c != nil {
			all = append(all, c)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// start runs a contestant, and waits until it answers.
func start(ctx context.Context, c *contestant, ca []byte, arguments []string) (*contestant, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	c.results = map[int][]result{}
	c.client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: slices.Max(concurrencies), TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}}
	c.process = exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	c.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	return c, retry.Within(ctx, startLimit, tick, func(context.Context) error {
		response, err := c.client.Get(c.url)
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

func (c *contestant) stop() error {
	err := c.process.Process.Kill()
	_ = c.process.Wait() // it was killed
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// measureAll lets them take turns, each turn in another order.
func measureAll(ctx context.Context, o options, all []*contestant, body []byte) error {
	for turn := range o.turns + 1 { // the first one is to warm up
		for i := range all {
			c := all[(i+turn)%len(all)]
			for _, concurrency := range concurrencies {
				r, err := c.measure(ctx, body, o.requests, concurrency)
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				if turn > 0 {
					c.results[concurrency] = append(c.results[concurrency], r)
				}
			}
		}
	}
	return nil
}

func (c *contestant) measure(ctx context.Context, body []byte, requests, concurrency int) (result, error) {
	before, err := c.cpu()
	if err != nil {
		return result{}, err
	}
	latencies := make([][]time.Duration, concurrency)
	problems := make([]error, concurrency)
	var group sync.WaitGroup
	for n := range concurrency {
		group.Go(func() {
			for range requests / concurrency {
				begun := time.Now()
				if err := c.ask(ctx, body); err != nil {
					problems[n] = err
					return
				}
				latencies[n] = append(latencies[n], time.Since(begun))
			}
		})
	}
	group.Wait()
	if err := errors.Join(problems...); err != nil {
		return result{}, err
	}
	after, err := c.cpu()
	all := slices.Concat(latencies...)
	return result{(after - before) / time.Duration(len(all)), median(all)}, err
}

// ask sends the review, and wants a yes for an answer.
func (c *contestant) ask(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Contains(answer, []byte(`"allowed":true`)) {
		err = fmt.Errorf("it says %.200q", answer)
	}
	return err
}

// cpu is the time that all threads of the process have run (proc(5), schedstat: nanoseconds, where stat has hundredths of a second).
func (c *contestant) cpu() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(content), " ")
		nanoseconds, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += time.Duration(nanoseconds)
	}
	return sum, nil
}

// resident is the memory that the process has, in MiB (proc(5), statm).
func (c *contestant) resident() (float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(content))
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return float64(pages) * float64(os.Getpagesize()) / (1 << 20), err
}

// table has a row for each contestant and concurrency. The ratios are of the same turn; in brackets the least and the most.
func table(all []*contestant) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "at a time\twebhook\tCPU a request\ttimes the floor's\tmedian latency\tresident")
	for _, concurrency := range concurrencies {
		for _, c := range all {
			var cpus, latencies []time.Duration
			var ratios []float64
			for turn, r := range c.results[concurrency] {
				cpus, latencies = append(cpus, r.cpu), append(latencies, r.latency)
				ratios = append(ratios, float64(r.cpu)/float64(all[0].results[concurrency][turn].cpu))
			}
			memory, _ := c.resident() // 0 when it is gone
			_, _ = fmt.Fprintf(w, "%d\t%s\t%d µs\t%.2f (%.2f to %.2f)\t%d µs\t%.1f MiB\n", concurrency, c.name, median(cpus).Microseconds(),
				median(ratios), slices.Min(ratios), slices.Max(ratios), median(latencies).Microseconds(), memory)
		}
	}
	_ = w.Flush()
	return text.String()
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
