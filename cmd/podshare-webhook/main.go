// Podshare-webhook patches pods that carry podshare's annotations, as they are created. It is a program of its own: what listens on the
// network has no Kubernetes client in it, nor the memory that one takes.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/program"
	"github.com/podshare/podshare/pkg/webhook"
)

func main() { program.Main(newCommand()) }

func newCommand() *cobra.Command {
	options := webhook.DefaultOptions()
	var log program.Log
	var configFile string
	command := program.Complete(&cobra.Command{
		Use:   "podshare-webhook",
		Short: "Patch annotated pods as they are created",
		Long: `Serve the admission webhooks. POST /mutate-pods takes an AdmissionReview of admission.k8s.io/v1, and answers with a
patch that adds the shares which the pod's annotations name, or with a refusal that says every mistake. POST
/validate-workloads says the same mistakes when a workload is applied whose pods would be refused, and warns of annotations
on the workload that belong to its template.

It needs no credentials and calls nobody: an answer follows from the request and the configuration file alone, so any
number of replicas can run.

The certificate is read from tls.crt and tls.key in --cert-dir, the form in which cert-manager and "kubectl create secret
tls" provide it, and read again when it changes. Until it is there, the process waits and is not ready.

Plain HTTP at --metrics-address, for the kubelet and for Prometheus:
  /healthz   200 while the process runs
  /readyz    200 when the certificate is valid and the HTTPS listener answers, else 503 and why
  /metrics   requests by role, result and reason, their duration, and when the certificate ends
The first two are served over HTTPS too.

On SIGTERM it turns unready, answers on for --drain-delay while the API servers learn of it, finishes what it has, and
exits.`,
		Example: `  # As in manifests/base/webhook.yaml:
  podshare-webhook --config /etc/podshare/config.yaml --cert-dir /etc/podshare/certs

  # On a workstation, with a certificate of one's own and every request in the log:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout certs/tls.key -out certs/tls.crt
  podshare-webhook --cert-dir certs --bind-address 127.0.0.1:9443 --metrics-address 127.0.0.1:8080 --drain-delay 0s --debug`,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, &log, configFile, options) },
	}, &log)
	flags := command.Flags()
	flags.StringVar(&configFile, "config", "", "the platform's configuration `file`; without it the defaults apply")
	flags.StringVar(&options.CertDir, "cert-dir", "",
		"`directory` with the serving certificate tls.crt and its key tls.key (required)")
	flags.StringVar(&options.BindAddress, "bind-address", options.BindAddress,
		"`host:port` of HTTPS; without a host, on all addresses")
	flags.StringVar(&options.MetricsAddress, "metrics-address", options.MetricsAddress,
		"`host:port` of metrics and probes over plain HTTP; \"0\" for none")
	flags.StringVar(&options.ClientCAFile, "client-ca-file", "",
		"`file` with the authorities (PEM) of client certificates; with it, only clients that show one are answered")
	flags.StringSliceVar(&options.ClientNames, "client-names", nil,
		"`names` that a client's certificate may be for, comma separated; without it, any that an authority of --client-ca-file signed")
	flags.DurationVar(&options.DrainDelay, "drain-delay", options.DrainDelay,
		"how long to answer on after turning unready: longer than the API servers need to learn of it")
	return command
}

// memoryLimit is where the garbage collector begins to work harder, in bytes; $GOMEMLIMIT sets another. A thousand idle
// connections fit below, so what they left behind when they were made does not stay.
const memoryLimit = 32 << 20

func run(cmd *cobra.Command, log *program.Log, configFile string, options webhook.Options) error {
	logger, logErr := log.Logger(cmd.ErrOrStderr())
	platform, configErr := config.Load(configFile)
	if err := errors.Join(logErr, checkOptions(options), configErr); err != nil {
		return program.UsageError{Mistake: err}
	}
	limitRuntime()
	server, err := webhook.Listen(options, func(pod *inject.Pod, namespace string) (*inject.Result, error) {
		return pod.Inject(namespace, platform)
	}, logger)
	if err != nil {
		return err
	}
	logger.Info("listening", "https", server.Address(), "metrics", server.MetricsAddress())
	return server.Run(cmd.Context())
}

// limitRuntime keeps the process small on a node of any size. One thread that runs Go code answers thousands of requests a second, more
// than an API server sends; with one for each of the node's cores, memory would grow with them, and a request would take a third more CPU
// time, for threads that look for work.
func limitRuntime() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// checkOptions says every mistake in the flags.
func checkOptions(options webhook.Options) error {
	var mistakes []error
	if options.CertDir == "" {
		mistakes = append(mistakes, errors.New("--cert-dir is required: a directory that has, or will have, tls.crt and tls.key"))
	}
	mistakes = append(mistakes, program.CheckAddress("--bind-address", options.BindAddress))
	if options.MetricsAddress != "0" {
		mistakes = append(mistakes, program.CheckAddress("--metrics-address", options.MetricsAddress))
	}
	if len(options.ClientNames) > 0 && options.ClientCAFile == "" {
		mistakes = append(mistakes, errors.New("--client-names has no effect without --client-ca-file, whose authorities vouch for names"))
	}
	if options.DrainDelay < 0 {
		mistakes = append(mistakes, fmt.Errorf(`--drain-delay %s must be 0 or longer, such as "10s"`, options.DrainDelay))
	}
	return errors.Join(mistakes...)
}
