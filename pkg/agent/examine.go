//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// examiner looks at one share. It may be blocked by a mount that hangs for as long as that takes.
type examiner struct {
	share Share
	mount mountpoint
	// sameUser is true when this process has the user and group that the pod's containers have: only then does what it is
	// permitted say something about them.
	sameUser bool
	minFree  MinFree
	// measured is true when the usage of the share is told, and so has to be read where readiness does not need it.
	measured bool
	// scratch names the files of the write test, which no other process uses.
	scratch string
	// writePause is that of Options, and written is when the last write test succeeded.
	writePause time.Duration
	written    time.Time
}

// examine returns what is wrong with the share, nil when it is healthy, and its usage, nil where that was not read.
func (e *examiner) examine() (*usage, error) {
	if err := e.judge(e.mount.check()); err != nil {
		return nil, err
	}
	if err := e.judge(e.list()); err != nil {
		return nil, err
	}
	used, err := e.readUsage() // a consumer is ready without it
	if e.share.Produced {
		if err = e.judge(err); err == nil && used != nil {
			err = e.examineWriting(used)
		}
		if err != nil {
			return used, err
		}
	}
	return used, e.await()
}

// usage is what the file system of a share reports.
type usage struct {
	syscall.Statfs_t
	read time.Time
}

// readUsage returns nil where nobody needs it: to a file server it is one more request.
func (e *examiner) readUsage() (*usage, error) {
	if !e.share.Produced && !e.measured {
		return nil, nil
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(e.share.Path, &fs); err != nil {
		return nil, fmt.Errorf("does not tell its size: %w", err)
	}
	return &usage{fs, time.Now()}, nil
}

// judge leaves out what another user is not permitted: the pod's containers may be.
func (e *examiner) judge(err error) error {
	if !e.sameUser && errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// list reads the directory: what is cached of it would not tell that its server is gone, or that it was removed.
func (e *examiner) list() error {
	directory, err := os.Open(e.share.Path)
	if err == nil {
		_, err = directory.Readdirnames(1)
		err = errors.Join(ignore(err, io.EOF), directory.Close())
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the directory was removed")
	default:
		return fmt.Errorf("does not list: %w", reason(err))
	}
}

func (e *examiner) examineWriting(used *usage) error {
	if used.Flags&syscall.MS_RDONLY != 0 { // ST_RDONLY of statfs(2) has the same value
		return fmt.Errorf("not writable: %w", syscall.EROFS)
	}
	if full := e.minFree.full(&used.Statfs_t); full != "" {
		return errors.New(full)
	}
	if !e.sameUser || time.Since(e.written) < e.writePause {
		return nil
	}
	if err := e.write(); err != nil {
		e.written = time.Time{}
		return fmt.Errorf("not writable: %w", reason(err))
	}
	e.written = time.Now()
	return nil
}

// write does what a careful producer does: a file of another name, synced, and renamed. It removes both.
func (e *examiner) write() error {
	final := filepath.Join(e.share.Path, e.scratch)
	draft := final + ".new"
	file, err := createNew(draft)
	if errors.Is(err, fs.ErrExist) { // an earlier test could not remove it
		if err = os.Remove(draft); err == nil {
			file, err = createNew(draft)
		}
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString("podshare tests whether this share can be written\n")
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(draft, final)
	}
	if err != nil {
		return errors.Join(err, ignore(os.Remove(draft), fs.ErrNotExist))
	}
	return os.Remove(final)
}

// createNew makes a file: whatever has that name is not followed and not overwritten.
func createNew(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// await looks for the files without which the share is not ready.
func (e *examiner) await() error {
	for _, file := range e.share.Awaited {
		_, err := os.Stat(filepath.Join(e.share.Path, file))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("waiting for %s/%s", e.share.Name, file)
		case err != nil:
			return fmt.Errorf("waiting for %s/%s: %w", e.share.Name, file, reason(err))
		}
	}
	return nil
}

// reason is an error without the operation and path that Go puts before it: the first reason, where there are several.
func reason(err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number
	}
	return err
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}
