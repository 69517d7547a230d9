//go:build linux

package main

import (
	"bytes"
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
	"syscall"
	"time"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/proc"
	"github.com/podshare/podshare/e2e/retry"
)

const (
	// startLimit bounds the wait for each thing that is measured: many times what it takes.
	startLimit = time.Minute
	tick       = 20 * time.Millisecond

	floorName     = "floor"
	patchName     = "patch"
	podshareName  = "podshare"
	defaulterName = "defaulter"
)

// labels are what tables call the webhooks.
var labels = map[string]string{
	floorName: "the floor", patchName: "the floor with a patch", podshareName: "podshare", defaulterName: "the typed defaulter",
}

// webhook is one that is measured: a process.
type webhook struct {
	name      string
	port      int
	url       string
	ready     string // the page that says so; empty: it is when it answers
	arguments []string
	client    *http.Client
	process   *exec.Cmd
	results   map[int][]result // by concurrency, one a turn
}

// startAll runs the webhooks, the floor first.
func startAll(ctx context.Context, o options) ([]*webhook, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ports, err := cluster.FreePorts(4)
	if err != nil {
		return nil, err
	}
	podshare := o.podshare
	if podshare == "" {
		podshare = filepath.Join(o.programs, "podshare-webhook")
	}
	certificates := "-cert-dir=" + o.certificates()
	commands := [][]string{
		{filepath.Join(o.programs, "floor"), certificates},
		{filepath.Join(o.programs, "floor"), certificates, "-patch"},
		{podshare, "-" + certificates, "--metrics-address=0", "--drain-delay=0s"},
		{self, "-serve-defaulter", certificates},
	}
	var all []*webhook
	for i, name := range []string{floorName, patchName, podshareName, defaulterName} {
		address := fmt.Sprintf("127.0.0.1:%d", ports[i])
		w := &webhook{name: name, port: ports[i], url: "https://" + address, results: map[int][]result{}}
		flag := "-address="
		if name == podshareName {
			flag = "--bind-address="
			w.url, w.ready = w.url+"/mutate-pods", w.url+"/readyz"
		}
		w.arguments = slices.Concat(commands[i], []string{flag + address})
		w.client = newClient(o.ca)
		all = append(all, w)
		if err := w.start(ctx, tick); err != nil {
			return all, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

func find(webhooks []*webhook, name string) *webhook {
	return webhooks[slices.IndexFunc(webhooks, func(w *webhook) bool { return w.name == name })]
}

func newClient(ca []byte) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: loadConcurrency, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}}
}

// start runs the process, and waits until it is ready.
func (w *webhook) start(ctx context.Context, tick time.Duration) error {
	w.process = exec.CommandContext(ctx, w.arguments[0], w.arguments[1:]...)
	w.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.process.Start(); err != nil {
		return err
	}
	return retry.Within(ctx, startLimit, tick, func(context.Context) error {
		page := w.url
		if w.ready != "" {
			page = w.ready
		}
		response, err := w.client.Get(page)
		if err != nil {
			return err
		}
		if w.ready != "" && response.StatusCode != http.StatusOK {
			err = errors.New(response.Status)
		}
		return errors.Join(err, response.Body.Close())
	})
}

func (w *webhook) stop() error {
	if w.process == nil || w.process.Process == nil {
		return nil
	}
	err := w.process.Process.Kill()
	_ = w.process.Wait() // it was killed
	w.client.CloseIdleConnections()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// ask sends a review, and wants a yes for an answer.
func (w *webhook) ask(ctx context.Context, review []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(review))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := w.client.Do(request)
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

// stat is what the kernel says of the process.
func (w *webhook) stat() proc.Process { return proc.Process(w.process.Process.Pid) }

// resident is the memory that the process has, in MiB.
func (w *webhook) resident() (float64, error) { return w.stat().Memory("status", "VmRSS") }
