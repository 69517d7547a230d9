package suite_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
)

func TestAPodIsReadyWhenWhatItAwaitsIsThere(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	create(t, producer)
	awaitReady(t, producer)
	var waiting []*corev1.Pod
	for _, readiness := range []string{"sidecar", "container"} {
		pod := newPod(namespace, readiness, map[string]string{"consume": "rules", "await": "rules/pricing.py", "readiness": readiness})
		create(t, pod)
		waiting = append(waiting, pod)
	}
	unwatched := newPod(namespace, "none", map[string]string{"consume": "rules", "await": "rules/pricing.py", "readiness": "none"})
	create(t, unwatched)
	awaitReady(t, unwatched)
	for _, pod := range waiting {
		awaitEvent(t, pod, "Unhealthy: Readiness probe failed: share rules: waiting for rules/pricing.py")
		awaitUnready(t, pod)
	}
	publish(t, producer, "rules", 1)
	awaitReady(t, waiting...)
	must(t, producer, "import pathlib; pathlib.Path('/podshare/rules/pricing.py').unlink(missing_ok=True)")
	for _, pod := range waiting {
		awaitUnready(t, pod)
	}
}

func TestAProbeOfThePodsOwnIsKeptAndCountsToo(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	own := &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"python3", "-c", "open('/podshare/rules/pricing.py')"}}},
		PeriodSeconds: 3,
	}
	pod := newPod(namespace, "picky", map[string]string{"produce": "rules"}, func(pod *corev1.Pod) {
		pod.Spec.Containers[0].ReadinessProbe = own.DeepCopy()
	})
	create(t, pod)
	awaitEvent(t, pod, "(?s)Unhealthy: Readiness probe failed: .*No such file or directory")
	awaitUnready(t, pod)
	publish(t, pod, "rules", 1)
	awaitReady(t, pod)
	assert.Equal(t, own.Exec, pod.Spec.Containers[0].ReadinessProbe.Exec)
}
