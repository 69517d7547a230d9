// Demo shows podshare at work on a real control plane of its own: `make demo` builds what it needs and runs it in the
// repository's root. It removes all that it started when it ends, unless the environment has KEEP=1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/command"
)

// exitInterrupted is what a shell reports of a program that Ctrl-C ended.
const exitInterrupted = 130

var errInterrupted = errors.New("interrupted")

func main() {
	clean := flag.Bool("clean", false, "stop and remove what earlier runs (make demo, make e2e) left running, and do nothing else")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard()) // of the client library, which complains when it has none
	ctx := command.Context()
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
	removed, err := cluster.Clean(cluster.Root, true)
	for _, dir := range removed {
		fmt.Println("stopped and removed", dir)
	}
	if len(removed) == 0 && err == nil {
		fmt.Println("no cluster was left running")
	}
	return err
}
