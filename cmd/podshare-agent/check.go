//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/podshare/podshare/pkg/agent"
)

const aboutCheck = `Ask the watchdog, which answers at once whatever its mounts do, and print its answer, one line.

With the flags of run it starts a watchdog first where none runs, and leaves it running: so it does in a container of
another image, which has nothing else that could run it.

  podshare-agent check
  podshare-agent check --consume rules:/podshare/rules`

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
	line, ready, err := agent.Ask(o.socket)
	if errors.Is(err, agent.ErrNoWatchdog) && len(o.shares) > 0 {
		line, ready, err = startAndAsk(o.socket, arguments)
	}
	if err != nil {
		return exitFailure, err
	}
	if _, err := fmt.Fprintln(stdout, line); err != nil || !ready {
		return exitFailure, err
	}
	return exitOK, nil
}

// startAndAsk starts a watchdog that outlives this process, and asks it as soon as it listens.
func startAndAsk(socket string, arguments []string) (line string, ready bool, err error) {
	words, stderr, err := os.Pipe()
	if err != nil {
		return "", false, err
	}
	defer words.Close() //nolint:errcheck // only read
	process, err := start(arguments, stderr)
	if err != nil {
		return "", false, fmt.Errorf("starting the watchdog: %w", err)
	}
	for limit := time.Now().Add(startTime); ; time.Sleep(startStep) {
		line, ready, err = agent.Ask(socket)
		if !errors.Is(err, agent.ErrNoWatchdog) {
			return line, ready, err
		}
		var status syscall.WaitStatus
		// One that ended is buried here: process 1 of a container may not do it.
		if pid, _ := syscall.Wait4(process.Pid, &status, syscall.WNOHANG, nil); pid == process.Pid {
			if line, ready, err = agent.Ask(socket); !errors.Is(err, agent.ErrNoWatchdog) {
				return line, ready, err // another check's was faster
			}
			said, _ := io.ReadAll(words)
			return "", false, fmt.Errorf("the watchdog ended at once: %s", strings.TrimPrefix(strings.TrimSpace(string(said)), "podshare-agent: "))
		}
		if time.Now().After(limit) {
			return "", false, err
		}
	}
}

// start runs a watchdog. It gets none of this process's own files: whoever waits for their end, as a container runtime does, would wait
// for the watchdog's.
func start(arguments []string, stderr *os.File) (*os.Process, error) {
	defer stderr.Close() //nolint:errcheck // the watchdog has it
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close() //nolint:errcheck // nothing was written
	const self = "/proc/self/exe"
	return os.StartProcess(self, append([]string{"podshare-agent", "run"}, arguments...), &os.ProcAttr{
		Dir: "/", Files: []*os.File{null, null, stderr}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
}
