// Package plugin_test runs kubectl podshare against a real control plane with podshare, and breaks what it is to find.
package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/retry"
	"github.com/podshare/podshare/e2e/servers"
)

var (
	kubernetes *cluster.Cluster
	podshare   *servers.Servers
	api        client.Client
	// installed is what was applied.
	installed []*unstructured.Unstructured
	// cacheDir is where the plugin keeps what it has learned of the API server.
	cacheDir string
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

// run gives the tests a control plane with podshare's programs beside it.
func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if err := os.Chdir("../../.."); err != nil { // where the paths of the repository begin
		return 0, err
	}
	dir, err := os.MkdirTemp("", "podshare-plugin-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cacheDir = dir
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "./cmd/podshare-webhook", "./cmd/podshare-controller")
	if printed, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building podshare: %w\n%s", err, printed)
	}
	if kubernetes, err = cluster.StartNew(ctx, "plugin-", cluster.Options{Assets: "bin/assets"}); err != nil {
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
	for _, object := range objects { // what is applied becomes what the API server answers
		installed = append(installed, object.DeepCopy())
	}
	if err := install.Apply(ctx, access, objects); err != nil {
		return err
	}
	return errors.Join(podshare.StartWebhook(ctx), podshare.StartController(ctx, ""), retry.Within(ctx, limit, tick, isWhole))
}

// isWhole says what is missing for an annotated pod to be injected.
func isWhole(ctx context.Context) error {
	pod := newPod("default", "probe", map[string]string{"podshare.dev/consume": "probe"})
	if err := api.Create(ctx, pod, client.DryRunAll); err != nil {
		return err
	}
	if pod.Labels["podshare.dev/injected"] != "true" {
		return errors.New("an annotated pod was accepted without its share")
	}
	return nil
}
