// Podshare-controller makes sure that the claim of every share exists.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/controller"
	"github.com/podshare/podshare/pkg/program"
)

func main() { program.Main(newCommand()) }

// garbagePercent is half of what is usual: the controller has much to remember and little to do.
const garbagePercent = 50

// options are the flags.
type options struct {
	log            program.Log
	config         string
	metricsAddress string
	kubeconfig     string
	leaderElect    bool
	leaseNamespace string
}

func newCommand() *cobra.Command {
	var o options
	cmd := program.Complete(&cobra.Command{
		Use:   "podshare-controller",
		Short: "Make sure that the claim of every share exists",
		Long: `Watch the pods that the webhook injected, and create the PersistentVolumeClaim of each share that they name:
podshare-<share>, ReadWriteMany, in the pods' namespace. A claim grows when a pod asks for more and its StorageClass
allows that. No claim is ever deleted, and none is changed that podshare did not create. What stands in the way is told
in Events on the pods and on the claim.

Of several replicas one works, the one that holds the lease podshare-controller; the others are ready to take over. A
replica that loses the lease, as in an outage of the API server, changes nothing until it has it again.

Plain HTTP at --metrics-address, for the kubelet and for Prometheus:
  /healthz   200 while the process runs
  /readyz    200 when the pods and claims that there are have been read, on the leader and on the others
  /metrics   podshare_claims, podshare_claim_*, podshare_pods and podshare_shares_unused, the same on every replica;
             podshare_pods_waiting and podshare_reconcile_errors_total, on the leader`,
		Example: `  # As in manifests/base/controller.yaml:
  podshare-controller --config /etc/podshare/config.yaml

  # On a workstation, as the user and on the cluster of kubectl:
  podshare-controller --leader-elect=false --metrics-address 127.0.0.1:8080 --debug`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := o.complete(cmd)
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(garbagePercent)
			}
			return controller.Run(cmd.Context(), options)
		},
	}, &o.log)
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "the platform's configuration `file`; without it the defaults apply")
	flags.StringVar(&o.metricsAddress, "metrics-address", ":8080",
		"`host:port` of metrics and probes over plain HTTP; \"0\" for none")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "",
		"`file` that says how to reach the API server (default: the pod's service account, else $KUBECONFIG, else ~/.kube/config)")
	flags.BoolVar(&o.leaderElect, "leader-elect", true, "work only while holding a lease, so that several replicas can run")
	flags.StringVar(&o.leaseNamespace, "leader-elect-namespace", "",
		"`namespace` of the lease (default: the pod's own, else "+defaultNamespace+")")
	return cmd
}

// complete checks the flags, all of them, and makes of them what the controller runs with. It also routes the logs of
// the libraries.
func (o *options) complete(cmd *cobra.Command) (controller.Options, error) {
	logger, logErr := o.log.Logger(cmd.ErrOrStderr())
	platform, configErr := config.Load(o.config)
	access, accessErr := restConfig(o.kubeconfig)
	if err := errors.Join(logErr, o.checkMetricsAddress(), configErr, accessErr); err != nil {
		return controller.Options{}, program.UsageError{Mistake: err}
	}
	klog.SetSlogLogger(logger)
	ctrllog.SetLogger(logr.FromSlogHandler(logger.Handler()))
	return controller.Options{
		Config:                  platform,
		REST:                    access,
		MetricsAddress:          o.metricsAddress,
		LeaderElection:          o.leaderElect,
		LeaderElectionNamespace: cmp.Or(o.leaseNamespace, ownNamespace(namespaceFile)),
		Metrics:                 metrics.Registry,
		Log:                     logr.FromSlogHandler(logger.Handler()),
	}, nil
}

func (o *options) checkMetricsAddress() error {
	if o.metricsAddress == "0" {
		return nil
	}
	return program.CheckAddress("--metrics-address", o.metricsAddress)
}

// restConfig says how to reach the API server: by a file, else as the pod that this runs in, else as kubectl does.
func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		access, err := rest.InClusterConfig()
		if !errors.Is(err, rest.ErrNotInCluster) {
			return access, err
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	access, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, fmt.Errorf("no cluster to work on: this is not a pod with a service account's token, and there is no "+
			"kubeconfig in %s; give one with --kubeconfig FILE", strings.Join(rules.GetLoadingPrecedence(), ", "))
	case err != nil:
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return access, nil
}

const (
	// defaultNamespace is where manifests/base installs podshare.
	defaultNamespace = "podshare-system"
	// namespaceFile is mounted beside a service account's token.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

func ownNamespace(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return defaultNamespace
	}
	return cmp.Or(strings.TrimSpace(string(content)), defaultNamespace)
}
