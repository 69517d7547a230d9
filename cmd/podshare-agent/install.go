//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/podshare/podshare/pkg/agent"
)

const aboutInstall = `Copy this program to a directory, for containers of other images to run. It appears there whole or not at all.

  podshare-agent install --to /run/podshare-agent`

func install(arguments []string, stdout, _ io.Writer) (int, error) {
	flags := flag.NewFlagSet("install", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	directory := flags.String("to", "", "the `directory`, which has to be there")
	err := flags.Parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK, help(flags, aboutInstall, stdout)
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unknown argument %q", flags.Arg(0))
	case err == nil && *directory == "":
		err = errors.New("--to is missing: the directory to install to")
	}
	if err != nil {
		return exitUsage, usageError{fmt.Errorf("%w; see podshare-agent install --help", err)}
	}
	path, err := agent.Install(*directory)
	if err != nil {
		return exitFailure, err
	}
	_, err = fmt.Fprintln(stdout, "installed", path)
	return exitOK, err
}
