package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// ownerName is the file that makes a directory a cluster's. The owner holds a lock on it; the kernel gives the lock
	// up when the owner is gone, however it ended, and no pid that was reused can look like an owner.
	ownerName = ".podshare-cluster"
	// keptMark is what the file says of a cluster that may outlive its owner.
	keptMark = "kept"
)

// errOwned says that another live process holds a directory.
var errOwned = errors.New("another process is using it")

// ownership is this process's lock on a cluster's directory.
type ownership struct{ file *os.File }

// claim makes the directory, unless it exists and is empty, and takes it for this process.
func claim(dir string) (*ownership, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("directory %s is not empty: a cluster needs a new one; stop what is left in this one "+
			"(make clean-cluster) or choose another", dir)
	}
	return lock(dir, os.O_CREATE|os.O_EXCL)
}

// lock takes the directory; errOwned when its owner is alive, fs.ErrNotExist when it is no cluster's.
func lock(dir string, flags int) (*ownership, error) {
	file, err := os.OpenFile(filepath.Join(dir, ownerName), os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errOwned
		}
		return nil, errors.Join(fmt.Errorf("cluster directory %s: %w", dir, err), file.Close())
	}
	return &ownership{file}, nil
}

func (o *ownership) markKept() error {
	_, err := o.file.WriteString(keptMark + "\n")
	return err
}

func (o *ownership) isKept() bool {
	content, err := os.ReadFile(o.file.Name())
	return err == nil && strings.TrimSpace(string(content)) == keptMark
}

// release ends the ownership. A second one finds nothing to do.
func (o *ownership) release() error {
	if err := o.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return nil
}
