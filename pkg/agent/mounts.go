//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// mountinfo lists what is mounted where, as this process sees it (proc(5)). Reading it touches no mount.
const mountinfo = "/proc/self/mountinfo"

// mountpoint knows whether something is mounted at a path. A directory that is merely there is the container's own: what is
// written to it reaches nobody.
type mountpoint struct {
	path string
	// found is the directory that was last found to be a mount. As long as it is the same one, the list is not read anew.
	found fs.FileInfo
}

// check says that nothing is mounted there.
func (m *mountpoint) check() error {
	info, err := os.Stat(m.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("nothing is mounted at %s: %w", m.path, reason(err))
	case err != nil:
		return fmt.Errorf("does not list: %w", reason(err))
	}
	if m.found != nil && os.SameFile(m.found, info) {
		return nil
	}
	// An image may have /data as a link, and the mount is where it leads.
	target, err := filepath.EvalSymlinks(m.path)
	if err != nil {
		return err
	}
	table, err := os.ReadFile(mountinfo)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 4 && unescape.Replace(fields[4]) == target {
			m.found = info
			return nil
		}
	}
	return fmt.Errorf("nothing is mounted at %s", m.path)
}

// unescape reads a path of mountinfo: these characters are written in octal there.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
