package inject

import (
	"slices"

	"github.com/podshare/podshare/pkg/api"
)

// installedAgent is the agent in a container of the user's.
const installedAgent = api.AgentDir + api.AgentProgram

// addProbes gives each container that takes part a readinessProbe that runs the agent in it, unless it has one. An init
// container installs the agent. It reports whether any container is checked.
func (i *injection) addProbes() (checked bool) {
	for _, c := range i.taking {
		switch {
		case c.init && c.RestartPolicy != "Always": // it ends before anything is ready
		case c.keepsProbe():
			i.warnings.add("the share is not checked where a container has a readinessProbe of its own", c.Name)
		default:
			i.addProbe(c)
			checked = true
		}
	}
	if !checked {
		return false
	}
	// In memory, so that it does not keep a node from being scaled away. The limit is the program's size, with some to spare.
	i.addVolume(api.AgentVolume, "emptyDir", map[string]string{"medium": "Memory", "sizeLimit": "8Mi"})
	installer := i.newAgent()
	installer.Args = []string{"install", "--to=" + api.AgentDir}
	installer.VolumeMounts = []mount{{Name: api.AgentVolume, MountPath: api.AgentDir}}
	i.putAgent(installer)
	return true
}

// addProbe makes a container check its shares as the user that it is, so that permissions are judged in any case.
func (i *injection) addProbe(c *container) {
	// Read-only: what one container could replace, the others would run.
	i.addMount(c, mount{Name: api.AgentVolume, MountPath: api.AgentDir, ReadOnly: true}, i.agentConflict)
	check := append([]string{installedAgent, "check"}, i.watchArguments(true)...)
	switch {
	case c.ReadinessProbe == nil:
		want := newProbe()
		want.Exec = &execAction{Command: check}
		i.set(c.path+"/readinessProbe", want)
	case !slices.Equal(c.ReadinessProbe.Exec.Command, check):
		i.set(c.path+"/readinessProbe/exec/command", check)
	}
}

// keepsProbe reports whether the container has a readinessProbe that is not podshare's.
func (c *container) keepsProbe() bool {
	p := c.ReadinessProbe
	return p != nil && (p.Exec == nil || len(p.Exec.Command) == 0 || p.Exec.Command[0] != installedAgent)
}
