//go:build linux

// Bench measures what podshare's webhook costs, beside the least that any webhook does (the floor: TLS, read the body, find the uid,
// allow) and beside controller-runtime's typed defaulter that makes the same change. Each is a process of its own; they take turns, and
// ratios are those of one turn, so that a machine whose speed drifts hurts none more than another. `make bench` runs it in the
// repository's root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/screen"
)

type options struct {
	turns     int
	requests  int
	load      int
	pods      int
	soak      time.Duration
	review    string
	programs  string
	podshare  string
	ca        []byte
	directory string
}

func main() {
	o := options{}
	flag.IntVar(&o.turns, "turns", 7, "how often each webhook is measured")
	flag.IntVar(&o.requests, "requests", 4000, "requests of a measurement")
	flag.IntVar(&o.load, "load", 100_000, "requests after which the resident memory is looked at, 64 at a time")
	flag.IntVar(&o.pods, "pods", 300, "pods that are created through an API server, of each kind; 0: none")
	flag.DurationVar(&o.soak, "soak", 0, "instead of all that: for so long send podshare's webhook requests, and look at its memory")
	flag.StringVar(&o.review, "review", "pkg/webhook/testdata/review.json", "the AdmissionReview that is sent")
	flag.StringVar(&o.programs, "programs", "bin", "the directory with the programs")
	flag.StringVar(&o.podshare, "podshare", "", "podshare's webhook, if it is not in -programs")
	serve := flag.Bool("serve-defaulter", false, "be the typed defaulter instead")
	address := flag.String("address", "", "where to serve it")
	certificates := flag.String("cert-dir", "", "what to serve it with")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard())
	ctx := command.Context()
	var err error
	if *serve {
		err = serveDefaulter(*address, *certificates)
	} else {
		err = run(ctx, o, screen.New(os.Stdout))
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, and prints a table of each part.
func run(ctx context.Context, o options, out *screen.Screen) (err error) {
	body, err := os.ReadFile(o.review)
	if err != nil {
		return err
	}
	if o.directory, err = os.MkdirTemp("", "podshare-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.directory)) }()
	if o.ca, err = install.WriteServingCertificate(o.certificates(), "127.0.0.1"); err != nil {
		return err
	}
	var webhooks []*webhook
	defer func() {
		for _, w := range webhooks {
			err = errors.Join(err, w.stop())
		}
	}()
	err = out.Step("the webhooks answer", func() error {
		webhooks, err = startAll(ctx, o)
		return err
	})
	if err != nil {
		return err
	}
	if o.soak > 0 {
		return soak(ctx, o, find(webhooks, podshareName), body, out)
	}
	b := &bench{options: o, out: out, webhooks: webhooks, review: body}
	for _, part := range []func(context.Context) error{b.ordinary, b.large, b.memory, b.starts, b.apiServer} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) certificates() string { return filepath.Join(o.directory, "certificates") }

// bench is one run.
type bench struct {
	options
	out      *screen.Screen
	webhooks []*webhook // the floor first
	review   []byte
}

// part measures something, and prints what it found.
func (b *bench) part(what string, measure func() (table string, err error)) error {
	var text string
	err := b.out.Step(what, func() (err error) {
		text, err = measure()
		return err
	})
	if err == nil {
		b.out.Say("\n%s", text)
	}
	return err
}
