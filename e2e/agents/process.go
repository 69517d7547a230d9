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

	"github.com/podshare/podshare/pkg/api"
)

// process is one of the processes that this computer runs, of the node's among them.
type process int

func (p process) file(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// allProcesses are those of this moment. Each may end at any time.
func allProcesses() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, process(pid))
		}
	}
	return all, nil
}

// program is the name of the file that the process runs; "" when it has ended.
func (p process) program() string {
	file, err := os.Readlink(p.file("exe"))
	if err != nil {
		return ""
	}
	return path.Base(file)
}

// arguments are those that the process was started with, the program first; none when it has ended.
func (p process) arguments() []string {
	content, err := os.ReadFile(p.file("cmdline"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00")
}

// runningTime is how long all threads of the process have run, in nanoseconds (proc(5), schedstat). None of the agent's threads ends.
func (p process) runningTime() (time.Duration, error) {
	files, err := filepath.Glob(p.file("task/*/schedstat"))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range files {
		nanoseconds, err := readNumber(file)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(nanoseconds)
	}
	return sum, nil
}

// timeWithChildren adds the processes that it started and that have ended, and is in hundredths of a second (proc(5), stat).
func (p process) timeWithChildren() (time.Duration, error) {
	content, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return 0, err
	}
	const tick = time.Second / 100
	text := string(content)
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:]) // from the third on
	if len(fields) < 15 {
		return 0, fmt.Errorf("%s has too few fields: %q", p.file("stat"), text)
	}
	var sum time.Duration
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.file("stat"), err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// field is the first word after a name and a colon in a file of the process.
func (p process) field(file, name string) (string, error) {
	content, err := os.ReadFile(p.file(file))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, name+":"); found && len(strings.Fields(value)) > 0 {
			return strings.Fields(value)[0], nil
		}
	}
	return "", fmt.Errorf("%s has no %s", p.file(file), name)
}

// memory is a field that the kernel gives in KiB, in MiB.
func (p process) memory(file, name string) (float64, error) {
	text, err := p.field(file, name)
	if err != nil {
		return 0, err
	}
	kibibytes, err := strconv.ParseInt(text, 10, 64)
	return float64(kibibytes) / 1024, err
}

func (p process) parent() (process, error) {
	text, err := p.field("status", "PPid")
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(text)
	return process(pid), err
}

// controlGroup is the process's control group where CPU time is accounted: below the place of that hierarchy.
func (p process) controlGroup() (string, error) {
	content, err := os.ReadFile(p.file("cgroup"))
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
		return "", fmt.Errorf("%s has no hierarchy that accounts for CPU time", p.file("cgroup"))
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
	namespace, err := os.Readlink(p.file("ns/pid"))
	if err != nil {
		return 0, err
	}
	all, err := allProcesses()
	if err != nil {
		return 0, err
	}
	for _, other := range all {
		there, err := os.Readlink(other.file("ns/pid"))
		if arguments := other.arguments(); err == nil && there == namespace && len(arguments) > 0 && path.Base(arguments[0]) == program {
			return other, nil
		}
	}
	return 0, fmt.Errorf("the node has no process %s", program)
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
			nanoseconds, err := readNumber(filepath.Join(fields[1], a.group, "cpuacct.usage"))
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

// readNumber reads the first number of a file.
func readNumber(file string) (int64, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(content)), " ")
	number, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return number, nil
}
