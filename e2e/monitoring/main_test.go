// Package monitoring_test runs a real Prometheus beside a control plane with podshare's webhook and controller and an agent, with
// podshare's rules, and makes the alerts fire. What needs a node, or a file system that is full or hangs, is not here;
// manifests/monitoring/rules.test.yaml plays that.
package monitoring_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/servers"
)

const (
	// limit bounds every wait: many times what it takes.
	limit = time.Minute
	tick  = 200 * time.Millisecond
)

var (
	kubernetes *cluster.Cluster
	podshare   *servers.Servers
	api        client.Client
	prometheus *server
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	ctrllog.SetLogger(logr.Discard())
	program, err := exec.LookPath("prometheus")
	switch {
	case err != nil && os.Getenv("CI") == "":
		fmt.Println("e2e/monitoring: not run: prometheus is not installed; it is in Debian's package of that name")
		os.Exit(0)
	case err != nil:
		fmt.Fprintln(os.Stderr, "e2e/monitoring: CI has prometheus, of Debian's package of that name:", err)
		os.Exit(1)
	}
	code, err := run(m, program)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, program string) (code int, err error) {
	ctx := context.Background()
	if err := os.Chdir("../.."); err != nil { // where the paths of the repository begin
		return 0, err
	}
	dir, err := os.MkdirTemp("", "podshare-monitoring-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "./cmd/podshare-webhook", "./cmd/podshare-controller", "./cmd/podshare-agent")
	if printed, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building podshare: %w\n%s", err, printed)
	}
	if kubernetes, err = cluster.StartNew(ctx, "monitoring-", cluster.Options{Assets: "bin/assets"}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, kubernetes.Stop()) }()
	if err := installPodshare(ctx, dir); err != nil {
		return 0, err
	}
	if prometheus, err = startPrometheus(ctx, program, dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func installPodshare(ctx context.Context, programs string) error {
	access := kubernetes.Config()
	access.WarningHandler = rest.NoWarnings{}
	var err error
	if api, err = client.New(access, client.Options{}); err != nil {
		return err
	}
	objects, err := install.Render("manifests/overlays/local")
	if err != nil {
		return err
	}
	if podshare, err = servers.New(kubernetes, programs, objects); err != nil {
		return err
	}
	if err := install.Apply(ctx, access, objects); err != nil {
		return err
	}
	return errors.Join(podshare.StartWebhook(ctx), podshare.StartController(ctx, ""))
}
