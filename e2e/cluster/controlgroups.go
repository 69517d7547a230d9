package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// controlGroupMounts are the places of the hierarchies of control groups: one on a computer of today, one for each controller on
// an older one.
func controlGroupMounts() []string {
	content, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil // no Linux
	}
	var mounts []string
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if kind := fields[2]; kind == "cgroup" || kind == "cgroup2" {
			mounts = append(mounts, fields[1])
		}
	}
	return mounts
}

func hasControlGroups(name string) bool {
	return slices.ContainsFunc(controlGroupMounts(), func(mount string) bool {
		_, err := os.Stat(filepath.Join(mount, name))
		return err == nil
	})
}

// makeControlGroups makes those that kubelet wants to find, with all controllers.
func makeControlGroups(name string) error {
	for _, mount := range controlGroupMounts() {
		if err := os.Mkdir(filepath.Join(mount, name), 0o755); err != nil {
			return err
		}
		controllers, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
		if err != nil {
			continue // an older hierarchy, whose groups always have its controller
		}
		for _, controller := range strings.Fields(string(controllers)) {
			// Some cannot be had (real-time processes in the way, for one): kubelet says which it misses.
			_ = os.WriteFile(filepath.Join(mount, "cgroup.subtree_control"), []byte("+"+controller), 0o600)
		}
	}
	return nil
}

// removeControlGroups removes the groups from the innermost on. The error says which still has processes.
func removeControlGroups(name string) error {
	var problems []error
	for _, mount := range controlGroupMounts() {
		var groups []string
		err := filepath.WalkDir(filepath.Join(mount, name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		}
		for _, group := range slices.Backward(groups) {
			if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
				problems = append(problems, err)
			}
		}
	}
	return errors.Join(problems...)
}
