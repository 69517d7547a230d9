package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	logsName      = "logs"
	processesName = "processes"

	// stopLimit is how long a process may take to end after SIGTERM, killLimit after SIGKILL.
	stopLimit = 15 * time.Second
	killLimit = 5 * time.Second
)

// Process is a program that runs as part of a cluster.
type Process struct {
	record
	spec spec
	log  string
	done chan struct{} // closed when it has exited, after err was set
	err  error
}

// spec is what a process is started from.
type spec struct {
	name    string
	args    []string
	env     []string
	dir     string // the cluster's
	order   int    // its place in the order of start
	outlive bool   // whether it may live on when this process is killed
	apart   bool   // whether it is the first process of namespaces of its own
}

// startProcess starts the program in a session of its own: a terminal's Ctrl-C reaches only this process, which then
// stops the others in order. Its output goes to its log file.
func startProcess(s spec) (*Process, error) {
	for _, name := range []string{logsName, processesName} {
		if err := os.MkdirAll(filepath.Join(s.dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	logFile := filepath.Join(s.dir, logsName, s.name+".log")
	output, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close() //nolint:errcheck // the child has its own descriptor of the file
	command := exec.Command(s.args[0], s.args[1:]...)
	command.Stdout, command.Stderr = output, output
	command.Env = append(append(os.Environ(), "HOME="+s.dir, "KUBECONFIG="), s.env...)
	if err := startChild(command, s.outlive, s.apart); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.name, err)
	}
	p := &Process{spec: s, log: logFile, done: make(chan struct{})}
	p.record, err = newRecord(s, command.Process.Pid) // before Wait: until then, the pid is nobody else's
	go func() {
		p.err = command.Wait()
		close(p.done)
	}()
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *Process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Log returns the path of the file that gets the process's output.
func (p *Process) Log() string { return p.log }

// PID is the process's number.
func (p *Process) PID() int { return p.pid }

// Signal sends the process a signal. SIGKILL ends it without its doing, SIGSTOP makes it hang until SIGCONT.
func (p *Process) Signal(signal syscall.Signal) error {
	if !p.running() {
		return fmt.Errorf("%s (pid %d) has ended", p.name, p.pid)
	}
	return syscall.Kill(p.pid, signal)
}

// Ended is closed when the process has.
func (p *Process) Ended() <-chan struct{} { return p.done }

// Stop ends the process (SIGTERM, and SIGKILL when that takes too long) and returns when it is gone.
func (p *Process) Stop() error {
	if err := p.stop(); err != nil {
		return err
	}
	<-p.done // it has ended, and from now on everybody here knows
	return nil
}

// exitError describes a process that ended although it should not have.
func (p *Process) exitError(doing string) error {
	status := "exit status 0"
	if p.err != nil {
		status = p.err.Error()
	}
	end := tail(p.log)
	if portTaken(end) {
		return fmt.Errorf("%s exited (%s) while %s: %w; %s", p.name, status, doing, errPortTaken, quoteLog(p.log, end))
	}
	return fmt.Errorf("%s exited (%s) while %s; %s", p.name, status, doing, quoteLog(p.log, end))
}
