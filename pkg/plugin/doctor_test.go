package plugin

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestVersionsOfKubernetes(t *testing.T) {
	for written, want := range map[string]level{"v1.33.0": fine, "v1.37.2": fine, "v1.34.1-gke.100": fine, "v1.32.9": trouble, "v1.29.4+k3s1": trouble, "none": doubt} {
		assert.Equal(t, want, judgeKubernetes(written)[0].Level, written)
	}
	assert.Equal(t, "Kubernetes is v1.32.9, and podshare needs 1.33 or later", judgeKubernetes("v1.32.9")[0].Message)
}

func TestDeploymentsOfAnInstallation(t *testing.T) {
	for name, test := range map[string]struct {
		replicas  *int32
		available int32
		level     level
		want      string
	}{
		"all":     {new(int32(2)), 2, fine, "Deployment podshare-system/podshare-webhook has 2 of 2 pods available"},
		"some":    {new(int32(2)), 1, doubt, "Deployment podshare-system/podshare-webhook has 1 of its 2 pods available"},
		"none":    {new(int32(2)), 0, trouble, "Deployment podshare-system/podshare-webhook has none of its 2 pods available: pods are refused"},
		"stopped": {new(int32(0)), 0, doubt, "Deployment podshare-system/podshare-webhook is scaled to 0: something else has to do its work, or pods are refused"},
		"default": {nil, 1, fine, "Deployment podshare-system/podshare-webhook has 1 of 1 pod available"},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "podshare-system", Name: "podshare-webhook"},
				Spec:       appsv1.DeploymentSpec{Replicas: test.replicas}, Status: appsv1.DeploymentStatus{AvailableReplicas: test.available},
			}
			f := judgeDeployment(deployment, "pods are refused")
			assert.Equal(t, test.want, f.Message)
			assert.Equal(t, test.level, f.Level)
		})
	}
}

func TestVersionsOfPodshare(t *testing.T) {
	order := []string{"this plugin", "podshare-webhook"}
	for name, test := range map[string]struct {
		plugin, webhook string
		level           level
		want            string
	}{
		"the same":               {"v0.2.0", "v0.2.0", fine, "versions: this plugin v0.2.0, podshare-webhook v0.2.0"},
		"another":                {"v0.2.0", "v0.1.0", doubt, "versions differ: this plugin v0.2.0, podshare-webhook v0.1.0"},
		"built by somebody":      {"v0.1.0-3-g13ad1f2", "v0.1.0", fine, "versions: this plugin v0.1.0-3-g13ad1f2, podshare-webhook v0.1.0"},
		"an image without a tag": {"v0.1.0", "", fine, "versions: this plugin v0.1.0, podshare-webhook -"},
	} {
		t.Run(name, func(t *testing.T) {
			findings := judgeVersions(order, map[string]string{"this plugin": test.plugin, "podshare-webhook": test.webhook})
			require.Len(t, findings, 1)
			assert.Equal(t, test.want, findings[0].Message)
			assert.Equal(t, test.level, findings[0].Level)
		})
	}
	for image, want := range map[string]string{
		"ghcr.io/podshare/podshare:v0.1.0": "v0.1.0", "localhost:5000/podshare": "", "podshare:v1.0.0@sha256:0123": "v1.0.0", "podshare@sha256:0123": "",
	} {
		assert.Equal(t, want, tag(image), image)
	}
}

func TestTheCertificatesEnd(t *testing.T) {
	d := &doctor{now: noon}
	for name, test := range map[string]struct {
		end   time.Time
		level level
		want  string
	}{
		"far":    {noon.Add(59*24*time.Hour + time.Hour), fine, "the webhook's certificate is valid for 59 more days"},
		"near":   {noon.Add(13 * 24 * time.Hour), doubt, "the webhook's certificate ends in 13 days, and has not been renewed"},
		"passed": {noon, trouble, "the webhook's certificate ended on 2026-11-25"},
	} {
		t.Run(name, func(t *testing.T) {
			f := d.judgeExpiry(test.end)
			assert.Equal(t, test.want, f.Message)
			assert.Equal(t, test.level, f.Level)
		})
	}
}

