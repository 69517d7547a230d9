//go:build linux

// Breaker is storage that fails when it is told to, for the suite: it mounts two file systems on a node, one by FUSE whose server can
// be stopped, so that whoever touches it waits, and a small one that is soon full. It needs a privileged container.
//
//	breaker serve DIR   mounts DIR/hanging and DIR/small, prints "mounted", and removes both when it is told to end
//	breaker hang DIR    stops the server of DIR/hanging
//	breaker resume DIR  lets it go on
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// The names in DIR.
const (
	hanging = "hanging"
	small   = "small"
	behind  = "behind" // what DIR/hanging shows
	pidName = "server.pid"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "breaker:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	commands := map[string]func(string) error{
		"serve":  serve,
		"server": server,
		"hang":   func(dir string) error { return tell(dir, syscall.SIGSTOP) },
		"resume": func(dir string) error { return tell(dir, syscall.SIGCONT) },
	}
	if len(arguments) != 2 || commands[arguments[0]] == nil {
		return fmt.Errorf("the arguments are %q: allowed are serve, hang or resume, and a directory", arguments)
	}
	return commands[arguments[0]](arguments[1])
}

// serve is process 1, which cannot be stopped from within its container: the server of files is a process of its own.
func serve(dir string) (err error) {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	for _, name := range []string{hanging, small, behind} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, 0o777)); err != nil { //nolint:gosec // every pod's user may write
			return err
		}
	}
	if err := syscall.Mount("tmpfs", filepath.Join(dir, small), "tmpfs", 0, "size=64m,mode=1777"); err != nil {
		return fmt.Errorf("mounting a small file system: %w", err)
	}
	files := exec.Command("/proc/self/exe", "server", dir)
	files.Stderr = os.Stderr
	output, err := files.StdoutPipe()
	if err != nil {
		return err
	}
	if err := files.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, pidName), []byte(strconv.Itoa(files.Process.Pid)), 0o600); err != nil {
		return err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the server of files ended: %w", err)
	}
	fmt.Print(line)
	<-end
	err = files.Process.Kill()
	for _, name := range []string{hanging, small} {
		err = errors.Join(err, syscall.Unmount(filepath.Join(dir, name), syscall.MNT_DETACH))
	}
	for _, name := range []string{hanging, small, behind, pidName} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
	}
	return err
}

// server shows one directory at another, by FUSE.
func server(dir string) error {
	root, err := fs.NewLoopbackRoot(filepath.Join(dir, behind))
	if err != nil {
		return err
	}
	// The kernel mounts by itself, without a helper program.
	served, err := fs.Mount(filepath.Join(dir, hanging), root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, AllowOther: true, Options: []string{"default_permissions"}},
	})
	if err != nil {
		return fmt.Errorf("mounting with FUSE: %w", err)
	}
	fmt.Println("mounted")
	served.Wait()
	return nil
}

func tell(dir string, signal syscall.Signal) error {
	content, err := os.ReadFile(filepath.Join(dir, pidName))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, signal)
}
