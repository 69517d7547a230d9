package cluster

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// The files of a cluster's identity, in its directory.
const (
	certificatesName      = "certificates"
	servingCertificate    = certificatesName + "/apiserver.crt"
	servingKey            = certificatesName + "/apiserver.key"
	authority             = certificatesName + "/ca.crt"
	serviceAccountKey     = certificatesName + "/service-account.key"
	tokensName            = "tokens.csv"
	kubeconfigName        = "kubeconfig"
	serviceNetwork        = "10.0.0.0/24"
	apiServerServiceIP    = "10.0.0.1" // the first of serviceNetwork: the Service kubernetes.default gets it
	administrator         = "admin"
	administratorsOfAKind = "system:masters" // the group that RBAC allows everything
)

// access is how the administrator reaches the API server.
type access struct {
	host  string
	ca    []byte
	token string
}

// newAccess makes the certificates, keys and the administrator's token for an API server at this address and port, and writes
// the files that the components and kubectl read.
func newAccess(dir, address string, port int) (*access, error) {
	certificate, key, err := cert.GenerateSelfSignedCertKey(address, []net.IP{net.ParseIP(apiServerServiceIP)},
		[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"})
	if err != nil {
		return nil, err
	}
	ca, err := lastCertificate(certificate)
	if err != nil {
		return nil, err
	}
	accountKey, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return nil, err
	}
	a := &access{host: fmt.Sprintf("https://%s:%d", address, port), ca: ca, token: rand.Text()}
	if err := os.MkdirAll(filepath.Join(dir, certificatesName), 0o700); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		servingCertificate: certificate,
		servingKey:         key,
		authority:          ca,
		serviceAccountKey:  accountKey,
		tokensName:         fmt.Appendf(nil, "%s,%s,%s,%s\n", a.token, administrator, administrator, administratorsOfAKind),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return a, a.write(filepath.Join(dir, kubeconfigName))
}

func (a *access) write(kubeconfig string) error {
	return clientcmd.WriteToFile(a.kubeconfig(), kubeconfig)
}

// lastCertificate returns the authority's certificate from a chain that starts with the serving one.
func lastCertificate(chain []byte) ([]byte, error) {
	certificates, err := cert.ParseCertsPEM(chain)
	if err != nil {
		return nil, err
	}
	return cert.EncodeCertificates(certificates[len(certificates)-1])
}

// readAccess reads what newAccess wrote to another directory.
func readAccess(kubeconfig string) (*access, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return &access{host: config.Host, ca: config.CAData, token: config.BearerToken}, nil
}

func (a *access) restConfig() *rest.Config {
	return &rest.Config{
		Host:            a.host,
		BearerToken:     a.token,
		TLSClientConfig: rest.TLSClientConfig{CAData: a.ca},
		QPS:             -1, // a test or a demo should wait for the API server, not for its own client
	}
}

func (a *access) kubeconfig() clientcmdapi.Config {
	const name = "podshare"
	return clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: a.host, CertificateAuthorityData: a.ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{administrator: {Token: a.token}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: administrator}},
		CurrentContext: name,
	}
}
