package monitoring_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestEachAlertFires breaks one thing after the other. What needs pods that run is left out.
func TestEachAlertFires(t *testing.T) {
	silent(t, "PodshareWebhookAbsent", "PodshareControllerAbsent", "PodshareControllerNoLeader", "PodshareClaimPending", "PodsharePodsWaiting",
		"PodshareWebhookErrors", "PodshareWebhookSlow", "PodshareWebhookUnreachable", "PodshareCertificateExpiring", "PodshareShareUnused")
	for _, test := range []struct {
		alert, summary string
		cause          func(*testing.T)
	}{
		{"PodshareClaimPending", "The claim of the share default/pending is pending, and pods wait for it: 1", claimOfNoClass},
		{"PodshareClaimLost", "The claim of the share default/lost has lost its volume", volumeDeleted},
		{"PodsharePodsWaiting", "Pods wait for the share default/taken: 1, ClaimNotReadWriteMany", claimOfSomebodyElse},
		{"PodshareShareUnused", "No pod has used the share default/unused for a week", claimWithoutPods},
		{"PodshareReconcileErrors", "podshare-controller fails again and again: Forbidden", quotaOfNoClaims},
		{"PodshareShareNotReady", "The share default/reader is not ready in 1 of its pods (consumer)", func(*testing.T) {}},
		{"PodshareWebhookErrors", "100% of the requests about workloads end in malformed", nonsense},
		{"PodshareWebhookSlow", "One of 100 answers about workloads takes 2.", slowRequest},
		{"PodshareCertificateExpiring", "The webhook's certificate ends in 1d", shortCertificate},
		{"PodshareWebhookUnreachable", "API servers cannot call the webhook pods.podshare.dev", webhookGone},
		{"PodshareWebhookUnreachable", "API servers cannot call the webhook workloads.podshare.dev", func(*testing.T) {}},
		{"PodshareWebhookAbsent", "No podshare-webhook with a certificate is seen", func(*testing.T) {}},
		{"PodshareControllerNoLeader", "No replica of podshare-controller leads", leaseStolen},
		{"PodshareControllerAbsent", "No podshare-controller is seen", controllerGone},
	} {
		require.True(t, t.Run(test.alert, func(t *testing.T) {
			test.cause(t)
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				assert.Contains(c, strings.Join(firing(t.Context(), c, test.alert), "\n"), test.summary)
			}, limit, tick)
		}))
	}
	t.Run("and each query works", eachQueryWorks)
}

// firing are the summaries of an alert that fires.
func firing(ctx context.Context, t require.TestingT, name string) []string {
	alerts, err := prometheus.alerts(ctx)
	require.NoError(t, err)
	var summaries []string
	for _, alert := range alerts {
		if alert.Labels["alertname"] == name && alert.State == "firing" {
			summaries = append(summaries, alert.Annotations["summary"])
		}
	}
	return summaries
}

// silent waits until podshare has been scraped, and wants none of the alerts then.
func silent(t *testing.T, names ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, name := range names {
			assert.Empty(c, firing(t.Context(), c, name), name)
		}
	}, limit, tick)
}

// consumer is created, and needs no node to wait for its share.
func consumer(t *testing.T, share string, more ...string) {
	t.Helper()
	pod := newPod(share, map[string]string{"podshare.dev/consume": share})
	for i := 0; i < len(more); i += 2 {
		pod.Annotations[more[i]] = more[i+1]
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) { // the API server learns of the webhook after a moment
		require.NoError(c, client.IgnoreAlreadyExists(api.Create(t.Context(), pod)))
	}, limit, tick)
}

func newPod(name string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop/app"}}},
	}
}

func claim(share string, mode corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "podshare-" + share, Labels: map[string]string{"podshare.dev/share": share}},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{mode},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func claimOfNoClass(t *testing.T) { consumer(t, "pending", "podshare.dev/storage-class", "missing") }

