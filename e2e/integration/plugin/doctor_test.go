package plugin_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/retry"
)

func TestDoctorOfAWholeInstallation(t *testing.T) {
	said := kubectl(t, "doctor")
	assert.Equal(t, 0, said.code, said.out+said.errors)
	for _, line := range []string{
		"✓ Kubernetes is v1.",
		"✓ MutatingWebhookConfiguration podshare is there, with a caBundle\n✓ ValidatingWebhookConfiguration podshare is there, with a caBundle\n",
		"✓ an annotated pod, as a dry run in namespace default, gets its share: ",
		"✓ a Deployment with a mistake, as a dry run, is refused as it should be\n",
		"✓ ValidatingAdmissionPolicy podshare-injected is bound, and denies\n",
		"✓ the controller's lease is fresh, held by ",
	} {
		assert.Contains(t, said.out, line)
	}
	assert.NotContains(t, said.out, "✗")
	assert.NotContains(t, said.out, "\x1b", "no colours where there is no terminal")
}

func TestDoctorInJSON(t *testing.T) {
	without(t, "ValidatingAdmissionPolicyBinding", "podshare-injected")
	said := kubectl(t, "doctor", "-o", "json")
	var diagnosis struct {
		Errors, Warnings int
		Findings         []struct {
			Check, Level, Message string
			Remedy                []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(said.out), &diagnosis), said.out)
	assert.Equal(t, 1, diagnosis.Errors)
	for _, f := range diagnosis.Findings {
		if f.Level == "error" {
			assert.Equal(t, "policy", f.Check)
			assert.Equal(t, []string{"kubectl apply -k manifests/overlays/default"}, f.Remedy)
		}
	}
	assert.Equal(t, 1, said.code)
	assert.Equal(t, "1 problem, see above\n", said.errors)

	said = kubectl(t, "doctor", "-o", "xml")
	assert.Equal(t, "--output \"xml\" must be json, or left out\n", said.errors)
	assert.Equal(t, 2, said.code)
}

// TestDoctorFindsWhatIsBroken breaks one thing after the other.
func TestDoctorFindsWhatIsBroken(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(*testing.T)
		want    []string
		args    []string
		code    int
	}{
		"the policy is not bound": {func(t *testing.T) { without(t, "ValidatingAdmissionPolicyBinding", "podshare-injected") }, []string{
			"✗ ValidatingAdmissionPolicy podshare-injected has no binding that denies: an annotated pod that the webhook was not asked about starts without its shares\n" +
				"    kubectl apply -k manifests/overlays/default\n"}, nil, 1},
		"the policy is gone": {func(t *testing.T) { without(t, "ValidatingAdmissionPolicy", "podshare-injected") }, []string{
			"✗ ValidatingAdmissionPolicy podshare-injected does not exist: "}, nil, 1},
		"the webhook is not registered": {func(t *testing.T) { without(t, "MutatingWebhookConfiguration", "podshare") }, []string{
			"✗ MutatingWebhookConfiguration podshare does not exist: annotated pods are refused, or start without their shares\n",
			"✗ an annotated pod, as a dry run in namespace default, is refused: ",
			"podshare did not inject share podshare-doctor into this pod"}, nil, 1},
		"the one for workloads is not registered": {func(t *testing.T) { without(t, "ValidatingWebhookConfiguration", "podshare") }, []string{
			"! ValidatingWebhookConfiguration podshare does not exist: mistakes in workloads are told only when their pods are made\n",
			"! a Deployment with a mistake, as a dry run, is let through: "}, nil, 0},
		"the webhook does not run": {killWebhook, []string{
			"✗ an annotated pod, as a dry run in namespace default, is refused: ", "connect: connection refused\n" +
				"    nothing listens where the API server asks: kubectl -n podshare-system get pods\n",
			"! a Deployment with a mistake, as a dry run, is let through: "}, nil, 1},
		"the webhook hangs": {hangWebhook, []string{"context deadline exceeded\n    the API server does not reach the webhook's pods in time: "}, nil, 1},
		"the caBundle is another authority's": {func(t *testing.T) {
			patched(t, "MutatingWebhookConfiguration", "podshare", replaceCA(otherAuthority(t)))
		}, []string{"x509: certificate signed by unknown authority", "    the caBundle of the webhook configurations does not belong to the webhook's certificate: "}, nil, 1},
		"there is no caBundle": {func(t *testing.T) {
			patched(t, "MutatingWebhookConfiguration", "podshare", `[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`)
		}, []string{"✗ MutatingWebhookConfiguration podshare has no caBundle: the API server trusts nobody's answer\n"}, nil, 1},
		"failurePolicy is Ignore": {func(t *testing.T) {
			patched(t, "MutatingWebhookConfiguration", "podshare", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)
		}, []string{"! the failurePolicy of MutatingWebhookConfiguration podshare is Ignore: "}, nil, 0},
		"a Deployment is gone": {func(t *testing.T) { without(t, "Deployment", "podshare-controller") }, []string{
			"✗ Deployment podshare-system/podshare-controller does not exist: new shares get no claims, so their pods wait\n"}, nil, 1},
		"the controller is gone, and its lease runs out": {loseController, []string{"✗ the controller's lease was renewed ", " ago, and is valid for 10 s: no claims are made\n" +
			"    kubectl -n podshare-system logs deployment/podshare-controller\n"}, nil, 1},
		"the namespace to try in is excluded": {func(*testing.T) {}, []string{
			"! namespace kube-system is excluded, so nothing can be tried in it\n    name another one: -n NAMESPACE\n"}, []string{"-n", "kube-system"}, 0},
		"somebody who may read nothing": {func(*testing.T) {}, []string{
			"! namespace podshare-system: you may not read it\n", "! the controller's lease: you may not read it\n",
			"! whether the webhook answers was not tried: you may not create an annotated pod in namespace default, not even as a dry run\n"},
			[]string{"--as", "alice"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test.breakIt(t)
			require.EventuallyWithT(t, func(c *assert.CollectT) { // API servers hear of changed configurations after a moment
				said := kubectl(t, append([]string{"doctor"}, test.args...)...)
				for _, want := range test.want {
					require.Contains(c, said.out, want)
				}
				require.Equal(c, test.code, said.code, said.out)
			}, limit, tick)
		})
	}
}

