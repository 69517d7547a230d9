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

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/integration/installation"
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
	program, err := exec.LookPath("prometheus")
	switch {
	case err != nil && os.Getenv("CI") == "":
		fmt.Println("e2e/monitoring: not run: prometheus is not installed; it is in Debian's package of that name")
		os.Exit(0)
	case err != nil:
		fmt.Fprintln(os.Stderr, "e2e/monitoring: CI has prometheus, of Debian's package of that name:", err)
		os.Exit(1)
	}
	os.Exit(installation.Run(m, "monitoring", func(ctx context.Context, i *installation.Installation) (err error) {
		kubernetes, podshare, api = i.Kubernetes, i.Podshare, i.API
		if err := errors.Join(podshare.StartWebhook(ctx), podshare.StartController(ctx, "")); err != nil {
			return err
		}
		prometheus, err = startPrometheus(ctx, program, i.Dir)
		return err
	}))
}
