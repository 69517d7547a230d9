//go:build linux

package mounttest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TmpFS mounts a file system in memory, with mount options such as "size=1m", until the test ends.
func TmpFS(t testing.TB, options string) string {
	t.Helper()
	Require(t)
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, options))
	unmountAtEnd(t, dir)
	return dir
}

// Bind mounts a directory at another place, as a container's volume is, until the test ends.
func Bind(t testing.TB, source string) string {
	t.Helper()
	Require(t)
	dir := t.TempDir()
	require.NoError(t, syscall.Mount(source, dir, "", syscall.MS_BIND, ""))
	unmountAtEnd(t, dir)
	return dir
}

// SetReadOnly makes a bind mount read-only, or writable again.
func SetReadOnly(t testing.TB, dir string, readOnly bool) {
	t.Helper()
	flags := uintptr(syscall.MS_BIND | syscall.MS_REMOUNT)
	if readOnly {
		flags |= syscall.MS_RDONLY
	}
	require.NoError(t, syscall.Mount("", dir, "", flags, ""))
}

// Unmount takes a mount away before the test ends.
func Unmount(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH))
}

// Fill writes a file until the file system has no more space, and returns its path.
func Fill(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filling")
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // it is full
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := file.Write(block); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			block = block[:len(block)/2]
		}
	}
	return path
}

func unmountAtEnd(t testing.TB, dir string) {
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // the test may have done so itself
}
