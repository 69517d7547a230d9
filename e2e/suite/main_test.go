// Package suite_test proves podshare on a cluster with nodes. It installs podshare as its documentation says, from
// manifests/overlays/default, and knows nothing of how the cluster came to be: `make e2e-kind` makes one and runs it.
//
// The environment says what to use:
//
//	PODSHARE_E2E   1: there is a cluster. Without it nothing is run, so that `go test ./...` needs none.
//	KUBECONFIG     how to reach it, as an administrator. cert-manager has to be there.
//	STORAGE_CLASS  a class that offers ReadWriteMany; the cluster's default without it.
//	IMAGE, AGENT_IMAGE, PYTHON_IMAGE  podshare's two images, and one with python3.
//	BREAKER_IMAGE  that of e2e/breaker; without it, what needs storage that fails is skipped.
//	DISTURB        a program that does to the cluster what its API cannot: restart-api-server, stop-node NAME, start-node NAME;
//	               without it, what needs that is skipped.
//	KUBECTL        kubectl, whose output is compared with the documentation's; not compared without it.
//	KEEP           1: podshare stays installed afterwards.
package suite_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/retry"
)

const (
	// limit bounds every wait: many times what it takes, since nodes may be busy starting pods.
	limit = 3 * time.Minute
	tick  = 200 * time.Millisecond

	root = "../.." // the repository's
)

var (
	access *rest.Config
	api    client.Client
	nodes  kubernetes.Interface // for what is asked of nodes: logs and commands

	storageClass = os.Getenv("STORAGE_CLASS")
	image        = os.Getenv("IMAGE")
	agentImage   = os.Getenv("AGENT_IMAGE")
	pythonImage  = cmp.Or(os.Getenv("PYTHON_IMAGE"), "python:3.14-slim")
)

func TestMain(m *testing.M) {
	if os.Getenv("PODSHARE_E2E") != "1" {
		fmt.Println("e2e/suite: not run, as it needs a cluster with nodes: make e2e-kind")
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctrllog.SetLogger(logr.Discard()) // of the client library, which complains when it has none
	ctx := context.Background()
	if err := errors.Join(connect(), installPodshare(ctx, overlay)); err != nil {
		fmt.Fprintln(os.Stderr, "e2e/suite:", err)
		return 1
	}
	code = m.Run()
	if os.Getenv("KEEP") == "1" {
		return code
	}
	if err := uninstallPodshare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e/suite: uninstalling:", err)
		return 1
	}
	return code
}

func connect() (err error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if access, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig(); err != nil {
		return err
	}
	access.QPS = -1 // a test should wait for the API server, not for its own client
	access.WarningHandler = rest.NoWarnings{}
	if api, err = client.New(access, client.Options{}); err != nil {
		return err
	}
	nodes, err = kubernetes.NewForConfig(access)
	return err
}

// within tries something until it succeeds, and returns the last error when the time is up.
func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	return retry.Within(ctx, limit, tick, do)
}

func repositoryPath(elements ...string) string {
	return filepath.Join(append([]string{root}, elements...)...)
}
