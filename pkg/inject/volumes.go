package inject

import (
	"fmt"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/share"
)

// addVolumes gives the pod a volume for each share. A consumer's is read-only itself, and not only its mounts: no
// container that is added later, an ephemeral one for debugging included, can then mount it writable.
func (i *injection) addVolumes() {
	for _, s := range i.request.Shares {
		want := claimSource{ClaimName: api.ClaimName(s.Name), ReadOnly: s.Role == api.Consumer}
		switch existing := i.pod.volume(api.VolumeName(s.Name)); {
		case existing == nil:
			i.append(i.pod.volumes, map[string]any{"name": api.VolumeName(s.Name), "persistentVolumeClaim": want})
		case existing.Claim == nil || *existing.Claim != want:
			i.conflict(s, fmt.Sprintf("needs volume %q as %s; the pod has one of that name, %s: rename it",
				api.VolumeName(s.Name), &volume{Claim: &want}, existing))
		}
	}
}

func (p *Pod) volume(name string) *volume {
	for n := range p.spec.Volumes {
		if p.spec.Volumes[n].Name == name {
			return &p.spec.Volumes[n]
		}
	}
	return nil
}

// String describes a volume's source in a message.
func (v *volume) String() string {
	if v.Claim == nil {
		return "of type " + share.Quote(v.Source)
	}
	return "claim " + share.Quote(v.Claim.ClaimName) + " " + mode(v.Claim.ReadOnly)
}

func mode(readOnly bool) string {
	if readOnly {
		return "read-only"
	}
	return "writable"
}
