package plugin

import "github.com/spf13/cobra"

func newInject(o *options) *cobra.Command {
	return &cobra.Command{Use: "inject", Args: noArguments}
}
