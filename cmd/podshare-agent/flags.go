//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/podshare/podshare/pkg/agent"
)

// options are the flags of run. check takes them too, for a watchdog that it starts.
type options struct {
	agent       agent.Options
	socket      string
	port        int
	metricsPort int

	shares []agent.Share
	awaits []string
}

// parse reads the flags of a command. done is true when help was asked for and printed.
func (o *options) parse(command, about string, arguments []string, stdout io.Writer) (done bool, err error) {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o.define(flags)
	err = flags.Parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return true, help(flags, about, stdout)
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unknown argument %q", flags.Arg(0))
	case err == nil:
		err = o.complete()
	}
	if err != nil {
		return false, usageError{fmt.Errorf("%w; see podshare-agent %s --help", err, command)}
	}
	return false, nil
}

func (o *options) define(flags *flag.FlagSet) {
	o.agent = agent.DefaultOptions()
	share := func(produced bool) func(string) error {
		return func(text string) error {
			s, err := agent.ParseShare(text, produced)
			o.shares = append(o.shares, s)
			return err
		}
	}
	flags.Func("consume", "`share:path` that is read: it has to be mounted and to list; once for each share", share(false))
	flags.Func("produce", "`share:path` that is written: it has to be writable, and not full, as well", share(true))
	flags.Func("await", "`share/file` that has to exist; once for each file", func(text string) error {
		o.awaits = append(o.awaits, text)
		return nil
	})
	flags.BoolVar(&o.agent.SameUser, "same-user", false,
		"this process has the user and group of those who use the shares: only then are permissions judged, and only then\n"+
			"does it try to write")
	flags.IntVar(&o.agent.MinFree.Percent, "min-free-percent", o.agent.MinFree.Percent,
		"a produced share is full when less is free than this `percentage`, and less than --min-free-bytes too; likewise\nits inodes")
	flags.Uint64Var(&o.agent.MinFree.Bytes, "min-free-bytes", o.agent.MinFree.Bytes, "see --min-free-percent; a `number`")
	flags.Uint64Var(&o.agent.MinFree.Inodes, "min-free-inodes", o.agent.MinFree.Inodes, "see --min-free-percent; a `number`")
	flags.DurationVar(&o.agent.Interval, "interval", o.agent.Interval, "time between two looks at a share")
	flags.DurationVar(&o.agent.Timeout, "timeout", o.agent.Timeout, "how long a look may take until the share counts as not answering")
	flags.StringVar(&o.socket, "socket", agent.Socket(), "abstract Unix socket where the watchdog answers; by default the container's own, a `@name`")
	flags.IntVar(&o.port, "port", 0, "`number` of the port where the watchdog answers HTTP as well; 0 for none")
	flags.IntVar(&o.metricsPort, "metrics-port", 0,
		"`number` of the port of "+agent.MetricsPath+", where Prometheus reads how much of each share is used; may be that of --port;\n0 for none")
}

// complete checks what concerns several flags.
func (o *options) complete() error {
	for _, text := range o.awaits {
		if err := agent.Await(o.shares, text); err != nil {
			return fmt.Errorf("invalid value for flag --await: %w", err)
		}
	}
	o.agent.Shares, o.agent.Measured = o.shares, o.metricsPort != 0
	if o.agent.Interval <= 0 || o.agent.Timeout <= 0 {
		return fmt.Errorf("--interval %s and --timeout %s must be above 0", o.agent.Interval, o.agent.Timeout)
	}
	for _, p := range []struct {
		name   string
		number int
	}{{"--port", o.port}, {"--metrics-port", o.metricsPort}} {
		if p.number < 0 || p.number > 65535 {
			return fmt.Errorf("%s %d must be from 0 to 65535", p.name, p.number)
		}
	}
	if p := o.agent.MinFree.Percent; p < 0 || p > 100 {
		return fmt.Errorf("--min-free-percent %d must be from 0 to 100", p)
	}
	return nil
}

func help(flags *flag.FlagSet, about string, stdout io.Writer) error {
	_, err := fmt.Fprintf(stdout, "%s\n\nFlags:\n", about)
	flags.SetOutput(stdout)
	flags.PrintDefaults()
	return err
}
