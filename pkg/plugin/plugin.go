// Package plugin is kubectl podshare: a command in each file.
package plugin

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // clusters whose kubeconfig names one of the providers that client-go has

	"github.com/podshare/podshare/pkg/program"
)

const about = `What podshare makes of workloads, what it made of those in a cluster and why, and whether it is well.

Exit codes: 0 when all is well, 1 when a mistake was found or something failed, 2 when the command was called wrongly.`

// options are what all commands have in common.
type options struct {
	*genericclioptions.ConfigFlags
	genericiooptions.IOStreams
}

// Command is kubectl podshare with all its commands. Its errors are those that program.ExitCode knows.
func Command(streams genericiooptions.IOStreams) *cobra.Command {
	o := &options{genericclioptions.NewConfigFlags(true), streams}
	command := &cobra.Command{
		Use:         "kubectl-podshare",
		Short:       "See what podshare does to workloads and pods, and why",
		Long:        about,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl podshare"},
	}
	program.Prepare(command)
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	o.AddFlags(command.PersistentFlags())
	command.AddCommand(newInject(o), newExplain(o), newList(o), newDescribe(o), newDoctor(o))
	return command
}

// namespace is that of -n, else the current context's, else "default".
func (o *options) namespace() (string, error) {
	namespace, _, err := o.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// tell says something to the person, beside the command's output.
func (o *options) tell(format string, arguments ...any) {
	_, _ = fmt.Fprintf(o.ErrOut, format+"\n", arguments...) // there is nobody else to tell
}
