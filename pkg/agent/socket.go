//go:build linux

package agent

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Sockets, by the system's own calls: package net is a third of a program with it, resolver and all, and doubles what it
// keeps in memory. A socket is an *os.File, which waits without a thread and has deadlines.

// unixAddress is a path, or "@name" for an abstract address, which belongs to the network and is gone with its process.
func unixAddress(address string) (*syscall.SockaddrUnix, error) {
	const most = 107 // bytes that the system takes (unix(7))
	if address == "" || len(address) > most {
		return nil, fmt.Errorf("the socket %q must have 1 to %d characters", address, most)
	}
	return &syscall.SockaddrUnix{Name: address}, nil
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
	if err != nil && strings.Contains(err.Error(), syscall.EAFNOSUPPORT.Error()) {
		return listenOn(syscall.AF_INET, &syscall.SockaddrInet4{Port: port}, name)
	}
	return listener, err
}
