package inject

import (
	"fmt"
	"path"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
)

// addMounts mounts each share in each container that takes part.
func (i *injection) addMounts() {
	for _, c := range i.taking {
		for _, s := range i.request.Shares {
			i.addMount(c, shareMount(s), func(detail string) { i.conflict(s, detail+"; give the share another path") })
			i.warnOfMountsAround(c, s)
		}
	}
}

func shareMount(s share.Share) mount {
	return mount{Name: api.VolumeName(s.Name), MountPath: s.Path, ReadOnly: s.Role == api.Consumer}
}

// addMount mounts a volume in a container, or says what is in its place.
func (i *injection) addMount(c *container, want mount, conflict func(detail string)) {
	occupied := func(by string) {
		conflict(fmt.Sprintf("needs %s at %q in container %s, which has %s there", want, want.MountPath, share.Quote(c.Name), by))
	}
	for _, m := range c.VolumeMounts {
		m.MountPath = clean(m.MountPath)
		if m == want {
			return
		}
		if m.MountPath == want.MountPath {
			occupied(m.String())
			return
		}
	}
	for _, device := range c.DevicePaths {
		if clean(device) == want.MountPath {
			occupied("a block device")
			return
		}
	}
	i.append(c.mounts, want)
}

// warnOfMountsAround tells of mounts that hide a part of the share, or that the share hides a part of.
func (i *injection) warnOfMountsAround(c *container, s share.Share) {
	for _, m := range c.VolumeMounts {
		switch other := clean(m.MountPath); {
		case other == s.Path, m.Name == api.VolumeName(s.Name): // the user's own further mount of the share
		case config.Within(s.Path, other):
			i.warnings.add(fmt.Sprintf("share %s at %q lies inside the mount at %s", s.Name, s.Path, share.Quote(other)), c.Name)
		case config.Within(other, s.Path):
			i.warnings.add(fmt.Sprintf("the mount at %s lies inside share %s at %q", share.Quote(other), s.Name, s.Path), c.Name)
		}
	}
}

// clean is a path as the kubelet takes it: "/data/" and "data" are the same.
func clean(mountPath string) string {
	if !path.IsAbs(mountPath) {
		mountPath = "/" + mountPath
	}
	return path.Clean(mountPath)
}

// String describes a mount in a message.
func (m mount) String() string {
	text := fmt.Sprintf("volume %s %s", share.Quote(m.Name), mode(m.ReadOnly))
	if sub := m.SubPath + m.SubPathExpr; sub != "" {
		text += " with subpath " + share.Quote(sub)
	}
	return text
}
