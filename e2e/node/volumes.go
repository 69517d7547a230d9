package node

import (
	"io/fs"
	"os"

	"github.com/fsnotify/fsnotify"

	"github.com/podshare/podshare/e2e/cluster"
)

// openVolumes lets every user write to each volume that is made from now on, as the storage of real clusters does in one way or
// another: the control plane makes a volume's directory for root alone, and kubelet applies no fsGroup to a node's directories.
func openVolumes() error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	if err := watcher.Add(cluster.HostPathRoot); err != nil {
		return err
	}
	go func() {
		for event := range watcher.Events {
			if event.Has(fsnotify.Create) {
				_ = os.Chmod(event.Name, fs.ModePerm) // it may be gone again
			}
		}
	}()
	return nil
}
