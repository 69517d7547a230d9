//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Install copies this program to a directory, under its own name, for containers of other images to run. It appears
// there whole or not at all, and may be there already.
func Install(directory string) (path string, err error) {
	source, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer source.Close() //nolint:errcheck // only read
	draft, err := os.CreateTemp(directory, ".podshare-agent-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(draft, source)
	err = errors.Join(err, draft.Chmod(0o755), draft.Close())
	path = filepath.Join(directory, "podshare-agent")
	if err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("installing %s: %w", path, err), os.Remove(draft.Name()))
	}
	return path, nil
}
