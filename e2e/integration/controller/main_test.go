// Package controller_test runs podshare's controller against a real API server, with the permissions that
// manifests/base gives it and no others.
package controller_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/integration/controlplane"
)

var (
	// administrator is how the tests themselves reach the API server.
	administrator *rest.Config
	// api asks the API server directly, so that a test sees what is there and not what a cache has.
	api client.WithWatch
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard()) // each controller of a test has a log of its own
	ctrllog.SetLogger(logr.Discard())
	os.Exit(controlplane.Run(m, func(access *rest.Config) (err error) {
		administrator = access
		if api, err = client.NewWithWatch(access, client.Options{}); err != nil {
			return err
		}
		return installAccount(context.Background())
	}))
}

// installAccount applies what the controller's permissions come from, and nothing else of what is installed.
func installAccount(ctx context.Context) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	objects, err := install.Render(filepath.Join(root, "manifests", "base"))
	if err != nil {
		return err
	}
	needed := []string{"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return !slices.Contains(needed, o.GetKind())
	})
	return install.Apply(ctx, administrator, objects)
}
