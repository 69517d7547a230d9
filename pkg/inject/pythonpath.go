package inject

import (
	"slices"
	"strconv"
	"strings"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/share"
)

// addPythonPath makes the modules on consumed shares importable: PYTHONPATH gains the shares' paths and keeps all that
// it had. Where that is depends on how the container sets it.
func (i *injection) addPythonPath() {
	consumed := i.request.Of(api.Consumer)
	if len(consumed) == 0 {
		for _, key := range []string{api.PythonPath, api.ImagePythonPath} {
			if _, ok := i.pod.metadata.Annotations[key]; ok {
				i.warnings.add(key + " has no effect without " + api.Consume)
			}
		}
		return
	}
	if i.request.PythonPath == api.PythonPathNone {
		return
	}
	for _, c := range i.taking {
		n, found := c.last(api.EnvPythonPath)
		switch {
		case !found:
			i.append(c.env, i.pythonPath(i.basePythonPath(c), consumed))
		case c.Env[n].ValueFrom:
			i.keepPythonPath(c, n, consumed)
		default:
			if want := i.pythonPath(c.Env[n].Value, consumed); want.Value != c.Env[n].Value {
				i.set(c.entry(n)+"/value", want.Value)
			}
		}
	}
}

// pythonPath is a base with the paths of the shares that it does not have yet. Empty entries of the base stay: each
// means the working directory.
func (i *injection) pythonPath(base string, consumed []share.Share) newEnv {
	entries := strings.Split(base, ":")
	var missing []string
	for _, s := range consumed {
		if !slices.Contains(entries, s.Path) {
			missing = append(missing, s.Path)
		}
	}
	switch {
	case base == "":
		entries = missing
	case i.request.PythonPath == api.PythonPathPrepend:
		entries = append(missing, entries...)
	default:
		entries = append(entries, missing...)
	}
	return newEnv{api.EnvPythonPath, strings.Join(entries, ":")}
}

// keepPythonPath keeps an entry whose value comes from elsewhere under another name, and refers to it in a new one right behind it:
// kubelet expands $(NAME) from earlier entries only.
func (i *injection) keepPythonPath(c *container, n int, consumed []share.Share) {
	if other, found := c.last(api.EnvBasePythonPath); found {
		i.conflict(consumed[0], "needs the name "+api.EnvBasePythonPath+" for the PYTHONPATH that container "+
			share.Quote(c.Name)+" has from elsewhere (valueFrom); that name has "+c.Env[other].String()+": rename it")
		return
	}
	i.set(c.entry(n)+"/name", api.EnvBasePythonPath)
	i.set(c.entry(n+1), i.pythonPath(reference(api.EnvBasePythonPath), consumed))
}

// basePythonPath is what a container without an entry for PYTHONPATH has as its value nevertheless.
func (i *injection) basePythonPath(c *container) string {
	image := i.request.ImagePythonPath
	if _, found := c.last(api.EnvBasePythonPath); found {
		return reference(api.EnvBasePythonPath) // its companion was removed after an earlier injection
	}
	if slices.ContainsFunc(c.EnvPrefixes, func(prefix string) bool { return strings.HasPrefix(api.EnvPythonPath, prefix) }) {
		i.warnings.add("PYTHONPATH begins with $(PYTHONPATH), harmless where envFrom does not set it", c.Name)
		return strings.TrimSuffix(reference(api.EnvPythonPath)+":"+image, ":")
	}
	if image == "" {
		i.warnings.add("PYTHONPATH hides one that the image may set; "+api.ImagePythonPath+" would keep it", c.Name)
	}
	return image
}

func reference(variable string) string { return "$(" + variable + ")" }

// entry is the JSON pointer of a place in the container's environment.
func (c *container) entry(n int) string { return c.env.path + "/" + strconv.Itoa(n) }
