// Package plugin_test runs kubectl podshare against a real control plane with podshare, and breaks what it is to find.
package plugin_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/integration/installation"
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

func TestMain(m *testing.M) { os.Exit(installation.Run(m, "plugin", setUp)) }

func setUp(ctx context.Context, i *installation.Installation) error {
	kubernetes, podshare, api, installed, cacheDir = i.Kubernetes, i.Podshare, i.API, i.Objects, i.Dir
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
