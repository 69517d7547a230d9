package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// record identifies a process of a cluster, also to a later owner that did not start it. It is kept in a file named
// <order>-<name>.pid, which says "<pid> <start>".
type record struct {
	name string
	pid  int
	// started tells the process apart from a later one that got the same pid.
	started string
	file    string
}

// newRecord writes the record of a process that was just started.
func newRecord(s spec, pid int) (record, error) {
	started, _ := inspect(pid)
	r := record{
		name: s.name, pid: pid, started: started,
		file: filepath.Join(s.dir, processesName, fmt.Sprintf("%04d-%s.pid", s.order, s.name)),
	}
	return r, os.WriteFile(r.file, []byte(strconv.Itoa(pid)+" "+started+"\n"), 0o600)
}

// readRecords returns what is recorded in a cluster's directory, in the order of start.
func readRecords(dir string) ([]record, error) {
	files, err := filepath.Glob(filepath.Join(dir, processesName, "*.pid"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	records := make([]record, 0, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		number, started, _ := strings.Cut(strings.TrimSpace(string(content)), " ")
		pid, err := strconv.Atoi(number)
		if err != nil || pid <= 0 || started == "" {
			continue // the owner was killed while it wrote this: what it says identifies no process
		}
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".pid"), "-")
		records = append(records, record{name: name, pid: pid, started: started, file: file})
	}
	return records, nil
}

// running says whether this very process is alive, and not another one with its pid, nor its zombie.
func (r record) running() bool {
	started, running := inspect(r.pid)
	return running && started == r.started
}

// stop ends the process and removes its record. Only an error leaves the record, for Clean to try again.
func (r record) stop() error {
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGTERM, stopLimit}, {syscall.SIGKILL, killLimit}} {
		if !r.running() {
			break
		}
		if err := syscall.Kill(r.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping %s (pid %d): %w", r.name, r.pid, err)
		}
		r.waitUntilGone(step.limit)
	}
	if r.running() {
		return fmt.Errorf("%s (pid %d) is still there %s after SIGTERM and %s after SIGKILL",
			r.name, r.pid, stopLimit+killLimit, killLimit)
	}
	if err := os.Remove(r.file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (r record) waitUntilGone(limit time.Duration) {
	deadline := time.Now().Add(limit)
	for r.running() && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
}

// dying says whether the process ends by itself: the kernel takes a moment to kill the children of a killed owner, in
// which they run and answer nobody.
func (r record) dying() bool {
	r.waitUntilGone(killLimit)
	return !r.running()
}

// stopAll stops the processes in the reverse order of their start. removeVolumes is called while the API server is the
// last one that runs, beside its etcd: whatever makes volumes is gone then, and the API server still knows them.
func stopAll(records []record, removeVolumes func() error) error {
	var problems []error
	for _, r := range slices.Backward(records) {
		if r.name == apiServerName && r.running() {
			if err := removeVolumes(); err != nil && !r.dying() {
				problems = append(problems, err)
			}
		}
		problems = append(problems, r.stop())
	}
	return errors.Join(problems...)
}