func TestDoctorLooksAtTheCertificate(t *testing.T) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "podshare-system", Name: "podshare-webhook-tls"},
		Type:       corev1.SecretTypeTLS, Data: map[string][]byte{},
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		content, err := os.ReadFile(filepath.Join(podshare.Certificates(), name))
		require.NoError(t, err)
		secret.Data[name] = content
	}
	create(t, secret)
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), secret)) })
	said := kubectl(t, "doctor")
	assert.Contains(t, said.out, "✓ the webhook's certificate is valid for 364 more days\n"+
		"✓ the caBundle of MutatingWebhookConfiguration podshare verifies the webhook's certificate\n"+
		"✓ the caBundle of ValidatingWebhookConfiguration podshare verifies the webhook's certificate\n")

	patched(t, "ValidatingWebhookConfiguration", "podshare", replaceCA(otherAuthority(t)))
	said = kubectl(t, "doctor")
	assert.Contains(t, said.out, "✗ the caBundle of ValidatingWebhookConfiguration podshare does not verify the certificate in Secret podshare-system/podshare-webhook-tls: x509: ")
	assert.Equal(t, 1, said.code)
}

func TestDoctorLooksAtClaimsAndStorage(t *testing.T) {
	namespace := newNamespace(t)
	create(t, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "podshare-rules"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	})
	class := create(t, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "slow-nfs"}, Provisioner: "nfs.csi.k8s.io"})
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), class)) })
	create(t, newPod(namespace, "user", consumes))
	pod := create(t, newPod(namespace, "late", nil))
	before := pod.DeepCopy()
	pod.Annotations = consumes
	require.NoError(t, api.Patch(t.Context(), pod, client.MergeFrom(before)))

	said := kubectl(t, "doctor")
	assert.Contains(t, said.out, "✗ claim "+namespace+"/podshare-rules has a share's name and is RWO, and a share needs ReadWriteMany\n"+
		"    delete the claim, and podshare makes one: its data is lost; or choose another name for the share\n")
	assert.Contains(t, said.out, "! StorageClass slow-nfs: new files appear up to 60 s late in other pods: its NFS mount has no option actimeo or acdirmax\n"+
		"    put actimeo=1 into the mountOptions of the StorageClass")
	assert.Contains(t, said.out, "! pod "+namespace+"/late has annotations of podshare's, and is not injected\n"+
		"    kubectl podshare explain pod/late -n "+namespace+"\n")
	assert.Equal(t, 1, said.code)
}

func replaceCA(authority []byte) string {
	return `[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":"` + base64.StdEncoding.EncodeToString(authority) + `"}]`
}

func otherAuthority(t *testing.T) []byte {
	t.Helper()
	authority, err := install.WriteServingCertificate(t.TempDir(), "127.0.0.1")
	require.NoError(t, err)
	return authority
}

// killWebhook ends it until the test does.
func killWebhook(t *testing.T) {
	t.Helper()
	require.NoError(t, podshare.Webhook.Signal(syscall.SIGKILL))
	<-podshare.Webhook.Ended()
	t.Cleanup(func() {
		require.NoError(t, podshare.StartWebhook(context.Background()))
		require.NoError(t, retry.Within(context.Background(), limit, tick, isWhole))
	})
}

// hangWebhook stops it until the test ends: the kernel goes on accepting for it.
func hangWebhook(t *testing.T) {
	t.Helper()
	require.NoError(t, podshare.Webhook.Signal(syscall.SIGSTOP))
	t.Cleanup(func() {
		require.NoError(t, podshare.Webhook.Signal(syscall.SIGCONT))
		require.NoError(t, retry.Within(context.Background(), limit, tick, isWhole))
	})
}

// loseController kills it until the test ends, and moves the lease that it leaves an hour back.
func loseController(t *testing.T) {
	t.Helper()
	require.NoError(t, podshare.Controller.Signal(syscall.SIGKILL))
	<-podshare.Controller.Ended()
	key := client.ObjectKey{Namespace: "podshare-system", Name: "podshare-controller"}
	t.Cleanup(func() {
		require.NoError(t, podshare.StartController(context.Background(), ""))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			var lease coordinationv1.Lease
			require.NoError(c, api.Get(context.Background(), key, &lease))
			require.NotNil(c, lease.Spec.RenewTime)
			require.Less(c, time.Since(lease.Spec.RenewTime.Time), 10*time.Second)
		}, limit, tick)
	})
	var lease coordinationv1.Lease
	require.NoError(t, api.Get(t.Context(), key, &lease))
	require.NotNil(t, lease.Spec.RenewTime)
	lease.Spec.RenewTime = &metav1.MicroTime{Time: lease.Spec.RenewTime.Add(-time.Hour)}
	require.NoError(t, api.Update(t.Context(), &lease))
}
