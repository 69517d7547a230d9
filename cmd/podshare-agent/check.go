//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/podshare/podshare/pkg/agent"
)

const aboutCheck = `Ask the watchdog, which answers at once whatever its mounts do, and print its answer, one line.

With the flags of run it starts a watchdog first where none runs, and leaves it running: so it does in a container of
another image, which has nothing else that could run it.

  podshare-agent check
  podshare-agent check --socket /run/podshare-agent/app.sock --consume rules:/podshare/rules`

const (
	// startTime is how long check waits for a watchdog that it started. After that the next probe finds it.
	startTime = 60 * time.Millisecond
	startStep = 2 * time.Millisecond
)

func check(arguments []string, stdout, _ io.Writer) (int, error) {
	var o options
	if done, err := o.parse("check", aboutCheck, arguments, stdout); done || err != nil {
		return exitOK, err
	}
	line, ready, err := agent.Ask(o.address())
	if errors.Is(err, agent.ErrNoWatchdog) && len(o.shares) > 0 {
		if err := start(arguments); err != nil {
			return exitFailure, fmt.Errorf("starting the watchdog: %w", err)
		}
		for limit := time.Now().Add(startTime); errors.Is(err, agent.ErrNoWatchdog) && time.Now().Before(limit); {
			time.Sleep(startStep)
			line, ready, err = agent.Ask(o.address())
		}
	}
	if err != nil {
		return exitFailure, err
	}
	if _, err := fmt.Fprintln(stdout, line); err != nil || !ready {
		return exitFailure, err
	}
	return exitOK, nil
}

// start runs a watchdog that outlives this process. It gets none of its files: whoever waits for their end, as a container
// runtime does, would wait for the watchdog's.
func start(arguments []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close() //nolint:errcheck // nothing was written
	const self = "/proc/self/exe"
	process, err := os.StartProcess(self, append([]string{"podshare-agent", "run"}, arguments...), &os.ProcAttr{
		Dir: "/", Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	return process.Release()
}
