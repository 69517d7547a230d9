package inject

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// addSidecar adds the agent as a native sidecar: an init container that goes on. Its readiness counts for the pod's, it does
// not keep a Job from ending, and the user's containers stay as they are.
func (i *injection) addSidecar() {
	c := i.newAgent()
	c.RestartPolicy = "Always"
	c.Args = append([]string{"run"}, i.watchArguments(i.identity().judged)...)
	c.ReadinessProbe = newProbe()
	agent := &i.config.Agent
	listens := !i.pod.spec.HostNetwork // there, pods would have to share the port with each other
	if listens && agent.Probe == config.ProbeHTTPGet {
		c.Args = append(c.Args, "--port="+strconv.Itoa(agent.Port))
		c.ReadinessProbe.HTTPGet = &httpGetAction{Path: readyPath, Port: agent.Port}
	} else {
		c.ReadinessProbe.Exec = &execAction{Command: sidecarCheck}
	}
	if listens && agent.Metrics {
		c.Args = append(c.Args, "--metrics-port="+strconv.Itoa(agent.Port))
		c.Ports = []containerPort{{api.AgentMetricsPort, new(int64(agent.Port)), "TCP"}}
	}
	for _, s := range i.request.Shares {
		c.VolumeMounts = append(c.VolumeMounts, shareMount(s))
	}
	i.keepTokenOut(c)
	i.putAgent(c)
}

// How the kubelet asks the sidecar.
var sidecarCheck = []string{api.AgentProgram, "check"}

const readyPath = "/readyz"

// tokenDir is where the API server mounts the service account's token in every container that mounts nothing else there
// (k8s.io/kubernetes, plugin/pkg/admission/serviceaccount).
const tokenDir = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a place, and not what is in it

// keepTokenOut mounts an empty directory in the token's place: the agent needs no credentials, and it listens. Not an
// emptyDir: a node with one is not drained without a further flag.
func (i *injection) keepTokenOut(c *agentContainer) {
	if automount := i.pod.spec.AutomountToken; automount != nil && !*automount {
		return
	}
	if there := i.pod.agent; there != nil && !slices.ContainsFunc(there.VolumeMounts, func(m mount) bool { return m.Name == api.NoTokenVolume }) {
		return // something else is mounted there by now
	}
	i.addVolume(api.NoTokenVolume, "downwardAPI", struct{}{})
	c.VolumeMounts = append(c.VolumeMounts, mount{Name: api.NoTokenVolume, MountPath: tokenDir, ReadOnly: true})
}

// agentIdentity is who the sidecar runs as.
type agentIdentity struct {
	identity
	// judged is true when that is who the pod's containers run as: then what the agent may do says what they may.
	judged bool
}

// identity is the user and group of the containers that take part, where the pod says them, the same for all, and other than
// root: the sidecar never is root. The group may be said by fsGroup, which is about volumes. Where the pod does not say the
// user, it is the image's, which is not root either. A sidecar that is there stays who it is: another webhook may have
// given the containers another user since.
func (i *injection) identity() agentIdentity {
	if len(i.taking) == 0 {
		return agentIdentity{}
	}
	pod := i.pod.spec.SecurityContext
	of := func(c *container) identity {
		return identity{cmp.Or(c.SecurityContext.RunAsUser, pod.RunAsUser), cmp.Or(c.SecurityContext.RunAsGroup, pod.RunAsGroup)}
	}
	first := of(i.taking[0])
	same := !slices.ContainsFunc(i.taking, func(c *container) bool {
		return !is(of(c), first)
	})
	const root, nobody = 0, 65532 // the user of the agent's image
	switch {
	case same && first.RunAsUser != nil && *first.RunAsUser != root:
		return agentIdentity{first, (first.RunAsGroup != nil || pod.FSGroup != nil) && (i.pod.agent == nil || is(of(i.pod.agent), first))}
	case pod.RunAsUser != nil && *pod.RunAsUser == root:
		return agentIdentity{identity: identity{new(int64(nobody)), new(int64(nobody))}}
	default:
		return agentIdentity{}
	}
}

func is(a, b identity) bool {
	return equal(a.RunAsUser, b.RunAsUser) && equal(a.RunAsGroup, b.RunAsGroup)
}

func equal[T comparable](a, b *T) bool { return a == b || (a != nil && b != nil && *a == *b) }
