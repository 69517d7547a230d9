package suite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newNamespace makes a namespace for a test, in which only restricted pods may run, and removes it when the test ends.
func newNamespace(t *testing.T) string {
	t.Helper()
	return newNamespaceFor(t, "restricted")
}

// newNamespaceFor is newNamespace with another level of the Pod Security Standards.
func newNamespaceFor(t *testing.T, level string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "podshare-e2e-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": level},
	}}
	require.NoError(t, api.Create(t.Context(), namespace))
	t.Cleanup(func() {
		require.NoError(t, api.Delete(context.Background(), namespace))
	})
	require.EventuallyWithT(t, func(c *assert.CollectT) { // no pod is admitted before
		require.NoError(c, api.Get(t.Context(), client.ObjectKey{Namespace: namespace.Name, Name: "default"}, &corev1.ServiceAccount{}))
	}, limit, tick)
	return namespace.Name
}

// sleeping is a program that does nothing.
const sleeping = "import time; time.sleep(1e6)"

// newPod is a restricted pod whose one container, app, runs a Python program. The annotations are given without their prefix.
func newPod(namespace, name string, annotations map[string]string, changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(10001)), RunAsGroup: new(int64(10001)), FSGroup: new(int64(10001)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			TerminationGracePeriodSeconds: new(int64(1)), // Python as process 1 does not heed SIGTERM
			Containers:                    []corev1.Container{pythonContainer("app", sleeping)},
		},
	}
	for key, value := range annotations {
		pod.Annotations["podshare.dev/"+key] = value
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

func pythonContainer(name, program string) corev1.Container {
	return corev1.Container{
		Name: name, Image: pythonImage, Command: []string{"python3", "-u", "-c", program},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m")}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// runs makes the container app run another program.
func runs(program string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Command[3] = program }
}

func on(node string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: node} }
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		require.NoError(t, api.Create(t.Context(), object))
	}
}

// isReady reads a pod, and says why it is not ready.
func isReady(ctx context.Context, pod *corev1.Pod) error {
	if err := api.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
		return err
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("pod %s is %s and not ready", pod.Name, pod.Status.Phase)
}

func awaitReady(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, pod := range pods {
		err := within(t.Context(), limit, func(ctx context.Context) error { return isReady(ctx, pod) })
		require.NoError(t, err, "events:\n%s", strings.Join(events(t, pod), "\n"))
	}
}

func awaitUnready(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		if isReady(ctx, pod) == nil {
			return fmt.Errorf("pod %s is ready", pod.Name)
		}
		return nil
	}))
}

// events are what is told of an object, a line each: reason and message.
func events(t *testing.T, object client.Object) []string {
	t.Helper()
	list, err := nodes.EventsV1().Events(object.GetNamespace()).List(context.Background(), metav1.ListOptions{
		FieldSelector: "regarding.name=" + object.GetName(),
	})
	require.NoError(t, err)
	lines := make([]string, len(list.Items))
	for i, event := range list.Items {
		lines[i] = event.Reason + ": " + event.Note
	}
	return lines
}

// awaitEvent waits for an event that matches a pattern: "Reason: .*message".
func awaitEvent(t *testing.T, object client.Object, pattern string) {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	var told []string
	err := within(t.Context(), limit, func(context.Context) error {
		told = events(t, object)
		if !wanted.MatchString(strings.Join(told, "\n")) {
			return errors.New("no event matches " + pattern)
		}
		return nil
	})
	require.NoError(t, err, "they are:\n%s", strings.Join(told, "\n"))
}

// must runs a Python program in the container app, with the environment that it has, and returns what it prints.
func must(t *testing.T, pod *corev1.Pod, program string) string {
	t.Helper()
	return mustIn(t, pod, "app", program)
}

func mustIn(t *testing.T, pod *corev1.Pod, container, program string) string {
	t.Helper()
	return execute(t, pod, container, "python3", "-c", program)
}

func execute(t *testing.T, pod *corev1.Pod, container string, command ...string) string {
	t.Helper()
	said, err := tryToExecute(t.Context(), pod, container, command...)
	require.NoError(t, err)
	return said
}

func tryToExecute(ctx context.Context, pod *corev1.Pod, container string, command ...string) (string, error) {
	request := nodes.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: container, Command: command, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(access, "GET", request.URL().String())
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer // two, since both are written at a time
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &stdout, Stderr: &stderr}); err != nil {
		return "", fmt.Errorf("%q in %s: %w: %s", command, pod.Name, err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// publish makes a producer write a module with one number, as a careful one does.
func publish(t *testing.T, producer *corev1.Pod, share string, price int) {
	t.Helper()
	must(t, producer, fmt.Sprintf(`import os
d = os.environ["PODSHARE_%s_DIR"]
with open(d + "/.pricing", "w") as f:
    f.write("PRICE = %d\n")
os.replace(d + "/.pricing", d + "/pricing.py")`, strings.ToUpper(share), price))
}

// following prints each price that it imports, once.
const following = `import importlib, sys, time
last = None
while True:
    importlib.invalidate_caches()
    sys.modules.pop("pricing", None)
    try:
        import pricing
    except ModuleNotFoundError:
        pass
    else:
        if pricing.PRICE != last:
            last = pricing.PRICE
            print("price", last)
    time.sleep(0.1)`

// awaitLog waits for a line in a pod's log.
func awaitLog(t *testing.T, pod *corev1.Pod, container, line string) {
	t.Helper()
	var log string
	err := within(t.Context(), limit, func(ctx context.Context) (err error) {
		if log, err = readLog(ctx, pod, container); err == nil && !strings.Contains(log, line+"\n") {
			err = fmt.Errorf("the log of %s has no line %q", pod.Name, line)
		}
		return err
	})
	require.NoError(t, err, "the log:\n%s", log)
}

func readLog(ctx context.Context, pod *corev1.Pod, container string) (string, error) {
	log, err := nodes.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container}).DoRaw(ctx)
	return string(log), err
}

// getClaim reads the claim of a share.
func getClaim(ctx context.Context, namespace, share string) (*corev1.PersistentVolumeClaim, error) {
	claim := &corev1.PersistentVolumeClaim{}
	return claim, api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "podshare-" + share}, claim)
}
