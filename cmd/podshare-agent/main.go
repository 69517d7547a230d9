//go:build linux

// Podshare-agent tells the kubelet whether the shares of a pod work. It is a sidecar of the pod, or is run in the pod's own
// containers: a static program of the standard library alone, since every node pulls it and every pod may run it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Exit codes. The kubelet takes all but 0 for "not ready".
const (
	exitOK      = 0
	exitFailure = 1 // not ready, or something around the program failed
	exitUsage   = 2 // the program was called wrongly
)

const usage = `podshare-agent tells whether the shares of a pod work.

Commands:
  podshare-agent run      watch the shares, and answer "check" and the kubelet
  podshare-agent check    ask the watchdog: exit 0 when all shares are ready, else 1, and one line that says why
  podshare-agent install  copy this program to a directory, for containers of other images
  podshare-agent version  print the version

"podshare-agent COMMAND --help" says more. Exit codes: 0 for ready or done, 1 for not ready or failed, 2 when it is called
wrongly.
`

// version is set by the linker, see the Makefile.
var version = "unknown"

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func main() {
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs a command and returns the program's exit code.
func execute(arguments []string, stdout, stderr io.Writer) int {
	commands := map[string]func(arguments []string, stdout, stderr io.Writer) (int, error){
		"run": run, "check": check, "install": install,
		"version": func(_ []string, stdout, _ io.Writer) (int, error) {
			_, err := fmt.Fprintln(stdout, version)
			return exitOK, err
		},
	}
	if len(arguments) == 0 {
		_, _ = fmt.Fprint(stderr, usage)
		return exitUsage
	}
	name := arguments[0]
	if name == "help" || name == "--help" || name == "-h" {
		_, _ = fmt.Fprint(stdout, usage)
		return exitOK
	}
	command, ok := commands[name]
	if !ok {
		_, _ = fmt.Fprintf(stderr, "podshare-agent: %q is no command; there are run, check, install and version\n", name)
		return exitUsage
	}
	code, err := command(arguments[1:], stdout, stderr)
	if err == nil {
		return code
	}
	_, _ = fmt.Fprintln(stderr, "podshare-agent:", err)
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailure
}
