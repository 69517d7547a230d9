package inject

import (
	"fmt"
	"path"
	"slices"
	"strconv"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/share"
)

// addReadiness makes the pod's readiness depend on its shares. Nothing that it adds touches a share in the kubelet's probe:
// that would hang with the mount, and what hangs there cannot be killed.
func (i *injection) addReadiness() {
	if len(i.taking) == 0 {
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
	if _, awaits := i.pod.Metadata.Annotations[api.Await]; awaits && !checked {
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
	Env             []any           `json:"env,omitempty"`
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
	Port any    `json:"port"` // users may name one
}

// newProbe asks every ten seconds, and believes the second bad answer: the agent's first comes from what it has watched
// for longer, but a busy node can fail to ask at all. The agent answers within milliseconds; starting it may take a busy node longer.
func newProbe() *probe { return &probe{PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 2} }

func (i *injection) newAgent() *agentContainer {
	c := &agentContainer{
		Name:            api.AgentContainer,
		Image:           i.config.Agent.Image,
		ImagePullPolicy: i.config.Agent.ImagePullPolicy,
		Command:         []string{agentProgram},
		Resources:       i.agentResources(),
	}
	c.SecurityContext.Capabilities.Drop = []string{"ALL"}
	c.SecurityContext.ReadOnlyRootFilesystem = true
	c.SecurityContext.RunAsNonRoot = true
	c.SecurityContext.SeccompProfile.Type = "RuntimeDefault"
	c.SecurityContext.identity = i.identity().identity
	return c
}

// agentProgram is the agent in its own image.
const agentProgram = "/podshare-agent"

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

// putAgent adds the container, or the parts that one from an earlier injection lacks: other webhooks may have come between.
func (i *injection) putAgent(want *agentContainer) {
	there := i.pod.agent
	for _, c := range i.pod.Spec.Containers {
		if c.Name == want.Name {
			i.agentConflict(fmt.Sprintf("needs the name %q for an init container; one of spec.containers has it: rename that", want.Name))
			return
		}
	}
	switch {
	case there == nil:
		i.append(&i.pod.initContainers, want)
		return
	case path.Base(there.Image) != path.Base(want.Image): // a webhook may put a mirror in the registry's place
		i.agentConflict(fmt.Sprintf("needs container %q with image %s; the pod has one of that name with image %s: remove or rename it",
			want.Name, share.Quote(want.Image), share.Quote(there.Image)))
		return
	case len(there.Args) == 0 || there.Args[0] != want.Args[0]:
		i.agentConflict(fmt.Sprintf("needs container %q with arguments %q; the pod has one of that name with arguments %s: "+
			"remove or rename it", want.Name, want.Args, enumerate(there.Args)))
		return
	}
	if want.RestartPolicy != "" && there.RestartPolicy != want.RestartPolicy { // it would be waited for, for ever
		i.set(there.path+"/restartPolicy", want.RestartPolicy)
	}
	if !slices.Equal(there.Args, want.Args) {
		i.set(there.path+"/args", want.Args)
	}
	if there.ReadinessProbe == nil && want.ReadinessProbe != nil {
		i.set(there.path+"/readinessProbe", want.ReadinessProbe)
	}
	for _, m := range want.VolumeMounts {
		i.addMount(there, m, i.agentConflict)
	}
}

// agentConflict is something in the pod that keeps the agent out.
func (i *injection) agentConflict(detail string) {
	i.mistakes = append(i.mistakes, share.Invalid(api.Readiness, string(i.request.Readiness), detail))
}

// addVolume adds a volume of podshare's own, unless it is there.
func (i *injection) addVolume(name, source string, value map[string]any, right func(*volume) bool) {
	switch there := i.pod.volume(name); {
	case there == nil:
		i.append(&i.pod.volumes, map[string]any{"name": name, source: value})
	case !right(there):
		i.agentConflict(fmt.Sprintf("needs volume %q as %s; the pod has one of that name, %s: rename it", name, source, there))
	}
}
