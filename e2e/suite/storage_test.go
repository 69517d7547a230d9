package suite_test

import (
	"context"
	"os"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// breakerImage has e2e/breaker, whose storage fails when it is told to.
var breakerImage = os.Getenv("BREAKER_IMAGE")

// breaker is a pod that serves it, in a directory of a node.
type breaker struct {
	pod *corev1.Pod
	dir string
}

func newBreaker(t *testing.T) *breaker {
	t.Helper()
	if breakerImage == "" {
		t.Skip("BREAKER_IMAGE names no image of e2e/breaker")
	}
	namespace := newNamespaceFor(t, "privileged")
	b := &breaker{dir: path.Join("/run", namespace)}
	b.pod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "breaker"},
		Spec: corev1.PodSpec{
			NodeName: schedulable(t)[0], TerminationGracePeriodSeconds: new(int64(5)), AutomountServiceAccountToken: new(false),
			Containers: []corev1.Container{{
				Name: "breaker", Image: breakerImage, Args: []string{"serve", b.dir},
				SecurityContext: &corev1.SecurityContext{Privileged: new(true), RunAsUser: new(int64(0))},
				VolumeMounts:    []corev1.VolumeMount{{Name: "run", MountPath: "/run", MountPropagation: new(corev1.MountPropagationBidirectional)}},
			}},
			Volumes: []corev1.Volume{{Name: "run", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/run"}}}},
		},
	}
	create(t, b.pod)
	awaitLog(t, b.pod, "breaker", "mounted")
	return b
}

// share makes a claim for a share whose volume is one of the breaker's file systems.
func (b *breaker) share(t *testing.T, namespace, name, fileSystem string) {
	t.Helper()
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	claim := newClaim(namespace, name, corev1.ReadWriteMany)
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: claim.Spec.AccessModes, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			ClaimRef: &corev1.ObjectReference{Namespace: namespace, Name: claim.Name},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: path.Join(b.dir, fileSystem), Type: new(corev1.HostPathDirectory)},
			},
		},
	}
	claim.Spec.StorageClassName, claim.Spec.VolumeName = new(""), volume.Name
	create(t, volume, claim)
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), volume)) })
}

// do tells the breaker to hang or to resume.
func (b *breaker) do(t *testing.T, what string) {
	t.Helper()
	execute(t, b.pod, "breaker", "/breaker", what, b.dir)
}

func TestPodsAreUnreadyWhileTheirMountHangsAndReadyAgainAfterwards(t *testing.T) {
	t.Parallel()
	b := newBreaker(t)
	namespace := newNamespace(t)
	b.share(t, namespace, "rules", "hanging")
	pods := []*corev1.Pod{
		newPod(namespace, "producer", map[string]string{"produce": "rules"}, on(b.pod.Spec.NodeName)),
		newPod(namespace, "sidecar", map[string]string{"consume": "rules"}, on(b.pod.Spec.NodeName)),
		newPod(namespace, "container", map[string]string{"consume": "rules", "readiness": "container"}, on(b.pod.Spec.NodeName)),
	}
	for _, pod := range pods {
		create(t, pod)
	}
	awaitReady(t, pods...)
	publish(t, pods[0], "rules", 1)

	b.do(t, "hang")
	defer b.do(t, "resume") // once more does no harm
	begun := time.Now()
	for _, pod := range pods {
		awaitUnready(t, pod)
		t.Logf("%s was unready %s after its mount began to hang", pod.Name, time.Since(begun).Round(100*time.Millisecond))
		awaitEvent(t, pod, "Unhealthy: Readiness probe failed: share rules: no answer for [0-9]+s")
	}

	b.do(t, "resume")
	begun = time.Now()
	awaitReady(t, pods...)
	t.Logf("all were ready again %s after it went on", time.Since(begun).Round(100*time.Millisecond))
}

func TestAFullVolumeMakesItsProducerUnreadyAndNotItsConsumer(t *testing.T) {
	t.Parallel()
	b := newBreaker(t)
	namespace := newNamespace(t)
	b.share(t, namespace, "rules", "small")
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"}, on(b.pod.Spec.NodeName))
	consumer := newPod(namespace, "consumer", map[string]string{"consume": "rules"}, on(b.pod.Spec.NodeName))
	create(t, producer, consumer)
	awaitReady(t, producer, consumer)

	must(t, producer, `
try:
    with open("/podshare/rules/big", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
except OSError as error:
    print(error)`)
	awaitEvent(t, producer, `Unhealthy: Readiness probe failed: share rules: (100% full \(64Mi of 64Mi\)|not writable: no space left on device)`)
	awaitUnready(t, producer)
	require.NoError(t, isReady(t.Context(), consumer), "it goes on reading")
	must(t, producer, `import os; os.remove("/podshare/rules/big")`)
	awaitReady(t, producer)
}
