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

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/screen"
)

type options struct {
	turns    int
	requests int
	pods     int
	review   string
	program  string
}

func main() {
	o := options{}
	flag.IntVar(&o.turns, "turns", 7, "how often each webhook is measured")
	flag.IntVar(&o.requests, "requests", 4000, "requests of a measurement")
	flag.IntVar(&o.pods, "pods", 300, "pods that are created through an API server, of each kind; 0: none")
	flag.StringVar(&o.review, "review", "pkg/webhook/testdata/review.json", "the AdmissionReview that is sent")
	flag.StringVar(&o.program, "podshare", "bin/podshare-webhook", "podshare's webhook")
	serve := flag.String("serve", "", "be the webhook of this name instead: "+floorName+" or "+defaulterName)
	address := flag.String("address", "", "where to serve")
	certificates := flag.String("cert-dir", "", "what to serve with")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard())
	ctx := command.Context()
	var err error
	if *serve != "" {
		err = runPeer(*serve, *address, *certificates)
	} else {
		err = run(ctx, o, screen.New(os.Stdout))
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, and prints the table.
func run(ctx context.Context, o options, out *screen.Screen) (err error) {
	body, err := os.ReadFile(o.review)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "podshare-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ca, err := install.WriteServingCertificate(filepath.Join(dir, "certificates"), "127.0.0.1")
	if err != nil {
		return err
	}
	var contestants []*contestant
	defer func() {
		for _, c := range contestants {
			err = errors.Join(err, c.stop())
		}
	}()
	err = out.Step("the webhooks answer", func() error {
		contestants, err = startAll(ctx, o, dir, ca)
		return err
	})
	if err != nil {
		return err
	}
	err = out.Step(fmt.Sprintf("%d turns of %d requests of %.1f KB each", o.turns, o.requests, float64(len(body))/1000), func() error {
		return measureAll(ctx, o, contestants, body)
	})
	if err != nil {
		return err
	}
	out.Say("\n%s", table(contestants))
	if o.pods == 0 {
		return nil
	}
	var created string
	err = out.Step(fmt.Sprintf("%d pods of each kind are created through an API server, in turns", o.pods), func() error {
		created, err = throughAPIServer(ctx, o, contestants, ca, body)
		return err
	})
	if err != nil {
		return err
	}
	out.Say("\n%s", created)
	return nil
}
