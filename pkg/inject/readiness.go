package inject

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/share"
)

// addReadiness makes the pod's readiness depend on its shares. Nothing that it adds touches a share in the kubelet's probe:
// that would hang with the mount, and what hangs there cannot be killed.
func (i *injection) addReadiness() {
	if len(i.taking) == 0 || !i.agentNameIsFree() {
		return
	}
	checked := true
	switch i.request.Readiness {
	case api.ReadinessSidecar:
		i.addSidecar()
	case api.ReadinessContainer:
		checked = i.addProbes()
	default:
		checked = false
	}
	if _, awaits := i.pod.metadata.Annotations[api.Await]; awaits && !checked {
		i.warnings.add(api.Await + " has no effect: no readinessProbe of podshare's is in the pod")
	}
}

// agentContainer is the container that podshare adds, as it is written.
type agentContainer struct {
	Name            string          `json:"name"`
	Image           string          `json:"image"`
	ImagePullPolicy string          `json:"imagePullPolicy"`
	RestartPolicy   string          `json:"restartPolicy,omitempty"`
	Command         []string        `json:"command"`
	Args            []string        `json:"args"`
	Ports           []containerPort `json:"ports,omitempty"`
	ReadinessProbe  *probe          `json:"readinessProbe,omitempty"`
	Resources       *resources      `json:"resources,omitempty"`
	SecurityContext securityContext `json:"securityContext"`
	VolumeMounts    []mount         `json:"volumeMounts"`
}

// securityContext is what the restricted Pod Security Standard asks of a container, and a file system that nobody writes to.
type securityContext struct {
	AllowPrivilegeEscalation bool `json:"allowPrivilegeEscalation"`
	Capabilities             struct {
		Drop []string `json:"drop"`
	} `json:"capabilities"`
	ReadOnlyRootFilesystem bool `json:"readOnlyRootFilesystem"`
	RunAsNonRoot           bool `json:"runAsNonRoot"`
	identity
	SeccompProfile struct {
		Type string `json:"type"`
	} `json:"seccompProfile"`
}

// probe is a readinessProbe, as it is read and as it is written.
type probe struct {
	Exec             *execAction    `json:"exec,omitempty"`
	HTTPGet          *httpGetAction `json:"httpGet,omitempty"`
	PeriodSeconds    int            `json:"periodSeconds,omitempty"`
	TimeoutSeconds   int            `json:"timeoutSeconds,omitempty"`
	FailureThreshold int            `json:"failureThreshold,omitempty"`
}

type execAction struct {
	Command []string `json:"command"`
}

type httpGetAction struct {
	Path string `json:"path"`
	Port int    `json:"port"`
	// port is what was read: users may name one.
	port string
}

// newProbe asks every ten seconds, and believes the second bad answer: the agent's first comes from what it has watched
// for longer, but a busy node can fail to ask at all. The agent answers within milliseconds; starting it may take a busy node longer.
func newProbe() *probe { return &probe{PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 2} }

func (i *injection) newAgent() *agentContainer {
	c := &agentContainer{
		Name:            api.AgentContainer,
		Image:           i.config.Agent.Image,
		ImagePullPolicy: i.config.Agent.ImagePullPolicy,
		Command:         []string{api.AgentProgram},
		Resources:       i.agentResources(),
	}
	c.SecurityContext.Capabilities.Drop = []string{"ALL"}
	c.SecurityContext.ReadOnlyRootFilesystem = true
	c.SecurityContext.RunAsNonRoot = true
	c.SecurityContext.SeccompProfile.Type = "RuntimeDefault"
	c.SecurityContext.identity = i.identity().identity
	return c
}

// watchArguments tell the agent what to watch. sameUser says that it has the user and group of those who use the shares.
func (i *injection) watchArguments(sameUser bool) []string {
	var arguments []string
	for _, s := range i.request.Shares {
		flag := "--consume="
		if s.Role == api.Producer {
			flag = "--produce="
		}
		arguments = append(arguments, flag+s.Name+":"+s.Path)
	}
	for _, file := range i.request.Await {
		arguments = append(arguments, "--await="+file.Share+"/"+file.Path)
	}
	if len(i.request.Of(api.Producer)) > 0 {
		free := i.config.Agent.MinFree
		arguments = append(arguments, "--min-free-percent="+strconv.Itoa(free.Percent),
			"--min-free-bytes="+strconv.FormatInt(free.Bytes.Value(), 10), "--min-free-inodes="+strconv.Itoa(free.Inodes))
	}
	if sameUser {
		arguments = append(arguments, "--same-user")
	}
	return arguments
}

