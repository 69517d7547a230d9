//go:build linux

// Package mounttest makes real mounts for tests: of memory, read-only, full, and hanging. The tests run in a mount
// namespace of their own, so the machine sees none of it, and whatever ends them leaves nothing behind.
package mounttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const (
	// roleVariable tells a process of the test program what it is: one of the roles, or the tests' parent without it.
	roleVariable = "PODSHARE_MOUNTTEST"
	roleTests    = "tests"
	roleFUSE     = "fuse"
)

// cannot says why this machine mounts nothing for us; nil when it does.
var cannot error

// Run is the TestMain of a package: os.Exit(mounttest.Run(m)). It runs the tests in a mount namespace, as root or in a user
// namespace where the system lets users have one. Where neither works, tests that mount are skipped and say why.
func Run(m *testing.M) (code int) {
	switch os.Getenv(roleVariable) {
	case roleFUSE:
		return serveFUSE()
	case roleTests:
		// Nothing that is mounted from here on is seen outside.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			cannot = err
		}
		return m.Run()
	}
	namespaces := []uintptr{syscall.CLONE_NEWNS, syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER}
	for _, flags := range namespaces {
		tests, err := startTests(flags)
		if err != nil {
			cannot = errors.Join(cannot, err)
			continue
		}
		return exitCode(tests.Wait())
	}
	return m.Run()
}

func startTests(flags uintptr) (*exec.Cmd, error) {
	tests := exec.Command("/proc/self/exe", os.Args[1:]...)
	tests.Env = append(os.Environ(), roleVariable+"="+roleTests)
	tests.Stdin, tests.Stdout, tests.Stderr = os.Stdin, os.Stdout, os.Stderr
	tests.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if flags&syscall.CLONE_NEWUSER != 0 {
		tests.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		tests.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := tests.Start(); err != nil {
		return nil, fmt.Errorf("a namespace of flags %#x: %w", flags, err)
	}
	return tests, nil
}

func exitCode(err error) int {
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return failed.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Require skips a test where this machine mounts nothing.
func Require(t testing.TB) {
	t.Helper()
	if cannot != nil {
		t.Skipf("this machine lets this user mount nothing: %v", cannot)
	}
}
