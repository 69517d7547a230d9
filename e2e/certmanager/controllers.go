package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	requestsca "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	requestsselfsigned "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	"github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	"github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca" // the kinds of issuers register themselves
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// names are the controllers that it takes to issue certificates from self-signed and CA issuers.
var names = []string{
	trigger.ControllerName,
	keymanager.ControllerName,
	requestmanager.ControllerName,
	issuing.ControllerName,
	readiness.ControllerName,
	revisionmanager.ControllerName,
	approver.ControllerName,
	requestsca.CRControllerName,
	requestsselfsigned.CRControllerName,
	issuers.ControllerName,
	clusterissuers.ControllerName,
}

// What cert-manager's own program runs with when nobody says otherwise: its packages have no defaults.
const (
	workers = 5
	// Requests to the API server per second, and at once. They count only where the server does not limit its clients.
	requestRate  = 20
	requestBurst = 50
	// After an issuance that failed. Without a wait, a request that can only fail would be made over and over.
	shortestBackoff = time.Hour
	longestBackoff  = 32 * time.Hour
)

// run runs all controllers until ctx ends or one of them fails. ClusterIssuers find their Secrets in namespace.
func run(ctx context.Context, kubeconfig, namespace string) error {
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		Kubeconfig:         kubeconfig,
		KubernetesAPIQPS:   requestRate,
		KubernetesAPIBurst: requestBurst,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: namespace},
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: shortestBackoff,
			CertificateRequestMaximumBackoffDuration: longestBackoff,
		},
	})
	if err != nil {
		return fmt.Errorf("preparing clients of the API server: %w", err)
	}
	controllers := make(map[string]controller.Interface, len(names))
	for _, name := range names {
		if controllers[name], err = controller.Known()[name](factory); err != nil {
			return fmt.Errorf("making the controller %s: %w", name, err)
		}
	}
	// Built for a component, the clients have its name in their user agent. The injector takes its field manager from
	// there, and without one the API server refuses all that it writes.
	shared, err := factory.Build("cainjector")
	if err != nil {
		return fmt.Errorf("making the clients of the CA injector: %w", err)
	}
	injector, err := newInjector(ctx, shared)
	if err != nil {
		return err
	}
	return runAll(ctx, controllers, shared, injector)
}

// newInjector makes the manager of cert-manager's CA injector, for webhook configurations only: the injector reads all
// objects of each kind that it injects into, and needs the right to.
func newInjector(ctx context.Context, shared *controller.Context) (manager.Manager, error) {
	injector, err := ctrl.NewManager(shared.RESTConfig, ctrl.Options{
		Scheme: shared.Scheme,
		// The injector watches the metadata of Secrets. Reading one through the cache would load the content of all.
		Client:  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics: metrics.Options{BindAddress: "0"}, // no server
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager of the CA injector: %w", err)
	}
	err = cainjector.RegisterAllInjectors(ctx, injector, cainjector.SetupOptions{
		EnableCertificatesDataSource: true, // the annotation inject-ca-from, which names a Certificate
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName: true, cainjector.ValidatingWebhookConfigurationName: true,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("registering the CA injector: %w", err)
	}
	return injector, nil
}

// runAll returns when all have ended: the first that fails ends the others.
func runAll(ctx context.Context, controllers map[string]controller.Interface, shared *controller.Context,
	injector manager.Manager,
) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, c := range controllers {
		group.Go(func() error {
			if err := c.Run(workers, ctx); err != nil {
				return fmt.Errorf("running the controller %s: %w", name, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		if err := injector.Start(ctx); err != nil {
			return fmt.Errorf("running the CA injector: %w", err)
		}
		return nil
	})
	// After the controllers were made: only then the factories know what is to be watched.
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	group.Go(func() error {
		shared.SharedInformerFactory.WaitForCacheSync(ctx.Done())
		shared.KubeSharedInformerFactory.WaitForCacheSync(ctx.Done())
		select {
		case <-injector.Elected(): // at once, since nobody else stands for election
			klog.InfoS("All controllers have started", "controllers", names)
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}
