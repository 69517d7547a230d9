package plugin

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/podshare/podshare/pkg/api"
)

// complaint is what keeps a pod from being ready, as far as anybody says. Empty: it is ready, or has ended. Events are the pod's,
// the oldest first.
func complaint(pod *corev1.Pod, events []corev1.Event) string {
	if hasEnded(pod) || isReady(pod) {
		return ""
	}
	if scheduled := podCondition(pod, corev1.PodScheduled); scheduled != nil && scheduled.Status != corev1.ConditionTrue {
		return "not scheduled: " + scheduled.Message
	}
	if pod.Status.Phase == corev1.PodPending {
		if e := last(events, func(e *corev1.Event) bool { return e.Reason == "FailedMount" || e.Reason == "FailedAttachVolume" }); e != nil {
			return e.Message
		}
	}
	if container := lookingContainer(pod); container != nil && !container.Ready {
		return agentComplaint(container, events)
	}
	for _, container := range pod.Status.ContainerStatuses {
		if !container.Ready {
			return strings.TrimSuffix(fmt.Sprintf("container %s is not ready, and its shares are: %s", container.Name, stateOf(&container)), ": ")
		}
	}
	return strings.ToLower(string(pod.Status.Phase))
}

// lookingContainer is the status of the container that looks at the shares: the sidecar, or the first that is not ready of those
// that run the agent as their probe. Nil: none does.
func lookingContainer(pod *corev1.Pod) *corev1.ContainerStatus {
	var looking *corev1.ContainerStatus
	all := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for i := range all {
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			if c.Name == all[i].Name && runsAgent(&c) && (looking == nil || looking.Ready) {
				looking = &all[i]
			}
		}
	}
	return looking
}

// runsAgent says whether a container's readiness is that of the shares.
func runsAgent(c *corev1.Container) bool {
	if c.Name == api.AgentContainer {
		return c.ReadinessProbe != nil // the one that installs the agent has none
	}
	return c.ReadinessProbe != nil && c.ReadinessProbe.Exec != nil && len(c.ReadinessProbe.Exec.Command) > 0 &&
		c.ReadinessProbe.Exec.Command[0] == api.AgentDir+api.AgentProgram
}

// agentComplaint is what the agent says through the kubelet, or why it says nothing.
func agentComplaint(container *corev1.ContainerStatus, events []corev1.Event) string {
	if state := stateOf(container); state != "" {
		return fmt.Sprintf("container %s: %s", container.Name, state)
	}
	e := last(events, func(e *corev1.Event) bool {
		return e.Reason == "Unhealthy" && strings.Contains(e.InvolvedObject.FieldPath, "{"+container.Name+"}") &&
			strings.HasPrefix(e.Message, probeFailed)
	})
	if e == nil {
		return fmt.Sprintf("container %s is not ready, and no Event says why", container.Name)
	}
	return strings.TrimSpace(strings.TrimPrefix(e.Message, probeFailed))
}

const probeFailed = "Readiness probe failed: " // kubelet's

// stateOf says why a container does not run. Empty: it does.
func stateOf(container *corev1.ContainerStatus) string {
	switch s := container.State; {
	case s.Waiting != nil:
		return strings.TrimSuffix(s.Waiting.Reason+": "+s.Waiting.Message, ": ")
	case s.Terminated != nil:
		return strings.TrimSuffix(fmt.Sprintf("%s, exit code %d: %s", s.Terminated.Reason, s.Terminated.ExitCode, s.Terminated.Message), ": ")
	default:
		return ""
	}
}

// last is the youngest of the Events that match, nil where none does.
func last(events []corev1.Event, match func(*corev1.Event) bool) *corev1.Event {
	for i := len(events) - 1; i >= 0; i-- {
		if match(&events[i]) {
			return &events[i]
		}
	}
	return nil
}

// remedies are for what the agent and the kubelet say, by a part of it: docs/readiness.md has them at length.
var remedies = []struct{ says, remedy string }{
	{"no answer", "the mount hangs: look at the storage; the pod becomes ready by itself, and starting it anew does not help"},
	{"waiting for ", "a producer has to write that file"},
	{"read-only file system", "the volume, or its mount on this node, is read-only: often after an error of the storage"},
	{"not writable: permission denied", "the pod's user may not write: set fsGroup, or the owner of the share's directory"},
	{"no space left on device", "make room, or let the claim grow: annotation " + api.Size},
	{"% full", "make room, or let the claim grow: annotation " + api.Size},
	{"of its inodes are used", "there are too many files: remove some"},
	{"nothing is mounted", "the volume is gone under the pod: create the pod anew"},
	{"the directory was removed", "the volume is gone under the pod: create the pod anew"},
	{"does not list", "the storage answers with an error: look at it"},
	{"statuscode: 503", "ask the agent itself: kubectl exec POD -c " + api.AgentContainer + " -- " + api.AgentProgram + " check"},
	{"ImagePull", "agent.image in the platform's configuration has to be an image that every node can pull: ask the platform team"},
	{"unbound immediate PersistentVolumeClaims", "the claim waits for its volume; its Events say why"},
	{"persistentvolumeclaim \"podshare-", "the claim is podshare's controller's to make: kubectl podshare doctor"},
}

// advise says what to do about a pod's complaint, where there is something to say beside it.
func advise(complaint, namespace string) finding {
	f := warn("%s", oneLine(complaint))
	for _, r := range remedies {
		if strings.Contains(complaint, r.says) {
			f = f.mend("%s", r.remedy)
			break
		}
	}
	if name, is := strings.CutPrefix(complaint, "share "); is { // the agent's
		name, _, _ = strings.Cut(name, ":")
		f = f.mend("kubectl podshare describe %s -n %s", name, namespace)
	}
	return f
}
