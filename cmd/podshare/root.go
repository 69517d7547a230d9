package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailure = 1 // it started, or tried to, and something around it failed
	exitUsage   = 2 // a flag or the configuration is wrong: starting it again changes nothing
)

// usageError is a mistake in how the program was called or configured.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailure
}

// version is set by the linker, see the Makefile.
var version = "unknown"

func newCommand() *cobra.Command {
	log := logOptions{format: logFormats[0]}
	root := &cobra.Command{
		Use:   "podshare",
		Short: "Share files between pods with one annotation",
		Long: `podshare gives pods that carry podshare.dev/produce or podshare.dev/consume a shared ReadWriteMany volume.

It is two servers: the webhook patches pods as they are created, the controller makes sure that the claim of each share
exists. Both read the same configuration file.

Exit codes: 0 after SIGTERM or SIGINT, 1 when something around the program failed, 2 when a flag or the configuration
is wrong.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVar(&log.format, "log-format", log.format, "format of the log: "+strings.Join(logFormats, " or "))
	root.PersistentFlags().BoolVar(&log.debug, "debug", false, "log more, such as requests that changed nothing")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(newWebhookCommand(&log), newControllerCommand(&log))
	return root
}

// noArguments refuses words that are neither a command nor a flag.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown argument %q; see %s --help", args[0], cmd.CommandPath())}
	}
	return nil
}

var logFormats = []string{"text", "json"}

type logOptions struct {
	format string
	debug  bool
}

// logger writes to out. A program's log goes to standard error: standard output is for what it was asked to print.
func (o *logOptions) logger(out io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	if o.debug {
		options.Level = slog.LevelDebug
	}
	switch {
	case !slices.Contains(logFormats, o.format):
		return nil, usageError{fmt.Errorf("--log-format %q must be one of %s", o.format, strings.Join(logFormats, ", "))}
	case o.format == "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	default:
		return slog.New(slog.NewTextHandler(out, options)), nil
	}
}
