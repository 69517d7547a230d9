// Package drills_test breaks podshare, and what it runs on, beside a real control plane, and looks at who is hurt: podshare's own two
// programs as processes, without a node.
package drills_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/servers"
)

var (
	kubernetes *cluster.Cluster
	podshare   *servers.Servers
	api        client.Client
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	ctrllog.SetLogger(logr.Discard())
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run gives the tests a control plane with podshare, whose controller reaches it over a line that can be cut.
func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if err := os.Chdir("../../.."); err != nil { // where the paths of the repository begin
		return 0, err
	}
	dir, err := os.MkdirTemp("", "podshare-drills-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "./cmd/podshare-webhook", "./cmd/podshare-controller")
	if printed, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building podshare: %w\n%s", err, printed)
	}
	if kubernetes, err = cluster.StartNew(ctx, "drills-", cluster.Options{Assets: "bin/assets"}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, kubernetes.Stop()) }()
	if err := installPodshare(ctx, dir); err != nil {
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
	if apiServer, err = newLine(access.Host); err != nil {
		return err
	}
	return errors.Join(podshare.StartWebhook(ctx), podshare.StartController(ctx, apiServer.url), within(ctx, isWhole))
}