func volumeDeleted(t *testing.T) {
	consumer(t, "lost")
	lost := claim("lost", corev1.ReadWriteMany)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(t.Context(), client.ObjectKeyFromObject(lost), lost))
		require.Equal(c, corev1.ClaimBound, lost.Status.Phase)
	}, limit, tick)
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: lost.Spec.VolumeName}}
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(volume), volume))
	directory := volume.Spec.HostPath.Path // its provisioner does not hear of it any more
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(directory)) })
	require.NoError(t, api.Delete(t.Context(), volume))
	require.NoError(t, client.IgnoreNotFound(api.Patch(t.Context(), volume, // what protects volumes in use
		client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))))
}

func claimOfSomebodyElse(t *testing.T) {
	require.NoError(t, api.Create(t.Context(), claim("taken", corev1.ReadWriteOnce)))
	consumer(t, "taken")
}

func claimWithoutPods(t *testing.T) {
	require.NoError(t, api.Create(t.Context(), claim("unused", corev1.ReadWriteMany)))
}

func quotaOfNoClaims(t *testing.T) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"persistentvolumeclaims": resource.MustParse("0")}},
	}
	require.NoError(t, api.Create(t.Context(), quota))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(t.Context(), client.ObjectKeyFromObject(quota), quota))
		require.NotEmpty(c, quota.Status.Hard)
	}, limit, tick)
	consumer(t, "quota")
}

// post sends the webhook something about a workload, as anybody may who reaches it.
func post(t *testing.T, body io.Reader) {
	caller := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := caller.Post(fmt.Sprintf("https://127.0.0.1:%d/validate-workloads", podshare.WebhookPort), "application/json", body)
	if assert.NoError(t, err) {
		assert.NoError(t, response.Body.Close())
	}
}

func nonsense(t *testing.T) {
	again(t, func() { post(t, strings.NewReader("nonsense")) })
}

func slowRequest(t *testing.T) {
	again(t, func() { post(t, io.MultiReader(strings.NewReader("non"), slowly{})) })
}

// again does something each second until the test ends: rates need more than one of it.
func again(t *testing.T, do func()) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ticker := time.NewTicker(time.Second); ctx.Err() == nil; <-ticker.C {
			do()
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
}

// slowly is a body that ends after a while.
type slowly struct{}

func (slowly) Read([]byte) (int, error) {
	time.Sleep(2 * time.Second)
	return 0, io.EOF
}

// shortCertificate puts one in the place of the webhook's that ends in a day and a half.
func shortCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "podshare-webhook"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(36 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificates, err := x509.ParseCertificates(der)
	require.NoError(t, err)
	chain, err := cert.EncodeCertificates(certificates...)
	require.NoError(t, err)
	private, err := keyutil.MarshalPrivateKeyToPEM(key)
	require.NoError(t, err)
	for name, content := range map[string][]byte{"tls.key": private, "tls.crt": chain} {
		require.NoError(t, os.WriteFile(filepath.Join(podshare.Certificates(), name), content, 0o600))
	}
}

// webhookGone has the API server call it in vain, as long as it takes to be seen.
func webhookGone(t *testing.T) {
	require.NoError(t, podshare.Webhook.Signal(syscall.SIGKILL))
	<-podshare.Webhook.Ended()
	pod := newPod("refused", map[string]string{"podshare.dev/consume": "rules"})
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "not-looked-at"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: pod.Annotations}, Spec: pod.Spec},
		},
	}
	deployment.Spec.Template.Labels = deployment.Spec.Selector.MatchLabels
	again(t, func() {
		ctx := context.Background()
		assert.Error(t, api.Create(ctx, pod.DeepCopy(), client.DryRunAll))
		assert.NoError(t, api.Create(ctx, deployment.DeepCopy(), client.DryRunAll))
	})
}

// leaseStolen gives the lease to nobody who runs, for longer than the test takes.
func leaseStolen(t *testing.T) {
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		lease := &coordinationv1.Lease{}
		require.NoError(c, api.Get(t.Context(), client.ObjectKey{Namespace: "podshare-system", Name: "podshare-controller"}, lease))
		lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = new("nobody"), new(int32(3600))
		lease.Spec.RenewTime = new(metav1.NowMicro())
		require.NoError(c, api.Update(t.Context(), lease))
	}, limit, tick)
}

func controllerGone(t *testing.T) {
	require.NoError(t, podshare.Controller.Signal(syscall.SIGKILL))
	<-podshare.Controller.Ended()
}
