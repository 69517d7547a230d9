package inject

import (
	"fmt"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/share"
)

// newEnv is an entry as it is written: always with a literal value.
type newEnv struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// addDirectories tells each container where its shares are.
func (i *injection) addDirectories() {
	for _, c := range i.taking {
		for _, s := range i.request.Shares {
			want := newEnv{api.DirEnv(s.Name), s.Path}
			switch n, found := c.last(want.Name); {
			case !found:
				i.append(c.env, want)
			case c.Env[n].ValueFrom || c.Env[n].Value != want.Value:
				i.conflict(s, fmt.Sprintf("needs the variable %s to be %q in container %s, which has %s: remove it there",
					want.Name, want.Value, share.Quote(c.Name), c.Env[n]))
			}
		}
	}
}

// addBytecodeSwitch keeps producers from writing __pycache__ on a share. A module that is written again within a second
// and with the same size would stay stale in every consumer, and on a full volume a truncated cache breaks their
// imports (cpython#121376, cpython#126606).
func (i *injection) addBytecodeSwitch() {
	if len(i.request.Of(api.Producer)) == 0 {
		return
	}
	for _, c := range i.taking {
		if _, found := c.last(api.EnvDontWriteBytecode); !found {
			i.append(c.env, newEnv{api.EnvDontWriteBytecode, "1"})
		}
	}
}

// String describes a variable's value in a message.
func (e envVar) String() string {
	if e.ValueFrom {
		return "it from elsewhere (valueFrom)"
	}
	return share.Quote(e.Value)
}
