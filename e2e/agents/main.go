//go:build linux

// Agents measures what podshare's agent costs where it works: in many pods on a real node. The node is a cluster of its own on this
// computer (e2e/cluster, Options.Node) with podshare's servers beside it, which all is removed at the end. It needs root on Debian or
// Ubuntu, what `make kube build bin/machine bin/pause` makes, and runs in the repository's root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/node"
	"github.com/podshare/podshare/e2e/screen"
	"github.com/podshare/podshare/pkg/config"
)

// exitInterrupted is what a shell reports of a program that Ctrl-C ended.
const exitInterrupted = 130

var errInterrupted = errors.New("interrupted")

type options struct {
	pods  int
	time  time.Duration
	probe config.ProbeKind
}

func main() {
	var o options
	flag.IntVar(&o.pods, "pods", 100, "pods that consume a share; with its requests each takes 11m of the node's CPU")
	flag.DurationVar(&o.time, "time", time.Minute, "how long their CPU time is measured; the kubelet asks each every 10 s")
	probe := flag.String("probe", string(config.ProbeExec), "how the kubelet asks the agents: exec or httpGet")
	flag.Parse()
	o.probe = config.ProbeKind(*probe)
	ctrllog.SetLogger(logr.Discard()) // of the client library, which complains when it has none
	ctx := command.Context()
	if err := o.check(); err != nil {
		fmt.Fprintln(os.Stderr, "agents:", err)
		os.Exit(2)
	}
	if err := measure(ctx, o, screen.New(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "\nagents:", err)
		if errors.Is(err, errInterrupted) {
			os.Exit(exitInterrupted)
		}
		os.Exit(1)
	}
}

func (o *options) check() error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	case o.pods < 1 || o.time <= 0:
		return errors.New("-pods and -time must be above 0")
	case !slices.Contains(config.ProbeKinds, o.probe):
		return fmt.Errorf("-probe %s must be one of %v", o.probe, config.ProbeKinds)
	}
	return nil
}

// measure makes the cluster, measures, prints the table and removes everything, whatever happens.
func measure(ctx context.Context, o options, out *screen.Screen) (err error) {
	r := &run{options: o}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = errInterrupted // whatever was going on failed for that reason only
		}
		if r.cluster != nil {
			err = errors.Join(err, out.Step("everything is stopped and removed", r.cluster.Stop))
		}
	}()
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"what killed runs left is removed", clean},
		{"a cluster with a node is ready", r.start},
		{"the node has the images of the agent, and of a program that does nothing", r.importImages},
		{fmt.Sprintf("podshare is installed, with agent.probe: %s", o.probe), r.install},
		{fmt.Sprintf("%d pods that consume a share, and one that produces it, are ready", o.pods), r.runPods},
		{fmt.Sprintf("the last of them has been ready for %s", settled), r.settle},
		{fmt.Sprintf("they are measured for %s", o.time), r.measure},
	} {
		if err := out.Step(step.what, func() error { return step.do(ctx) }); err != nil {
			return err
		}
	}
	out.Say("\n%s", r.table())
	return nil
}

func clean(context.Context) error {
	if missing := node.MissingPackages(); len(missing) > 0 {
		return errors.New("a node needs packages that are missing: install " + strings.Join(missing, ", "))
	}
	_, err := cluster.Clean(cluster.Root, false)
	return err
}
