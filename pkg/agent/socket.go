//go:build linux

package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Sockets, by the system's own calls: package net is a third of a program with it, resolver and all, and doubles what it
// keeps in memory. A socket is an *os.File, which waits without a thread and has deadlines.

// Socket is the name of the watchdog's Unix socket in this container: the same for all processes that are in its file
// system, and another one in every other container of the node. It is abstract, so that it needs no file, and is gone with its
// process; such names belong to the network, which the containers of a pod, and the pods on a host's network, share.
func Socket() string {
	const prefix = "@podshare-agent"
	namespace, err := os.Readlink("/proc/self/ns/mnt") // "mnt:[4026531841]"
	if err != nil {
		return prefix // a sandbox that does not tell has a network of its own
	}
	return prefix + "-" + strings.Trim(namespace, "mnt:[]")
}

// ErrTaken says that another watchdog listens on the socket.
var ErrTaken = errors.New("another watchdog listens there")

// ListenUnix listens on an abstract Unix socket, "@name". The error wraps ErrTaken where a watchdog is at work.
func ListenUnix(name string) (*os.File, error) {
	address, err := unixAddress(name)
	if err != nil {
		return nil, err
	}
	listener, err := listenOn(syscall.AF_UNIX, address, name)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %w", name, ErrTaken)
	}
	return listener, err
}

func unixAddress(name string) (*syscall.SockaddrUnix, error) {
	const most = 107 // bytes that the system takes (unix(7))
	if len(name) > most || len(name) < 2 || name[0] != '@' {
		return nil, fmt.Errorf("the socket %q must be @ and a name of at most %d characters", name, most-1)
	}
	return &syscall.SockaddrUnix{Name: name}, nil
}

func newSocket(family int) (int, error) {
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	return fd, os.NewSyscallError("socket", err)
}

// listenOn makes a socket that listens. The name is for messages.
func listenOn(family int, address syscall.Sockaddr, name string) (*os.File, error) {
	fd, err := newSocket(family)
	if err != nil {
		return nil, err
	}
	if family == syscall.AF_INET || family == syscall.AF_INET6 {
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if family == syscall.AF_INET6 && err == nil {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 0) // IPv4 as well
	}
	if err == nil {
		err = syscall.Bind(fd, address)
	}
	if err == nil {
		err = syscall.Listen(fd, maxQuestions)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("listening on %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// accept waits for the next connection.
func accept(listener *os.File) (*os.File, error) {
	raw, err := listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var acceptErr error
	err = raw.Read(func(listening uintptr) bool {
		fd, _, acceptErr = syscall.Accept4(int(listening), syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
		return acceptErr != syscall.EAGAIN
	})
	if err != nil {
		return nil, err // the listener is closed
	}
	if acceptErr != nil {
		return nil, os.NewSyscallError("accept", acceptErr)
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

// dialUnix connects. A Unix socket says at once whether somebody listens.
func dialUnix(name string) (*os.File, error) {
	address, err := unixAddress(name)
	if err != nil {
		return nil, err
	}
	fd, err := newSocket(syscall.AF_UNIX)
	if err != nil {
		return nil, err
	}
	if err := syscall.Connect(fd, address); err != nil {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// ListenTCP listens on a port of all addresses, of IPv6 and IPv4 where the system has both.
func ListenTCP(port int) (*os.File, error) {
	name := fmt.Sprintf("port %d", port)
	listener, err := listenOn(syscall.AF_INET6, &syscall.SockaddrInet6{Port: port}, name)
	if errors.Is(err, syscall.EAFNOSUPPORT) {
		return listenOn(syscall.AF_INET, &syscall.SockaddrInet4{Port: port}, name)
	}
	return listener, err
}