func TestTheControllersLease(t *testing.T) {
	d := &doctor{now: noon}
	lease := func(holder *string, renewed time.Time) *coordinationv1.Lease {
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{
			HolderIdentity: holder, LeaseDurationSeconds: new(int32(10)), RenewTime: &metav1.MicroTime{Time: renewed}}}
	}
	for name, test := range map[string]struct {
		lease *coordinationv1.Lease
		level level
		want  string
	}{
		"renewed":     {lease(new("a_1"), noon.Add(-2*time.Second)), fine, "the controller's lease is fresh, held by a_1"},
		"run out":     {lease(new("a_1"), noon.Add(-time.Hour)), trouble, "the controller's lease was renewed 60m ago, and is valid for 10 s: no claims are made"},
		"given up":    {lease(new(""), noon), trouble, "nobody holds the controller's lease: no claims are made"},
		"never taken": {&coordinationv1.Lease{}, trouble, "nobody holds the controller's lease: no claims are made"},
	} {
		t.Run(name, func(t *testing.T) {
			f := d.judgeLease(test.lease)
			assert.Equal(t, test.want, f.Message)
			assert.Equal(t, test.level, f.Level)
		})
	}
}

func TestWhatAnAPIServersRefusalMeans(t *testing.T) {
	const calling = `Internal error occurred: failed calling webhook "pods.podshare.dev": failed to call webhook: ` +
		`Post "https://podshare-webhook.podshare-system.svc:443/mutate-pods?timeout=3s": `
	for says, want := range map[string]string{
		"tls: failed to verify certificate: x509: certificate signed by unknown authority":     "the caBundle of the webhook configurations does not belong",
		"tls: failed to verify certificate: x509: certificate has expired or is not yet valid": "the webhook's certificate has ended",
		"x509: certificate is valid for a.svc, not podshare-webhook.podshare-system.svc":       "the webhook's certificate is for another name than podshare-webhook.podshare-system.svc",
		`no endpoints available for service "podshare-webhook"`:                                "no pod of the webhook is ready",
		`service "podshare-webhook" not found`:                                                 "the Service is gone",
		"dial tcp 10.0.0.1:9443: connect: connection refused":                                  "nothing listens where the API server asks",
		"context deadline exceeded":                                                            "the API server does not reach the webhook's pods in time",
		"dial tcp 10.0.0.1:9443: i/o timeout":                                                  "a firewall between control plane and nodes",
	} {
		f := (&doctor{namespace: "shop"}).judgeRefusal("an annotated pod", apierrors.NewInternalError(errors.New(calling+says)))
		assert.Equal(t, trouble, f.Level, says)
		assert.Contains(t, f.Message, "an annotated pod, as a dry run in namespace shop, is refused: ", says)
		assert.Contains(t, f.Remedy[0], want, says)
	}
	quota := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "x", errors.New("exceeded quota: compute"))
	f := (&doctor{namespace: "shop"}).judgeRefusal("an annotated pod", quota)
	assert.Equal(t, doubt, f.Level)
	assert.Contains(t, f.Message, "whether the webhook answers is not known: namespace shop takes no dry run of an annotated pod (")
}

func TestFindingsAsTheyArePrinted(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, printFindings(&out, []finding{ok("a"), warn("b").mend("do %s", "x"), broken("c").mend("one").mend("two")}))
	assert.Equal(t, "✓ a\n! b\n    do x\n✗ c\n    one\n    two\n", out.String())
}

func TestWhatATerminalWouldObeyIsShown(t *testing.T) {
	p := &page{}
	p.row("rules\x1b[31m", "a\u202eb", "ä ✓")
	p.field("Name", "%s", "")
	var out bytes.Buffer
	require.NoError(t, p.print(&out))
	require.NoError(t, printFindings(&out, []finding{broken("x\x1b]0;title\a\ny")}))
	assert.Equal(t, "  rules\\x1b[31m  a\\u202eb  ä ✓\nName:\n✗ x\\x1b]0;title\\a y\n", out.String())
}
