package controller_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/controller"
)

const (
	// limit bounds every wait: many times what it takes, since a machine may be busy.
	limit = 30 * time.Second
	tick  = 20 * time.Millisecond
)

// running is a controller that a test started.
type running struct {
	// metrics are its own metrics only; what controller-runtime serves is the process's.
	metrics *prometheus.Registry
	log     *logBuffer
	cancel  context.CancelFunc
	ended   chan error
}

// start runs a controller, with the permissions of its service account, until the test ends. Without a change it needs
// no lease and serves nothing.
func start(t *testing.T, changes ...func(*controller.Options)) *running {
	t.Helper()
	r := &running{metrics: prometheus.NewRegistry(), log: &logBuffer{}, ended: make(chan error, 1)}
	access := rest.CopyConfig(administrator)
	access.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:podshare-system:podshare-controller",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:podshare-system", "system:authenticated"},
	}
	options := controller.Options{
		Config:                  config.Default(),
		REST:                    access,
		MetricsAddress:          "0",
		LeaderElectionNamespace: "podshare-system",
		Metrics:                 r.metrics,
		Log:                     logr.FromSlogHandler(slog.NewTextHandler(r.log, nil)),
	}
	for _, change := range changes {
		change(&options)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- controller.Run(ctx, options) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

func withLease(o *controller.Options) { o.LeaderElection = true }

// stop ends the controller, if it has not ended yet, as SIGTERM would. It must have needed no permission it lacks.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if r.cancel == nil {
		return
	}
	r.cancel()
	r.cancel = nil
	select {
	case err := <-r.ended:
		require.NoError(t, err)
	case <-time.After(limit):
		require.FailNow(t, "the controller did not end", "log:\n%s", r.log)
	}
	require.NotContains(t, r.log.String(), "is forbidden: User", "a permission was missing")
}

// awaitLog waits until the controller has logged something.
func (r *running) awaitLog(t *testing.T, text string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.Contains(c, r.log.String(), text) }, limit, tick)
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// newNamespace makes one for a test. Its pods go with the test, so that no later controller works for them.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, api.Create(t.Context(), namespace))
	t.Cleanup(func() {
		require.NoError(t, api.DeleteAllOf(context.Background(), &corev1.Pod{}, client.InNamespace(namespace.Name)))
	})
	return namespace.Name
}

// injectedPod is a pod as the webhook leaves it, as far as the controller is concerned. Annotations are pairs of a key
// without its prefix and a value.
func injectedPod(namespace, name string, annotations ...string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels:      map[string]string{"podshare.dev/injected": "true"},
			Annotations: map[string]string{},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/app"}}},
	}
	for i := 0; i < len(annotations); i += 2 {
		pod.Annotations["podshare.dev/"+annotations[i]] = annotations[i+1]
	}
	return pod
}

func createPod(t *testing.T, namespace, name string, annotations ...string) *corev1.Pod {
	t.Helper()
	pod := injectedPod(namespace, name, annotations...)
	require.NoError(t, api.Create(t.Context(), pod))
	return pod
}

// claim is a claim of the share "rules" as somebody else would make it.
func claim(namespace string, changes ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "podshare-rules"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}
	for _, change := range changes {
		change(c)
	}
	return c
}

// condition is what a test wants of a claim.
type condition func(*corev1.PersistentVolumeClaim) bool

// awaitClaim waits for the claim of a share that is as the test wants it.
func awaitClaim(t *testing.T, namespace, share string, wanted ...condition) *corev1.PersistentVolumeClaim {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "podshare-" + share}, claim))
		for _, want := range wanted {
			require.True(c, want(claim), "the claim is not as wanted yet: %v", claim)
		}
	}, limit, tick)
	return claim
}

func sized(size string) condition {
	return func(claim *corev1.PersistentVolumeClaim) bool {
		return claim.Spec.Resources.Requests.Storage().String() == size
	}
}

// notThe is another claim of the same name.
func notThe(former *corev1.PersistentVolumeClaim) condition {
	return func(claim *corev1.PersistentVolumeClaim) bool { return claim.UID != former.UID }
}

// setPhase plays the volume controller.
func setPhase(t *testing.T, claim *corev1.PersistentVolumeClaim, phase corev1.PersistentVolumeClaimPhase) {
	t.Helper()
	before := claim.DeepCopy()
	claim.Status.Phase = phase
	require.NoError(t, api.Status().Patch(t.Context(), claim, client.MergeFrom(before)))
}

// awaitEvent waits for an Event on an object and returns its text.
func awaitEvent(t *testing.T, object client.Object, reason string) string {
	t.Helper()
	var found []eventsv1.Event
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		found = eventsOn(t, object, reason)
		require.NotEmpty(c, found, "no Event %s on %s", reason, object.GetName())
	}, limit, tick)
	require.Len(t, found, 1, "one Event, however often it happens")
	assert.Equal(t, "podshare-controller", found[0].ReportingController)
	return found[0].Note
}

func eventsOn(t *testing.T, object client.Object, reason string) []eventsv1.Event {
	t.Helper()
	var all eventsv1.EventList
	require.NoError(t, api.List(t.Context(), &all, client.InNamespace(object.GetNamespace())))
	var found []eventsv1.Event
	for _, event := range all.Items {
		if event.Regarding.UID == object.GetUID() && event.Reason == reason {
			found = append(found, event)
		}
	}
	return found
}

// settle waits until the controller has been through everything that was there when it was called: it handles shares in
// the order in which it hears of them.
func settle(t *testing.T, namespace string) {
	t.Helper()
	createPod(t, namespace, "last", "consume", "last")
	awaitClaim(t, namespace, "last")
}

func claimNames(t *testing.T, namespace string) []string {
	t.Helper()
	var claims corev1.PersistentVolumeClaimList
	require.NoError(t, api.List(t.Context(), &claims, client.InNamespace(namespace)))
	var names []string
	for _, claim := range claims.Items {
		names = append(names, claim.Name)
	}
	return names
}
