//go:build !linux

package cluster

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// startChild starts the command in a session of its own. Only Linux can tie a child's life to its parent's: elsewhere
// the children of a killed owner live on until Clean.
func startChild(command *exec.Cmd, _, _ bool) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command.Start()
}

// inspect returns when the process with this pid was started, and whether it runs; a zombie does not.
func inspect(pid int) (started string, running bool) {
	command := exec.Command("ps", "-o", "stat=", "-o", "lstart=", "-p", strconv.Itoa(pid))
	command.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC") // the same text in whatever environment it is compared
	output, err := command.Output()
	if err != nil {
		return "", false
	}
	state, started, _ := strings.Cut(strings.TrimSpace(string(output)), " ")
	return strings.TrimSpace(started), state != "" && !strings.HasPrefix(state, "Z")
}
