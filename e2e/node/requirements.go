package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// requirement is a program that a node needs, and the package of Debian and Ubuntu that has it.
type requirement struct{ program, debian string }

var requirements = []requirement{
	{"containerd", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"}, {"nft", "nftables"}, {"conntrack", "conntrack"},
	{"ip", "iproute2"}, {"mount", "mount"},
}

const pluginsPackage = "containernetworking-plugins"

// MissingPackages are the packages of Debian and Ubuntu that a node needs and this computer lacks.
func MissingPackages() []string {
	var missing []string
	for _, r := range requirements {
		if _, err := exec.LookPath(r.program); err != nil && !slices.Contains(missing, r.debian) {
			missing = append(missing, r.debian)
		}
	}
	if _, err := pluginDirectory(); err != nil {
		missing = append(missing, pluginsPackage)
	}
	return missing
}

// pluginDirectory is where distributions put the CNI plugins.
func pluginDirectory() (string, error) {
	directories := []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
	for _, dir := range directories {
		if _, err := os.Stat(filepath.Join(dir, "ptp")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("there is no CNI plugin ptp in %s: install %s", strings.Join(directories, ", "), pluginsPackage)
}

// snapshotter is what lays images over each other: overlayfs, unless the machine's directory is itself on one, as in a container.
func snapshotter() string {
	const overlayfs = 0x794c7630
	var info syscall.Statfs_t
	if err := syscall.Statfs(Mount, &info); err != nil || info.Type == overlayfs {
		return "native" // which copies
	}
	return "overlayfs"
}
