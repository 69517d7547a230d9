// Package drills_test breaks podshare, and what it runs on, beside a real control plane, and looks at who is hurt: podshare's own two
// programs as processes, without a node.
package drills_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/integration/installation"
	"github.com/podshare/podshare/e2e/servers"
)

var (
	kubernetes *cluster.Cluster
	podshare   *servers.Servers
	api        client.Client
)

func TestMain(m *testing.M) { os.Exit(installation.Run(m, "drills", setUp)) }

// setUp starts podshare, whose controller reaches the control plane over a line that can be cut.
func setUp(ctx context.Context, i *installation.Installation) (err error) {
	kubernetes, podshare, api = i.Kubernetes, i.Podshare, i.API
	if apiServer, err = newLine(kubernetes.Config().Host); err != nil {
		return err
	}
	return errors.Join(podshare.StartWebhook(ctx), podshare.StartController(ctx, apiServer.url), within(ctx, isWhole))
}