// agentNameIsFree says that no container of somebody else's has the agent's name: in any mode, since what is done to pods
// goes by it.
func (i *injection) agentNameIsFree() bool {
	for _, c := range i.pod.spec.Containers {
		if c.Name == api.AgentContainer {
			i.refuseAgent(fmt.Sprintf("%q is the name of podshare's own init container; one of spec.containers has it: rename that", c.Name))
			return false
		}
	}
	want, there := i.config.Agent.Image, i.pod.agent
	if there == nil || imageName(there.Image) == imageName(want) {
		return true
	}
	i.refuseAgent(fmt.Sprintf("container %q is podshare's own, with image %s; the pod has one of that name with image %s: remove or rename it",
		there.Name, quoteEnd(want), quoteEnd(there.Image)))
	return false
}

// imageName is the last part of an image's name. Other webhooks put a mirror in the place of a registry and a digest in the place
// of a tag, and a pod may have been injected by another version.
func imageName(reference string) string {
	name, _, _ := strings.Cut(path.Base(reference), "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// quoteEnd shows the end of a long text: that of an image tells more than its registry.
func quoteEnd(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = "…" + string(runes[len(runes)-most:])
	}
	return share.Quote(text)
}

// putAgent adds the container, or the parts that one from an earlier injection lacks: other webhooks may have come between.
func (i *injection) putAgent(want *agentContainer) {
	there := i.pod.agent
	if there == nil {
		i.append(i.pod.initContainers, want)
		return
	}
	if len(there.Args) == 0 || there.Args[0] != want.Args[0] {
		i.agentConflict(fmt.Sprintf("container %q is podshare's own, and begins its arguments with %q; the pod has one of that name "+
			"with arguments %s: remove or rename it", want.Name, want.Args[0], enumerate(there.Args)))
		return
	}
	if want.RestartPolicy != "" && there.RestartPolicy != want.RestartPolicy { // it would be waited for, for ever
		i.set(there.path+"/restartPolicy", want.RestartPolicy)
	}
	if !slices.Equal(there.Args, want.Args) {
		i.set(there.path+"/args", want.Args)
	}
	for _, port := range want.Ports {
		i.addPort(there, port)
	}
	if want.ReadinessProbe != nil && !there.ReadinessProbe.asks(want.ReadinessProbe) {
		i.set(there.path+"/readinessProbe", want.ReadinessProbe)
	}
	if want.Resources != nil && !there.Resources.any() {
		i.set(there.path+"/resources", want.Resources)
	}
	for _, m := range want.VolumeMounts {
		i.addMount(there, m, i.agentConflict)
	}
}

// addPort makes a container have a port of that name. One that nobody asks for any more stays: it opens nothing.
func (i *injection) addPort(c *container, want containerPort) {
	n := slices.IndexFunc(c.Ports, func(p containerPort) bool { return p.Name == want.Name })
	switch {
	case n < 0:
		i.append(list{c.path + "/ports", c.Ports != nil}, want)
	case !equal(c.Ports[n].Number, want.Number):
		i.set(c.path+"/ports/"+strconv.Itoa(n)+"/containerPort", want.Number)
	}
}

// asks says whether a probe asks the agent in the way that another one does. What podshare does not know, as a mesh that has put
// itself in between, is left alone.
func (p *probe) asks(other *probe) bool {
	switch {
	case p == nil:
		return false
	case p.Exec != nil && slices.Equal(p.Exec.Command, sidecarCheck):
		return other.Exec != nil
	case p.HTTPGet != nil && p.HTTPGet.Path == readyPath:
		return other.HTTPGet != nil && p.HTTPGet.port == strconv.Itoa(other.HTTPGet.Port)
	default:
		return true
	}
}

// agentConflict is something in the pod that keeps the agent out, which the pod can do without.
func (i *injection) agentConflict(detail string) {
	i.refuseAgent(detail + ", or set " + api.Readiness + " to " + string(api.ReadinessNone))
}

func (i *injection) refuseAgent(detail string) {
	i.mistakes = append(i.mistakes, share.Invalid(api.Readiness, string(i.request.Readiness), detail))
}

// addVolume adds a volume of podshare's own, unless it is there.
func (i *injection) addVolume(name, source string, value any) {
	switch there := i.pod.volume(name); {
	case there == nil:
		i.append(i.pod.volumes, map[string]any{"name": name, source: value})
	case there.Source != source:
		i.agentConflict(fmt.Sprintf("needs volume %q as %s; the pod has one of that name, %s: rename it", name, source, there))
	}
}
