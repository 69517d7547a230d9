package suite_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/docs"
)

// typePage does what a page of the documentation tells its reader to, and holds the page to what it prints. UPDATE=1 writes it anew.
// Some words of the page mean others here: old, new, old, new.
func typePage(t *testing.T, name string, replace ...string) {
	t.Helper()
	kubectl := os.Getenv("KUBECTL")
	if kubectl == "" {
		t.Skip("KUBECTL is not set: another kubectl may print it in another way, and another cluster something else")
	}
	patience := limit
	if docs.Updating() {
		patience = 15 * time.Second
	}
	typist := docs.Typist{
		Dir: t.TempDir(), Environment: []string{"PATH=" + filepath.Dir(kubectl) + ":" + os.Getenv("PATH")},
		Replace: replace, Limit: patience,
	}
	difference, err := typist.Hold(t.Context(), root, name)
	require.NoError(t, err)
	assert.Empty(t, difference, "UPDATE=1 writes the page anew")
}

func TestSomebodyGetsStartedAsTheDocumentationSays(t *testing.T) {
	t.Parallel()
	typePage(t, "docs/getting-started.md", "localhost/python:e2e", pythonImage)
}

func TestAnUnreadyPodSaysWhyAsTheDocumentationShows(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	pod := newPod(namespace, "waiting", map[string]string{"consume": "rules", "await": "rules/go"})
	create(t, pod)
	awaitEvent(t, pod, "waiting for rules/go")
	typePage(t, "docs/readiness.md", "-n shop", "-n "+namespace)
}

// TestTroubleAndWhatTheDocumentationSaysOfIt makes the trouble, and looks at it as docs/troubleshooting.md says. It stops the webhook, so it
// does not run beside other tests.
func TestTroubleAndWhatTheDocumentationSaysOfIt(t *testing.T) {
	namespace := newNamespace(t)
	lost := newDeployment(newPod(namespace, "lost", nil))
	lost.Annotations = map[string]string{"podshare.dev/consume": "rules"}
	create(t, lost,
		newPod(namespace, "waiting", map[string]string{"consume": "rules", "await": "rules/pricing.py", "image-python-path": "/srv"}),
		newPod(namespace, "pending", map[string]string{"consume": "models", "storage-class": "fast"}),
		newClaim(namespace, "prices", corev1.ReadWriteOnce),
		newPod(namespace, "prices", map[string]string{"consume": "prices"}),
	)
	require.EventuallyWithT(t, func(c *assert.CollectT) { // the quota is for the claim after these
		for _, share := range []string{"rules", "models"} {
			_, err := getClaim(t.Context(), namespace, share)
			require.NoError(c, err)
		}
	}, limit, tick)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "few"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePersistentVolumeClaims: resource.MustParse("3")}},
	}
	create(t, quota)
	require.EventuallyWithT(t, func(c *assert.CollectT) { // it does not count before
		require.NoError(c, api.Get(t.Context(), client.ObjectKeyFromObject(quota), quota))
		require.NotEmpty(c, quota.Status.Used)
	}, limit, tick)
	create(t, newPod(namespace, "crowded", map[string]string{"produce": "results"}))
	scale(t, "podshare-webhook", 0)
	t.Cleanup(func() { scaleBack(t, "podshare-webhook") })
	createDeployment(t, newPod(namespace, "refused", map[string]string{"consume": "rules"}))
	awaitReplicaFailure(t, namespace)
	scaleBack(t, "podshare-webhook")
	typePage(t, "docs/troubleshooting.md", "-n shop", "-n "+namespace)
}
