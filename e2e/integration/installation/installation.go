// Package installation gives a package's tests podshare as it is installed, without a node: its programs as processes beside a real
// control plane of their own, with all of Kubernetes' controllers.
package installation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/integration/controlplane"
	"github.com/podshare/podshare/e2e/servers"
)

// Installation is what was installed. Its servers are not started yet.
type Installation struct {
	Kubernetes *cluster.Cluster
	Podshare   *servers.Servers
	// API is an administrator's.
	API client.Client
	// Objects are those that were applied.
	Objects []*unstructured.Unstructured
	// Dir has podshare's three programs, and is removed in the end.
	Dir string
}

// Run runs a package's tests in the repository's root, and returns what os.Exit wants. name is for the cluster's directory. setUp starts what
// all tests share.
func Run(tests interface{ Run() int }, name string, setUp func(context.Context, *Installation) error) int {
	klog.SetLogger(logr.Discard())
	ctrllog.SetLogger(logr.Discard())
	code, err := run(context.Background(), tests, name, setUp)
	if err != nil {
		return controlplane.Failed(err)
	}
	return code
}

func run(ctx context.Context, tests interface{ Run() int }, name string, setUp func(context.Context, *Installation) error) (code int, err error) {
	root, err := controlplane.Root()
	if err != nil {
		return 0, err
	}
	if err := os.Chdir(root); err != nil { // where the paths of the repository begin
		return 0, err
	}
	i := &Installation{}
	if i.Dir, err = os.MkdirTemp("", "podshare-"+name+"-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(i.Dir)) }()
	build := exec.CommandContext(ctx, "go", "build", "-o", i.Dir, "./cmd/podshare-webhook", "./cmd/podshare-controller", "./cmd/podshare-agent")
	if printed, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building podshare: %w\n%s", err, printed)
	}
	if i.Kubernetes, err = cluster.StartNew(ctx, name+"-", cluster.Options{Assets: "bin/assets"}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, i.Kubernetes.Stop()) }()
	if err := i.apply(ctx); err != nil {
		return 0, err
	}
	if err := setUp(ctx, i); err != nil {
		return 0, err
	}
	return tests.Run(), nil
}

func (i *Installation) apply(ctx context.Context) error {
	access := i.Kubernetes.Config()
	access.WarningHandler = rest.NoWarnings{}
	var err error
	if i.API, err = client.New(access, client.Options{}); err != nil {
		return err
	}
	objects, err := install.Render("manifests/overlays/local")
	if err != nil {
		return err
	}
	if i.Podshare, err = servers.New(i.Kubernetes, i.Dir, objects); err != nil {
		return err
	}
	for _, object := range objects { // what is applied becomes what the API server answers
		i.Objects = append(i.Objects, object.DeepCopy())
	}
	return install.Apply(ctx, access, objects)
}
