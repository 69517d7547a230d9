//go:build linux

package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// ErrTaken says that another watchdog listens on the socket.
var ErrTaken = errors.New("another watchdog listens there")

// ListenUnix listens on a Unix socket: a path, or "@name" for an abstract one. A file that a watchdog which was killed
// left behind is replaced. The error wraps ErrTaken where a watchdog is at work.
func ListenUnix(name string) (*os.File, error) {
	address, err := unixAddress(name)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(name, "@") {
		if err := takePlace(name); err != nil {
			return nil, err
		}
	}
	listener, err := listenOn(syscall.AF_UNIX, address, name)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %w", name, ErrTaken)
	}
	return listener, err
}

// takePlace locks the socket's place for as long as this process lives, however it ends, and removes a dead one's file.
func takePlace(path string) error {
	fd, err := syscall.Open(path+".lock", syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("locking %s: %w", path, err)
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = syscall.Close(fd)
		return fmt.Errorf("%s: %w", path, ErrTaken)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
