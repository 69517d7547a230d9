package plugin_test

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/retry"
	"github.com/podshare/podshare/pkg/plugin"
	"github.com/podshare/podshare/pkg/program"
)

const (
	// limit bounds every wait: many times what it takes.
	limit = time.Minute
	tick  = 50 * time.Millisecond
)

// result is what a call of the plugin printed, and what it ended with.
type result struct {
	out, errors string
	code        int
}

// kubectl calls `kubectl podshare` as the cluster's administrator.
func kubectl(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	command := plugin.Command(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errs})
	command.SetArgs(append([]string{"--kubeconfig", kubernetes.Kubeconfig(), "--cache-dir", cacheDir}, args...))
	r := result{}
	if err := command.ExecuteContext(t.Context()); err != nil {
		errs.WriteString(err.Error() + "\n")
		r.code = program.ExitCode(err)
	}
	r.out, r.errors = out.String(), errs.String()
	return r
}

// changing is what differs from one run to the next.
var changing = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`test-[a-z0-9]{5}`), "shop"},
	{regexp.MustCompile(`pvc-[0-9a-f-]{36}`), "pvc-…"},
	{regexp.MustCompile(`hostpath_pv/[0-9a-f-]{36}`), "hostpath_pv/…"},
	{regexp.MustCompile(`\b(\d+(ms|[smhd]))+\b`), "1s"},
	{regexp.MustCompile(`<invalid>`), "1s"},
	{regexp.MustCompile(`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \S+`), "Wed, 25 Nov 2026 09:00:00 UTC"},
	{regexp.MustCompile(`web-[a-z0-9]{8,10}\b`), "web-6d4cf56db6"},
	{regexp.MustCompile(`web-6d4cf56db6-[a-z0-9]{5}\b`), "web-6d4cf56db6-x7k2p"},
	{regexp.MustCompile(`podshare-config-[a-z0-9]{10}\b`), "podshare-config-k5b9f8d8tm"},
	{regexp.MustCompile(`(\S) {2,}`), "$1  "}, // columns are as wide as what was replaced
	{regexp.MustCompile(`-{2,}`), "--"},
	{regexp.MustCompile(`(?m) +$`), ""},
}

// stable is an output without what differs from one run to the next.
func stable(output string) string {
	for _, c := range changing {
		output = c.pattern.ReplaceAllString(output, c.by)
	}
	return output
}

// beforeEvents cuts off what other controllers say as well, in their own order.
func beforeEvents(output string) string {
	before, _, _ := strings.Cut(output, "Events:\n")
	return before
}

// newNamespace makes one for a test, whose pods can be created: they need an account.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, api.Create(t.Context(), namespace))
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), namespace)) })
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(t.Context(), client.ObjectKey{Namespace: namespace.Name, Name: "default"}, &corev1.ServiceAccount{}))
	}, limit, tick)
	return namespace.Name
}

// grant gives a user one of Kubernetes' own roles in a namespace.
func grant(t *testing.T, namespace, user, role string) {
	t.Helper()
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	require.EventuallyWithT(t, func(c *assert.CollectT) { // the API server hears of it after a moment
		require.Equal(c, 0, kubectl(t, "list", "-n", namespace, "--as", user).code)
	}, limit, tick)
}

// newPod is a pod that no node has to run.
func newPod(namespace, name string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop/app"}}},
	}
}

// newDeployment has one pod, with these annotations in its template.
func newDeployment(namespace string, annotations map[string]string) *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec:       newPod(namespace, "", nil).Spec,
			},
		},
	}
}

func create[T client.Object](t *testing.T, object T) T {
	t.Helper()
	require.NoError(t, api.Create(t.Context(), object))
	return object
}

// awaitPod waits for the pod that a Deployment makes.
func awaitPod(t *testing.T, namespace string) *corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.List(t.Context(), &pods, client.InNamespace(namespace)))
		require.NotEmpty(c, pods.Items)
	}, limit, tick)
	return &pods.Items[0]
}

// awaitBound waits for a share's claim to have its volume.
func awaitBound(t *testing.T, namespace, share string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var claim corev1.PersistentVolumeClaim
		require.NoError(c, api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "podshare-" + share}, &claim))
		require.Equal(c, corev1.ClaimBound, claim.Status.Phase)
	}, limit, tick)
}

// playKubelet says of a pod what a kubelet would: whether it runs, and whether the container that looks at its shares is ready.
func playKubelet(t *testing.T, pod *corev1.Pod, ready bool) {
	t.Helper()
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: status},
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Ready: true, State: running}}
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "podshare-agent", Ready: ready, State: running}}
	require.NoError(t, api.Status().Update(t.Context(), pod))
}

// sayUnhealthy is the Event by which a kubelet tells what the agent answered.
func sayUnhealthy(t *testing.T, pod *corev1.Pod, said string) {
	t.Helper()
	create(t, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, GenerateName: pod.Name + "-"},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
			FieldPath: "spec.initContainers{podshare-agent}",
		},
		Type: corev1.EventTypeWarning, Reason: "Unhealthy", Message: "Readiness probe failed: " + said,
		Source: corev1.EventSource{Component: "kubelet"}, Count: 3,
		FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(),
	})
}

// find is one of the installed objects, as a manifest.
func find(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	object, err := install.Find(installed, kind, name)
	require.NoError(t, err)
	return object.DeepCopy()
}

// without deletes one of podshare's objects until the test ends.
func without(t *testing.T, kind, name string) {
	t.Helper()
	require.NoError(t, api.Delete(t.Context(), find(t, kind, name)))
	restoreAfter(t, find(t, kind, name))
}

// patched changes one of podshare's objects until the test ends.
func patched(t *testing.T, kind, name, patch string) {
	t.Helper()
	require.NoError(t, api.Patch(t.Context(), find(t, kind, name), client.RawPatch(types.JSONPatchType, []byte(patch))))
	restoreAfter(t, find(t, kind, name))
}

func restoreAfter(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	t.Cleanup(func() {
		ctx := context.Background()
		require.NoError(t, install.Apply(ctx, kubernetes.Config(), []*unstructured.Unstructured{object}))
		require.NoError(t, retry.Within(ctx, limit, tick, isWhole))
	})
}
