// Package program is what podshare's servers have in common as programs: how their mistakes are told, their log, and their end.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	ExitFailure = 1 // it started, or tried to, and something around it failed
	ExitUsage   = 2 // a flag or the configuration is wrong: starting it again changes nothing
)

const exitCodes = `

Exit codes: 0 after SIGTERM or SIGINT, 1 when something around the program failed, 2 when a flag or the configuration
is wrong.`

// Version is set by the linker, see the Makefile.
var Version = "unknown"

// UsageError is a mistake in how the program was called or configured.
type UsageError struct{ Mistake error }

func (e UsageError) Error() string { return e.Mistake.Error() }

func (e UsageError) Unwrap() error { return e.Mistake }

// ExitCode is what a program ends with after an error.
func ExitCode(err error) int {
	if errors.As(err, new(UsageError)) {
		return ExitUsage
	}
	return ExitFailure
}

// Main runs a program until it ends or is told to, and exits.
func Main(command *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", command.Name(), err)
		os.Exit(ExitCode(err))
	}
}

// Complete makes a command that of a server: with a version and the flags of its log, and without arguments.
func Complete(command *cobra.Command, log *Log) *cobra.Command {
	Prepare(command)
	command.Long += exitCodes
	command.Args = NoArguments
	command.CompletionOptions.DisableDefaultCmd = true
	log.format = logFormats[0]
	command.Flags().StringVar(&log.format, "log-format", log.format, "format of the log: "+strings.Join(logFormats, " or "))
	command.Flags().BoolVar(&log.debug, "debug", false, "log more, such as what changed nothing")
	return command
}

// Prepare gives a program's command its version, and leaves its errors to Main.
func Prepare(command *cobra.Command) {
	command.Version = Version
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return UsageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
}

// NoArguments refuses words that are no flag, as a UsageError.
func NoArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return UsageError{fmt.Errorf("unknown argument %q; see %s --help", args[0], cmd.CommandPath())}
	}
	return nil
}

var logFormats = []string{"text", "json"}

// Log is how a program logs, by its flags.
type Log struct {
	format string
	debug  bool
}

// Logger writes to out. A program's log goes to standard error: standard output is for what it was asked to print.
func (l *Log) Logger(out io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	if l.debug {
		options.Level = slog.LevelDebug
	}
	switch {
	case !slices.Contains(logFormats, l.format):
		return nil, UsageError{fmt.Errorf("--log-format %q must be one of %s", l.format, strings.Join(logFormats, ", "))}
	case l.format == "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	default:
		return slog.New(slog.NewTextHandler(out, options)), nil
	}
}

// CheckAddress says what is wrong with the address that a flag has.
func CheckAddress(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf(`%s %q must be host:port with a port of 0 to 65535, such as ":9443" or "127.0.0.1:9443"`, flag, address)
	}
	return nil
}
