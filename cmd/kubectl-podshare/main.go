// Kubectl-podshare is the plugin `kubectl podshare`: what podshare makes of workloads, what it made of those in a cluster and why, and
// whether it is well. It has the credentials of whoever calls it.
package main

import (
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/podshare/podshare/pkg/plugin"
	"github.com/podshare/podshare/pkg/program"
)

func main() {
	program.Main(plugin.Command(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}))
}
