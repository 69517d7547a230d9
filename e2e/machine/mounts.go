//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/node"
)

// programs is where the machine sees the directory of that name.
const programs = "/run/programs"

// isolate gives the machine directories of its own in the places of a computer's, so that its programs find theirs where they
// look by themselves, and this computer's stay as they are.
func isolate(o options) error {
	// What is mounted here from now on is not seen outside. Inside it is seen by the pods that want that.
	if err := mounts(
		mount{target: "/", flags: syscall.MS_REC | syscall.MS_PRIVATE},
		mount{target: "/", flags: syscall.MS_REC | syscall.MS_SHARED},
	); err != nil {
		return err
	}
	// By descriptor: either may be below of what is covered now.
	dir, err := os.Open(o.dir)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // only mounted from
	bin, err := os.Open(o.programs)
	if err != nil {
		return err
	}
	defer bin.Close() //nolint:errcheck // only mounted from
	for _, own := range []string{"kubelet", "volumes"} {
		if err := os.MkdirAll(filepath.Join(o.dir, own), 0o755); err != nil {
			return err
		}
	}
	if err := mounts(
		mount{"tmpfs", "/run", "tmpfs", 0, "mode=755"},
		mount{descriptor(dir), node.Mount, "", syscall.MS_BIND, ""},
		mount{descriptor(bin), programs, "", syscall.MS_BIND, ""},
		mount{"proc", "/proc", "proc", 0, ""},
		mount{"tmpfs", "/var/lib", "tmpfs", 0, "mode=755"},
		mount{"tmpfs", "/var/log", "tmpfs", 0, "mode=755"},
		mount{node.Mount + "/kubelet", "/var/lib/kubelet", "", syscall.MS_BIND, ""},
	); err != nil {
		return err
	}
	return errors.Join(isolateVolumes(), protectSettings())
}

func descriptor(file *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(file.Fd())) }

// isolateVolumes gives the control plane a directory of its own for the volumes that it provisions: it can make them only below
// of /tmp, where other clusters' are. The place may have to be made, and is left then: it is the same for all.
func isolateVolumes() error {
	if err := cluster.ShareHostPathRoot(); err != nil {
		return err
	}
	return mounts(mount{node.Mount + "/volumes", cluster.HostPathRoot, "", syscall.MS_BIND, ""})
}

// kubeletSettings are settings of the kernel, common to the whole computer, that kubelet changes and nobody would change back.
var kubeletSettings = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// protectSettings puts files in their places, in which kubelet finds the values and changes nothing but the files.
func protectSettings() error {
	for _, name := range kubeletSettings {
		setting, copied := filepath.Join("/proc/sys", name), filepath.Join("/run/settings", name)
		value, err := os.ReadFile(setting)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not in this kernel
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(copied, value, 0o600); err != nil {
			return err
		}
		if err := syscall.Mount(copied, setting, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting a file on %s: %w", setting, err)
		}
	}
	return nil
}

// mount is the arguments of mount(2).
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// mounts does one after the other, into directories that it makes where they are missing.
func mounts(list ...mount) error {
	for _, m := range list {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %q on %s: %w", m.source, m.target, err)
		}
	}
	return nil
}
