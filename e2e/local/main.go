// Local runs the suite of e2e/suite on a cluster of its own on this computer: the control plane, and one node whose pods run. `make
// e2e` builds what it needs and runs it in the repository's root. It needs root on Linux (Debian or Ubuntu), installs the
// distribution's packages that are missing, and removes all else that it made when it ends, however it ends.
//
// With KUBECONFIG it runs the suite on that cluster instead, and leaves nothing there.
//
// The environment says what to use:
//
//	KUBECONFIG     a cluster to run the suite on, as e2e/suite describes it; one of its own without it
//	STORAGE_CLASS, IMAGE, AGENT_IMAGE, PYTHON_IMAGE  for that cluster
//	TESTS          a pattern for the names of the tests to run; all without it
//	KEEP           1: leave the cluster running
//
// As `e2e restart-api-server` it does that to the cluster whose kubeconfig is KUBECONFIG: the suite's DISTURB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/images"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/node"
	"github.com/podshare/podshare/e2e/screen"
)

const assets = "bin/assets"

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "Runs the e2e suite on a cluster of its own, or on that of KUBECONFIG. It has no flags: see e2e/local/main.go.")
	}
	flag.Parse()
	ctrllog.SetLogger(logr.Discard()) // of the client library, which complains when it has none
	ctx := command.Context()
	do := runLocal
	switch {
	case flag.NArg() > 0:
		do = func(context.Context, *screen.Screen) error { return disturb(flag.Args()) }
	case os.Getenv("KUBECONFIG") != "":
		do = runThere
	}
	if err := do(ctx, screen.New(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "\ne2e:", err)
		os.Exit(1)
	}
}

// runThere runs the suite on a cluster of the user's.
func runThere(ctx context.Context, out *screen.Screen) error {
	var missing []string
	for _, name := range []string{"IMAGE", "AGENT_IMAGE"} {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("with KUBECONFIG, set %s too: podshare's images, in a registry that the cluster can pull from (make image "+
			"builds them)", strings.Join(missing, " and "))
	}
	out.Title("The suite, on the cluster of %s", os.Getenv("KUBECONFIG"))
	return command.Suite(ctx)
}

func disturb(how []string) error {
	if !slices.Equal(how, []string{"restart-api-server"}) {
		return fmt.Errorf("%q: only restart-api-server can be done to a cluster of this computer", how)
	}
	return cluster.RestartAPIServer(filepath.Dir(os.Getenv("KUBECONFIG")))
}

// run is one run on a cluster of its own.
type run struct {
	screen  *screen.Screen
	keep    bool
	cluster *cluster.Cluster
	images  archives
}

// runLocal makes the cluster, runs the suite on it and removes it, whatever happens; with KEEP=1 it stays.
func runLocal(ctx context.Context, out *screen.Screen) (err error) {
	r := &run{screen: out, keep: os.Getenv("KEEP") == "1"}
	defer func() {
		switch {
		case r.cluster == nil:
		case r.keep:
			out.Say("\nThe cluster is left running:\n\n  export KUBECONFIG=%s\n\nLogs: %s\nTo remove it: make clean-cluster",
				r.cluster.Kubeconfig(), r.cluster.Logs())
		default:
			err = errors.Join(err, out.Step("the cluster is removed", r.cluster.Stop))
		}
	}()
	out.Title("1. A cluster with a node, on this computer")
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"what killed runs left is removed", r.clean},
		{"the distribution's packages are there", r.installPackages},
		{"podshare's images are built from the Dockerfile", r.images.build},
		{"an image with Python is made of the distribution's packages", r.images.makePython},
		{"an image of cert-manager's controllers is built from its module", r.images.makeCertManager},
		{"an image of storage that fails when it is told to", r.images.makeBreaker},
		{"the node is ready", r.start},
		{"the images are on the node", func(ctx context.Context) error { return r.cluster.Import(ctx, r.images.files()...) }},
		{"cert-manager works", r.installCertManager},
	} {
		if err := out.Step(step.what, func() error { return step.do(ctx) }); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	kubectl, err := filepath.Abs(assets + "/kubectl")
	if err != nil {
		return err
	}
	out.Title("2. The suite")
	return command.Suite(ctx, "KUBECONFIG="+r.cluster.Kubeconfig(), "STORAGE_CLASS=", "DISTURB="+self, "KUBECTL="+kubectl,
		"IMAGE="+images.PodshareImage, "AGENT_IMAGE="+images.AgentImage, "PYTHON_IMAGE="+images.PythonImage, "BREAKER_IMAGE="+images.BreakerImage)
}

func (r *run) clean(context.Context) error {
	_, err := cluster.Clean(cluster.Root, false)
	return err
}

// installPackages says what it installs, since it stays.
func (r *run) installPackages(ctx context.Context) error {
	if os.Getuid() != 0 {
		return errors.New("a cluster with a node needs root: run it as root, or set KUBECONFIG to run on a cluster of yours")
	}
	missing := node.MissingPackages()
	if r.images.builder = builder(ctx); r.images.builder == "" {
		missing, r.images.builder = append(missing, "buildah"), "buildah"
	}
	if len(missing) == 0 {
		return nil
	}
	r.screen.Say("  installing %s with apt-get", strings.Join(missing, " "))
	noninteractive := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := command.Run(ctx, noninteractive, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return command.Run(ctx, noninteractive, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)...)
}

func (r *run) start(ctx context.Context) (err error) {
	r.cluster, err = cluster.StartNew(ctx, "e2e-", cluster.Options{Assets: assets, Node: true, Keep: r.keep})
	return err
}

func (r *run) installCertManager(ctx context.Context) error {
	objects, err := install.BuiltCertManager(ctx)
	if err != nil {
		return err
	}
	access := r.cluster.Config()
	access.WarningHandler = rest.NoWarnings{}
	return install.CertManager(ctx, access, objects)
}
