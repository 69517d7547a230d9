// Kind runs the suite of e2e/suite on a cluster of its own that kind makes: one control plane and two workers, which share a
// directory of this machine as ReadWriteMany storage. `make e2e-kind` builds what it needs and runs it in the repository's
// root. It needs a Docker engine, and removes all that it made when it ends.
//
// The environment says what to use:
//
//	DOCKER_HOST      the engine, as for every Docker client
//	KIND_NODE_IMAGE  the nodes' image; kind's own without it
//	PYTHON_IMAGE     an image with python3; one that the engine has is loaded, others the nodes pull
//	TESTS            a pattern for the names of the tests to run; all without it
//	KEEP             1: leave the cluster running
//
// As `e2e-kind restart-api-server`, `e2e-kind stop-node NAME` and `e2e-kind start-node NAME` it does that to its cluster: the
// suite's DISTURB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/screen"
)

func main() {
	clean := flag.Bool("clean", false, "remove the cluster that was kept or whose run was killed, and do nothing else")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard()) // of the client library, which complains when it has none
	ctx := command.Context()
	do := runSuite
	switch {
	case *clean:
		do = cleanUp
	case flag.NArg() > 0:
		do = func(ctx context.Context, _ *screen.Screen) error { return disturb(ctx, flag.Args()) }
	}
	if err := do(ctx, screen.New(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "\ne2e/kind:", err)
		os.Exit(1)
	}
}

// runSuite makes the cluster, runs the suite on it and removes it, whatever happens; with KEEP=1 it stays.
func runSuite(ctx context.Context, out *screen.Screen) (err error) {
	keep := os.Getenv("KEEP") == "1"
	c, err := newCluster(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if keep {
			out.Say("\nThe cluster is left running:\n\n  export KUBECONFIG=%s\n\nTo remove it: make clean-e2e-kind", c.kubeconfig)
			return
		}
		err = errors.Join(err, out.Step("the cluster is removed", func() error { return c.remove(context.WithoutCancel(ctx)) }))
	}()
	out.Title("1. A cluster of kind, three nodes")
	l := &loader{cluster: c, python: os.Getenv("PYTHON_IMAGE")}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"what an earlier run left is removed", c.remove},
		{"podshare's images are built", l.build},
		{"the nodes are ready", c.create},
		{"the images are on the nodes", l.load},
		{"volumes that all nodes share", c.createVolumes},
		{"cert-manager works", func(ctx context.Context) error { return installCertManager(ctx, c, l) }},
	} {
		if err := out.Step(step.what, func() error { return step.do(ctx) }); err != nil {
			return err
		}
	}
	out.Title("2. The suite")
	return c.test(ctx, l.python)
}

func cleanUp(ctx context.Context, out *screen.Screen) error {
	c, err := newCluster(ctx)
	if err != nil {
		return err
	}
	return out.Step("the cluster is removed", func() error { return c.remove(ctx) })
}
