package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
)

// Clean stops and removes the clusters in the directories directly below root whose owner is gone, and returns their
// directories. Kept clusters are removed only when kept says so. It leaves alone a cluster whose owner is alive, a
// directory that is no cluster's, and a process that merely has the pid of a former one.
//
// What it cannot remove are the (empty) directories of volumes of a cluster whose API server is already gone.
func Clean(root string, kept bool) ([]string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var removed []string
	var problems []error
	for _, entry := range entries {
		dir := filepath.Join(root, entry.Name())
		switch done, err := cleanDir(dir, kept); {
		case err != nil:
			problems = append(problems, err)
		case done:
			removed = append(removed, dir)
		}
	}
	return removed, errors.Join(problems...)
}

// cleanDir says whether there was a cluster to remove.
func cleanDir(dir string, kept bool) (bool, error) {
	owner, err := lock(dir, 0)
	if errors.Is(err, errOwned) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if owner.isKept() && !kept {
		return false, owner.release()
	}
	records, err := readRecords(dir)
	if err != nil {
		return false, errors.Join(err, owner.release())
	}
	return true, remove(dir, owner, records, func() error {
		config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, kubeconfigName))
		if err != nil {
			return err
		}
		return removeVolumes(config)
	})
}

// remove stops the processes and deletes the directory. When a process cannot be stopped, or what a machine left cannot be removed,
// the directory stays: it is all that a later attempt has to find them by.
func remove(dir string, owner *ownership, records []record, removeVolumes func() error) error {
	err := stopAll(records, removeVolumes)
	left := removeFootprint(dir)
	err = errors.Join(err, left)
	if left == nil && !slices.ContainsFunc(records, record.running) {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return errors.Join(err, owner.release())
}
