package manifests_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/podshare/podshare/e2e/integration/controlplane"
	"github.com/podshare/podshare/pkg/webhook"
)

// clientDir has the certificate that the API server shows to webhooks, client.crt, which is its own authority.
var clientDir string

// admissionConfiguration is what an API server reads of webhooks, as docs/security.md shows it.
const admissionConfiguration = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: MutatingAdmissionWebhook
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: %[1]s
- name: ValidatingAdmissionWebhook
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: %[1]s
`

// withClientCertificate makes the API server show a certificate to webhooks.
func withClientCertificate(dir string) (controlplane.Option, error) {
	certificate, key, err := newClientCertificate("podshare-client")
	if err != nil {
		return nil, err
	}
	kubeconfig, configuration := filepath.Join(dir, "webhooks.kubeconfig"), filepath.Join(dir, "admission.yaml")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"*": {ClientCertificateData: certificate, ClientKeyData: key}},
	}, kubeconfig)
	if err != nil {
		return nil, err
	}
	for file, content := range map[string][]byte{
		configuration: fmt.Appendf(nil, admissionConfiguration, kubeconfig), filepath.Join(dir, "client.crt"): certificate,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, err
		}
	}
	return func(e *envtest.Environment) {
		e.ControlPlane.GetAPIServer().Configure().Set("admission-control-config-file", configuration)
	}, nil
}

// newClientCertificate makes a certificate that is its own authority (both in PEM).
func newClientCertificate(name string) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	if certificate, err = cert.EncodeCertificates(parsed); err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(private)
	return certificate, key, err
}

func TestAWebhookThatWantsACertificateAnswersTheAPIServerThatHasOne(t *testing.T) {
	startWebhook(t, func(o *webhook.Options) {
		o.ClientCAFile, o.ClientNames = filepath.Join(clientDir, "client.crt"), []string{"podshare-client"}
	})
	pod := newPod("consumer", consumesRules)
	require.NoError(t, create(t, pod))
	require.Equal(t, "true", pod.Labels["podshare.dev/injected"])
}

func TestAWebhookThatWantsAnotherCertificateSaysSo(t *testing.T) {
	stern := startServer(t, func(o *webhook.Options) {
		o.ClientCAFile, o.ClientNames = filepath.Join(clientDir, "client.crt"), []string{"api-server"}
	})
	registerWebhooks(t, stern.port, stern.ca)
	eventually(t, `a certificate for api-server is needed, and not one for "podshare-client"`)
}
