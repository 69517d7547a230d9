//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podshare/podshare/e2e/proc"
	"github.com/podshare/podshare/pkg/api"
)

// process is one of the processes that this computer runs, of the node's among them.
type process struct{ proc.Process }

// allProcesses are those of this moment. Each may end at any time.
func allProcesses() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, process{proc.Process(pid)})
		}
	}
	return all, nil
}

// program is the name of the file that the process runs; "" when it has ended.
func (p process) program() string {
	file, err := os.Readlink(p.File("exe"))
	if err != nil {
		return ""
	}
	return path.Base(file)
}

// arguments are those that the process was started with, the program first; none when it has ended.
func (p process) arguments() []string {
	content, err := os.ReadFile(p.File("cmdline"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00")
}

// timeWithChildren adds the processes that it started and that have ended, and is in hundredths of a second (proc(5), stat).
func (p process) timeWithChildren() (time.Duration, error) {
	content, err := os.ReadFile(p.File("stat"))
	if err != nil {
		return 0, err
	}
	const tick = time.Second / 100
	text := string(content)
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:]) // from the third on
	if len(fields) < 15 {
		return 0, fmt.Errorf("%s has too few fields: %q", p.File("stat"), text)
	}
	var sum time.Duration
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.File("stat"), err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

func (p process) parent() (process, error) {
	text, err := p.Field("status", "PPid")
	if err != nil {
		return process{}, err
	}
	pid, err := strconv.Atoi(text)
	return process{proc.Process(pid)}, err
}

// controlGroup is the process's control group where CPU time is accounted: below the place of that hierarchy.
func (p process) controlGroup() (string, error) {
	content, err := os.ReadFile(p.File("cgroup"))
	if err != nil {
		return "", err
	}
	unified := ""
	for line := range strings.Lines(string(content)) { // number:controllers:path (cgroups(7))
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) < 3:
		case slices.Contains(strings.Split(parts[1], ","), "cpuacct"):
			return parts[2], nil
		case parts[1] == "":
			unified = parts[2]
		}
	}
	if unified == "" {
		return "", fmt.Errorf("%s has no hierarchy that accounts for CPU time", p.File("cgroup"))
	}
	return unified, nil
}

// agent is podshare's agent in a pod.
type agent struct {
	process
	// group is its container's control group, which an exec probe gets into.
	group string
	// shim is the container runtime's process for the pod: it starts the probes.
	shim process
}

// findAgents finds that of each pod by its program and its container, whose name its control group has.
func findAgents(pods []corev1.Pod) ([]agent, error) {
	all, err := allProcesses()
	if err != nil {
		return nil, err
	}
	running := map[string]agent{} // by container
	for _, p := range all {
		if p.program() != api.AgentContainer || !slices.Contains(p.arguments(), "run") {
			continue // a probe is the same program
		}
		group, err := p.controlGroup()
		if err != nil {
			continue // it was somebody else's, and has ended: that of a pod is missed below
		}
		running[path.Base(group)] = agent{process: p, group: group}
	}
	var agents []agent
	for _, pod := range pods {
		container, err := agentContainer(&pod)
		if err != nil {
			return nil, err
		}
		a, found := running[container]
		if !found {
			return nil, fmt.Errorf("the agent of pod %s is not among the %d that run here", pod.Name, len(running))
		}
		if a.shim, err = a.parent(); err != nil {
			return nil, err
		}
		agents = append(agents, a)
	}
	return agents, nil
}

// agentContainer is the runtime's name for the agent's container in a pod.
func agentContainer(pod *corev1.Pod) (string, error) {
	for _, status := range pod.Status.InitContainerStatuses {
		if status.Name == api.AgentContainer {
			_, id, _ := strings.Cut(status.ContainerID, "://")
			return id, nil
		}
	}
	return "", fmt.Errorf("pod %s has no agent", pod.Name)
}

// neighbour is the process that was started by that name on the node of a process: in its namespace of processes.
func neighbour(p process, program string) (process, error) {
	namespace, err := os.Readlink(p.File("ns/pid"))
	if err != nil {
		return process{}, err
	}
	all, err := allProcesses()
	if err != nil {
		return process{}, err
	}
	for _, other := range all {
		there, err := os.Readlink(other.File("ns/pid"))
		if arguments := other.arguments(); err == nil && there == namespace && len(arguments) > 0 && path.Base(arguments[0]) == program {
			return other, nil
		}
	}
	return process{}, fmt.Errorf("the node has no process %s", program)
}

// containerTime is the CPU time that all processes of the agent's container have taken, also those that have ended.
func (a *agent) containerTime() (time.Duration, error) {
	content, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return 0, err
	}
	unified := ""
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line) // device, place, kind, options
		switch {
		case fields[2] == "cgroup" && slices.Contains(strings.Split(fields[3], ","), "cpuacct"):
			nanoseconds, err := proc.ReadNumber(filepath.Join(fields[1], a.group, "cpuacct.usage"))
			return time.Duration(nanoseconds), err
		case fields[2] == "cgroup2":
			unified = fields[1]
		}
	}
	if unified == "" {
		return 0, errors.New("no hierarchy of control groups is mounted that accounts for CPU time")
	}
	stat, err := os.ReadFile(filepath.Join(unified, a.group, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	_, usage, _ := strings.Cut(string(stat), "usage_usec ")
	usage, _, _ = strings.Cut(usage, "\n")
	microseconds, err := strconv.ParseInt(usage, 10, 64)
	return time.Duration(microseconds) * time.Microsecond, err
}
