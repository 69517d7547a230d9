//go:build linux

// Scale measures podshare's controller on many shares and pods, on the local control plane: how long claims take, how much it
// writes, how much memory it has, what a restart does, and that pods without podshare's annotations cost it nothing.
// `go build -o bin/scale ./e2e/scale && bin/scale` runs it in the repository's root, after `make build kube`; it takes a quarter of
// an hour, and removes all it made.
//
// It fails when something cannot be done, and when a count is above its target. Times and memory depend on the machine: they are shown.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/retry"
	"github.com/podshare/podshare/e2e/screen"
	"github.com/podshare/podshare/e2e/servers"
)

type options struct {
	shares, podsPerShare int
	plain                int
	concurrency          int
	limited              bool
	programs             string
}

const (
	// startLimit bounds the wait for what takes seconds: many times what it takes.
	startLimit = 2 * time.Minute
	tick       = 100 * time.Millisecond
)

func main() {
	o := options{}
	flag.IntVar(&o.shares, "shares", 1000, "how many shares")
	flag.IntVar(&o.podsPerShare, "pods-per-share", 10, "pods that name each: one produces, the others consume")
	flag.IntVar(&o.plain, "plain", 100_000, "pods without podshare's annotations; 0: none")
	flag.IntVar(&o.concurrency, "concurrency", 16, "how many pods are being created at a time")
	flag.BoolVar(&o.limited, "limited", false, fmt.Sprintf("the platform allows %d shares in a namespace, which is as many as there are "+
		"(default: any number, as installed)", sharesPerNamespace))
	flag.StringVar(&o.programs, "programs", "bin", "the directory with podshare-webhook and podshare-controller")
	flag.Parse()
	klog.SetLogger(logr.Discard())
	ctrllog.SetLogger(logr.Discard())
	ctx := command.Context()
	err := o.check()
	if err == nil {
		err = run(ctx, o, screen.New(os.Stdout))
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("told to end before the last figure; %w", err)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func (o options) check() error {
	if o.shares < 1 || o.podsPerShare < 1 || o.concurrency < 1 || o.plain < 0 {
		return errors.New("-shares, -pods-per-share and -concurrency have to be at least 1, and -plain at least 0")
	}
	return nil
}

// scale is a run.
type scale struct {
	options
	out      *screen.Screen
	cluster  *cluster.Cluster
	podshare *servers.Servers
	api      kubernetes.Interface
	figures  figures
}

// run measures, and prints the table.
func run(ctx context.Context, o options, out *screen.Screen) (err error) {
	s := &scale{options: o, out: out}
	defer func() {
		if s.cluster != nil {
			err = errors.Join(err, out.Step("the control plane is removed", s.cluster.Stop))
		}
	}()
	if err := out.Step("podshare runs beside a control plane", func() error { return s.start(ctx) }); err != nil {
		return err
	}
	if err := s.measureShares(ctx); err != nil {
		return err
	}
	if err := s.measureRestart(ctx); err != nil {
		return err
	}
	if o.plain > 0 {
		if err := s.measurePlainPods(ctx); err != nil {
			return err
		}
	}
	out.Say("\n%s", s.figures.table())
	return s.figures.check()
}

// start installs podshare in a new cluster, and returns when annotated pods are injected.
func (s *scale) start(ctx context.Context) (err error) {
	if s.cluster, err = cluster.StartNew(ctx, "scale-", cluster.Options{Assets: "bin/assets"}); err != nil {
		return err
	}
	access := s.cluster.Config()
	access.WarningHandler = rest.NoWarnings{}
	access.ContentType = runtime.ContentTypeProtobuf // what the API server spends the least time on
	if s.api, err = kubernetes.NewForConfig(access); err != nil {
		return err
	}
	objects, err := install.Render("manifests/overlays/local")
	if err != nil {
		return err
	}
	if s.limited {
		const section = "\nlimits:\n"
		if err := install.ChangeConfig(objects, section, fmt.Sprintf("%s  sharesPerNamespace: %d\n", section, sharesPerNamespace)); err != nil {
			return err
		}
	}
	if s.podshare, err = servers.New(s.cluster, s.programs, objects); err != nil {
		return err
	}
	if err := install.Apply(ctx, s.cluster.Config(), objects); err != nil {
		return err
	}
	if err := errors.Join(s.podshare.StartWebhook(ctx), s.startController(ctx)); err != nil {
		return err
	}
	return retry.Within(ctx, startLimit, tick, s.isWhole)
}
