package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/controller"
)

func TestAFullQuotaIsToldOnceAndWaitedFor(t *testing.T) {
	namespace := newNamespace(t)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "small"},
		Spec:       corev1.ResourceQuotaSpec{Hard: numberOfClaims("0")},
	}
	require.NoError(t, api.Create(t.Context(), quota))
	setQuota(t, quota, "0")

	running := start(t)
	pod := createPod(t, namespace, "a", "consume", "rules")
	require.EventuallyWithT(t, func(c *assert.CollectT) { // it was tried several times
		require.GreaterOrEqual(c, running.metric(t, "podshare_reconcile_errors_total", "Forbidden"), 4.0)
	}, limit, tick)
	assert.Equal(t, `cannot create claim "podshare-rules": persistentvolumeclaims "podshare-rules" is forbidden: `+
		`exceeded quota: small, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=0, `+
		`limited: persistentvolumeclaims=0; podshare tries again, at least every 30s`, awaitEvent(t, pod, "ClaimNotCreated"))

	setQuota(t, quota, "1")
	awaitClaim(t, namespace, "rules")
}

func TestANamespaceGetsNoMoreSharesThanThePlatformAllows(t *testing.T) {
	const limit, asked = 3, 8
	namespace := newNamespace(t)
	foreign := claim(namespace) // somebody else's is not counted
	foreign.Name = "data"
	require.NoError(t, api.Create(t.Context(), foreign))
	c := config.Default()
	c.Limits.SharesPerNamespace = limit
	for n := range asked { // all are there when the controller starts, so it works on them at once
		createPod(t, namespace, fmt.Sprintf("pod-%d", n), "consume", fmt.Sprintf("share-%d", n))
	}
	start(t, func(o *controller.Options) { o.Config = c })
	var waiting *corev1.Pod
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		waiting = nil
		told := 0
		for n := range asked {
			pod := injectedPod(namespace, fmt.Sprintf("pod-%d", n))
			require.NoError(collect, api.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
			if len(eventsOn(t, pod, "TooManyShares")) > 0 {
				told, waiting = told+1, pod
			}
		}
		assert.Equal(collect, asked-limit, told)
	}, 30*time.Second, tick)
	assert.Len(t, claimNames(t, namespace), limit+1)
	share := waiting.Annotations["podshare.dev/consume"]
	assert.Equal(t, `no claim for the share "`+share+`": the namespace has 3 claims of podshare, and this platform allows at most 3; `+
		`delete one that is not needed, or ask the platform team; podshare looks again every 1m0s`, awaitEvent(t, waiting, "TooManyShares"))

	// Room is made, and somebody asks again.
	ours := client.MatchingLabels{"app.kubernetes.io/managed-by": "podshare"}
	var claims corev1.PersistentVolumeClaimList
	require.NoError(t, api.List(t.Context(), &claims, client.InNamespace(namespace), ours))
	for _, gone := range claims.Items {
		require.NoError(t, api.Delete(t.Context(), injectedPod(namespace, strings.Replace(gone.Labels["podshare.dev/share"], "share", "pod", 1)), client.GracePeriodSeconds(0)))
		gone.Finalizers = nil // which the controller would remove that protects claims in use, and that does not run here
		require.NoError(t, api.Update(t.Context(), &gone))
		require.NoError(t, api.Delete(t.Context(), &gone))
	}
	createPod(t, namespace, "again", "consume", share)
	awaitClaim(t, namespace, share)
}

// setQuota plays the quota controller, which copies a quota's limits to its status.
func setQuota(t *testing.T, quota *corev1.ResourceQuota, claims string) {
	t.Helper()
	quota.Status.Hard, quota.Status.Used = numberOfClaims(claims), numberOfClaims("0")
	require.NoError(t, api.Status().Update(t.Context(), quota))
}

func numberOfClaims(count string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourcePersistentVolumeClaims: resource.MustParse(count)}
}

func TestANamespaceThatIsBeingDeletedIsLeftAlone(t *testing.T) {
	namespace := newNamespace(t)
	createPod(t, namespace, "a", "consume", "rules")
	require.NoError(t, api.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))

	running := start(t)
	running.awaitLog(t, "no claim: the namespace is being deleted")
	settle(t, newNamespace(t))
	count, err := testutil.GatherAndCount(running.metrics, "podshare_reconcile_errors_total")
	require.NoError(t, err)
	assert.Zero(t, count, "no error, so nothing is tried again")
}

func TestTheAPIServerIsGoneForAWhile(t *testing.T) {
	line := &line{}
	running := start(t, func(o *controller.Options) { o.REST.Dial = line.dial })
	namespace := newNamespace(t)
	createPod(t, namespace, "a", "consume", "before")
	awaitClaim(t, namespace, "before")

	line.cut()
	createPod(t, namespace, "b", "consume", "meanwhile")
	require.EventuallyWithT(t, func(c *assert.CollectT) { // it noticed: it tries to watch again
		require.Positive(c, line.refused())
	}, limit, tick)
	assert.Equal(t, []string{"podshare-before"}, claimNames(t, namespace))

	line.mend()
	awaitClaim(t, namespace, "meanwhile")
	running.stop(t)
}

// line is the controller's line to the API server, which can be cut.
type line struct {
	mu          sync.Mutex
	down        bool
	refusals    int
	connections []net.Conn
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		l.refusals++
		return nil, errors.New("the line is cut")
	}
	connection, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		l.connections = append(l.connections, connection)
	}
	return connection, err
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, connection := range l.connections {
		connection.Close() //nolint:errcheck // it may be closed already
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

func (l *line) refused() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusals
}

func TestAnAPIServerThatCannotBeReachedAtTheStart(t *testing.T) {
	err := controller.Run(t.Context(), controller.Options{
		Config:         config.Default(),
		REST:           &rest.Config{Host: "https://127.0.0.1:1"},
		MetricsAddress: "0",
	})
	assert.ErrorContains(t, err, "connecting to the API server at https://127.0.0.1:1: ")
	assert.ErrorContains(t, err, "connection refused")
}
