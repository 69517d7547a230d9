package cluster

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// startChild starts the command in a session of its own. Unless it may outlive this process, the kernel kills it when
// this process ends in whatever way. A command apart is the first process of namespaces of its own: with it end all
// processes in them, and then the mounts and the network that only they had.
func startChild(command *exec.Cmd, outlive, apart bool) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if apart {
		command.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	}
	if outlive {
		return command.Start()
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result := make(chan error)
	parent() <- func() { result <- command.Start() }
	return <-result
}

// parent returns the one thread that starts children: the kernel sends Pdeathsig when the thread that started a child
// ends, not when its process does, and Go ends and moves between threads as it likes.
var parent = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range work {
			start()
		}
	}()
	return work
})

// inspect returns when the process with this pid was started, and whether it runs; a zombie does not. The start is only
// good for comparing: this boot's id, and the clock ticks from then on (proc(5), starttime).
func inspect(pid int) (started string, running bool) {
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	// The second field is the program's name in parentheses, in which anything may stand: count from its end.
	_, rest, _ := cutLast(string(content), ")")
	fields := strings.Fields(rest)
	const state, starttime = 0, 19
	if len(fields) <= starttime {
		return "", false
	}
	return bootID() + " " + fields[starttime], fields[state] != "Z" && fields[state] != "X"
}

var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown" // then the ticks alone have to do
	}
	return strings.TrimSpace(string(id))
})

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}
