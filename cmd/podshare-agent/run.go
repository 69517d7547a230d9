//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/podshare/podshare/pkg/agent"
)

const aboutRun = `Watch shares, and say at once whether they work to whoever asks: "podshare-agent check", by a Unix socket, and the
kubelet, by HTTP with --port. With --metrics-port it tells Prometheus how much of each share is used.

Each share is looked at on its own, so that a mount that hangs does not hide how the others are. What changes is told on
standard error. It ends on SIGTERM.

  podshare-agent run --consume rules:/podshare/rules --await rules/pricing.py --port 9472`

const (
	// heapPercent keeps the garbage of each look from adding up to the 4 MiB that Go's collector lets be by default.
	heapPercent = 10
	// pulse is how often the watchdog looks whether there is something to tell.
	pulse = time.Second
	// lastWrite is how long a test file that is being written may take until it is left behind, at the end.
	lastWrite = 50 * time.Millisecond
)

func run(arguments []string, stdout, stderr io.Writer) (int, error) {
	var o options
	if done, err := o.parse("run", aboutRun, arguments, stdout); done || err != nil {
		return exitOK, err
	}
	if len(o.shares) == 0 {
		return 0, usageError{errors.New("nothing to watch: name a share with --consume or --produce; see podshare-agent run --help")}
	}
	debug.SetGCPercent(heapPercent)
	runtime.GOMAXPROCS(1)          // a processor of Go's more is memory more
	signal.Ignore(syscall.SIGPIPE) // check has gone, which started this and heard its first words
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	watchdog := agent.NewWatchdog(o.agent)
	listeners, err := o.listen()
	if err != nil {
		return exitFailure, err
	}
	for listener, answers := range listeners {
		go watchdog.Serve(ctx, listener, answers)
	}
	idle := watchdog.Start(ctx)
	go keepJournal(ctx, watchdog, stderr)
	<-ctx.Done()
	select { // a share that hangs is not waited for
	case <-idle:
	case <-time.After(lastWrite):
	}
	return exitOK, nil
}

// keepJournal tells what changes. Whoever reads it may stop reading, and nothing else waits for that.
func keepJournal(ctx context.Context, watchdog *agent.Watchdog, stderr io.Writer) {
	journal := agent.NewJournal(stderr)
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			journal.Note(watchdog.Problems())
		case <-ctx.Done():
			return
		}
	}
}

// listen takes the ports that there are to be, and then the socket: who finds that finds a watchdog that works.
func (o *options) listen() (map[*os.File]agent.Answers, error) {
	ports := map[int]agent.Answers{}
	if o.port != 0 {
		ports[o.port] = agent.Answers{Readiness: true}
	}
	if o.metricsPort != 0 {
		ports[o.metricsPort] = agent.Answers{Readiness: o.metricsPort == o.port, Metrics: true}
	}
	listeners := map[*os.File]agent.Answers{}
	for number, answers := range ports {
		port, err := agent.ListenTCP(number)
		if err != nil {
			return nil, err
		}
		listeners[port] = answers
	}
	socket, err := agent.ListenUnix(o.socket)
	listeners[socket] = agent.Answers{Readiness: true}
	return listeners, err
}
