// Package manifests_test applies what users install to a real API server, and looks at what it lets through: for the
// webhook up, down and not registered, and for the accounts that podshare runs as.
package manifests_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/integration/controlplane"
)

const (
	// limit bounds every wait: many times what it takes, since a machine may be busy.
	limit = 30 * time.Second
	tick  = 50 * time.Millisecond
)

var (
	administrator *rest.Config
	api           client.Client
	// warnings are those that the API server sent since the last call of take.
	warnings warningLog
	// manifests is the directory of that name.
	manifests string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if clientDir, err = os.MkdirTemp("", "podshare-client-"); err != nil {
		return controlplane.Failed(err)
	}
	defer os.RemoveAll(clientDir) //nolint:errcheck // a leftover harms nobody
	withCertificate, err := withClientCertificate(clientDir)
	if err != nil {
		return controlplane.Failed(err)
	}
	return controlplane.Run(m, func(access *rest.Config) error {
		root, err := controlplane.Root()
		if err != nil {
			return err
		}
		manifests = filepath.Join(root, "manifests")
		administrator = rest.CopyConfig(access)
		administrator.WarningHandler = &warnings
		if api, err = client.New(administrator, client.Options{}); err != nil {
			return err
		}
		if err := playServiceAccountController(context.Background(), "default", "kube-system"); err != nil {
			return err
		}
		return installAll(context.Background())
	}, controlplane.WithServiceAccounts, withCertificate)
}

// playServiceAccountController creates the account that pods have by default, which a part of Kubernetes that does not run here
// would do.
func playServiceAccountController(ctx context.Context, namespaces ...string) error {
	for _, namespace := range namespaces {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
		if err := api.Create(ctx, account); err != nil {
			return err
		}
	}
	return nil
}

// installAll does what the documentation says: cert-manager's kinds first, then the default overlay.
func installAll(ctx context.Context) error {
	definitions, err := install.CertManagerDefinitions(ctx)
	if err != nil {
		return err
	}
	_, err = envtest.InstallCRDs(administrator, envtest.CRDInstallOptions{
		Paths: []string{definitions}, ErrorIfPathMissing: true, MaxTime: limit,
	})
	if err != nil {
		return err
	}
	objects, err := install.Render(filepath.Join(manifests, "overlays", "default"))
	if err != nil {
		return err
	}
	if err := install.Apply(ctx, administrator, objects); err != nil {
		return err
	}
	return playQuotaController(ctx)
}

// playQuotaController writes the status of quotas, which a part of Kubernetes that does not run here would do: without
// one the API server refuses what they count.
func playQuotaController(ctx context.Context) error {
	var quotas corev1.ResourceQuotaList
	if err := api.List(ctx, &quotas, client.InNamespace("podshare-system")); err != nil {
		return err
	}
	for _, quota := range quotas.Items {
		quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, corev1.ResourceList{}
		for name := range quota.Spec.Hard {
			quota.Status.Used[name] = resource.MustParse("0")
		}
		if err := api.Status().Update(ctx, &quota); err != nil {
			return err
		}
	}
	return nil
}

// warningLog keeps what the API server warns of.
type warningLog struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warningLog) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// take returns the warnings since the last call.
func (w *warningLog) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := slices.Clone(w.texts)
	w.texts = nil
	return texts
}
