//go:build linux

package mounttest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/stretchr/testify/require"
)

// FUSE is a mounted file system whose server is a process of its own: what becomes of a network file system when its
// server hangs or dies can be done to it.
type FUSE struct {
	// Dir is where it is mounted.
	Dir string
	// Source is the directory that it shows.
	Source string

	server *exec.Cmd
}

// MountFUSE mounts one until the test ends. Where the machine has no FUSE, the test is skipped and says why.
func MountFUSE(t testing.TB) *FUSE {
	t.Helper()
	Require(t)
	if device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("this machine has no FUSE: %v", err)
	} else {
		require.NoError(t, device.Close())
	}
	f := &FUSE{Dir: t.TempDir(), Source: t.TempDir()}
	f.server = exec.Command("/proc/self/exe", f.Source, f.Dir)
	f.server.Env = append(os.Environ(), roleVariable+"="+roleFUSE)
	f.server.Stderr = os.Stderr
	f.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ready, err := f.server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, f.server.Start())
	t.Cleanup(func() {
		f.Kill(t)
		_ = syscall.Unmount(f.Dir, syscall.MNT_DETACH)
	})
	line, err := bufio.NewReader(ready).ReadString('\n')
	require.NoError(t, err, "the FUSE server says why")
	require.Equal(t, "mounted\n", line)
	return f
}

// Hang stops the server: whatever touches the mount from now on waits.
func (f *FUSE) Hang(t testing.TB) {
	t.Helper()
	require.NoError(t, f.server.Process.Signal(syscall.SIGSTOP))
	// A thread of the server may answer a last request until the signal has reached it.
	require.Eventually(t, f.isStopped, 10*time.Second, time.Millisecond)
}

func (f *FUSE) isStopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", f.server.Process.Pid))
	return err == nil && !slices.ContainsFunc(threads, func(stat string) bool {
		content, err := os.ReadFile(stat)
		_, state, _ := strings.Cut(string(content), ") ") // behind the name (proc_pid_stat(5))
		return err == nil && !strings.HasPrefix(state, "T")
	})
}

// Recover lets the server go on.
func (f *FUSE) Recover(t testing.TB) {
	t.Helper()
	require.NoError(t, f.server.Process.Signal(syscall.SIGCONT))
}

// Kill ends the server: the mount stays, and each access to it fails.
func (f *FUSE) Kill(t testing.TB) {
	t.Helper()
	if f.server.ProcessState == nil {
		require.NoError(t, f.server.Process.Kill())
		_ = f.server.Wait() // its error is the kill
	}
}

// serveFUSE is the server's process. Its arguments are the directory to show and where.
func serveFUSE() (code int) {
	root, err := fs.NewLoopbackRoot(os.Args[1])
	if err == nil {
		var server *fuse.Server
		// The kernel mounts by itself, without a helper program. It remembers nothing: each access is a request.
		server, err = fs.Mount(os.Args[2], root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true}})
		if err == nil {
			fmt.Println("mounted")
			server.Wait()
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "mounting with FUSE:", err)
	return 1
}
