// Certmanager runs cert-manager's own controllers in one process, for clusters into which cert-manager's images cannot
// be pulled: its packages come from the Go module proxy. It issues what self-signed and CA issuers can, and writes the
// authorities of Certificates into webhook configurations. It leaves out what else cert-manager has: ACME and
// other issuers, the admission webhook, metrics, leader election. The CRDs have to be installed two minutes after its
// start at the latest.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// patience is how long after a signal the program waits for its controllers. It is for an API server that hangs: not all
// requests that are made at the start can be broken off. Leaving them is safe, since the next run makes them again.
const patience = 5 * time.Second

func main() {
	// A set of our own: controller-runtime puts a --kubeconfig of its own into the one that all packages share.
	flags := flag.NewFlagSet("certmanager", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "",
		"`file` that says how to reach the API server (default: the pod's service account)")
	namespace := flags.String("namespace", "cert-manager", "`namespace` of the Secrets that ClusterIssuers name")
	flags.Parse(os.Args[1:]) //nolint:errcheck // it exits when it fails
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "certmanager: unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		os.Exit(2)
	}
	if err := logToStderr(); err != nil {
		fail(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the program at once
		time.Sleep(patience)
		os.Exit(0)
	})
	err := run(ctx, *kubeconfig, *namespace)
	if err != nil && ctx.Err() == nil { // what a signal breaks off has not failed
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "certmanager:", err)
	os.Exit(1)
}

// logToStderr makes cert-manager and controller-runtime log as much as they do where cert-manager is installed: what is
// issued and injected, and why something is not.
func logToStderr() error {
	var level klog.Level
	if err := level.Set(strconv.Itoa(logf.InfoLevel)); err != nil {
		return fmt.Errorf("setting the log level: %w", err)
	}
	ctrl.SetLogger(klog.Background()) // to standard error, like all of klog
	return nil
}
