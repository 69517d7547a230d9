// Demo shows podshare at work on a real control plane of its own: `make demo` builds what it needs and runs it in the
// repository's root. It removes all that it started when it ends, unless the environment has KEEP=1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
)

// clustersDir has a directory for each demo that runs, was kept or was killed.
const clustersDir = ".cache/clusters"

// exitInterrupted is what a shell reports of a program that Ctrl-C ended.
const exitInterrupted = 130

var errInterrupted = errors.New("interrupted")

func main() {
	clean := flag.Bool("clean", false, "stop and remove what earlier demos left running, and do nothing else")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard()) // of the client library, which complains when it has none
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	run := runDemo
	if *clean {
		run = cleanUp
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		if errors.Is(err, errInterrupted) {
			os.Exit(exitInterrupted)
		}
		os.Exit(1)
	}
}

func cleanUp(context.Context) error {
	removed, err := cluster.Clean(clustersDir, true)
	for _, dir := range removed {
		fmt.Println("stopped and removed", dir)
	}
	if len(removed) == 0 && err == nil {
		fmt.Println("no demo was left running")
	}
	return err
}
