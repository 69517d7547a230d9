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
			i.addMount(c, s)
		}
	}
}

func (i *injection) addMount(c *container, s share.Share) {
	want := mount{Name: api.VolumeName(s.Name), MountPath: s.Path, ReadOnly: s.Role == api.Consumer}
	present := false
	for _, m := range c.VolumeMounts {
		m.MountPath = path.Clean("/" + m.MountPath) // "/data/" and "data" are the same to the kubelet
		switch other := m.MountPath; {
		case m == want:
			present = true
		case other == s.Path:
			i.conflict(s, fmt.Sprintf("needs %s at %q in container %s, which has %s there; give the share another path",
				want, s.Path, share.Quote(c.Name), m))
			return
		case m.Name == want.Name: // the user's own further mount of the share
		case config.Within(s.Path, other):
			i.warnings.add(fmt.Sprintf("share %s at %q lies inside the mount at %s", s.Name, s.Path, share.Quote(other)), c.Name)
		case config.Within(other, s.Path):
			i.warnings.add(fmt.Sprintf("the mount at %s lies inside share %s at %q", share.Quote(other), s.Name, s.Path), c.Name)
		}
	}
	for _, d := range c.VolumeDevices {
		if path.Clean("/"+d.DevicePath) == s.Path {
			i.conflict(s, fmt.Sprintf("needs %s at %q in container %s, which has a block device there; give the share another path",
				want, s.Path, share.Quote(c.Name)))
			return
		}
	}
	if !present {
		i.append(&c.mounts, want)
	}
}

// String describes a mount in a message.
func (m mount) String() string {
	text := fmt.Sprintf("volume %s %s", share.Quote(m.Name), mode(m.ReadOnly))
	if sub := m.SubPath + m.SubPathExpr; sub != "" {
		text += " with subpath " + share.Quote(sub)
	}
	return text
}
