package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/podshare/podshare/pkg/share"
)

// clients says who may ask: everybody, or those who show a certificate.
type clients struct {
	authorities *x509.CertPool // nil: everybody may
	names       []string       // of which a certificate has to have one; empty: any
}

// newClients reads the authorities that sign clients' certificates.
func newClients(options Options) (*clients, error) {
	if options.ClientCAFile == "" {
		return &clients{}, nil
	}
	pem, err := os.ReadFile(options.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("reading the authority of clients: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the authority of clients in %s is no certificate in PEM", options.ClientCAFile)
	}
	return &clients{authorities, options.ClientNames}, nil
}

// configure makes the server ask for a certificate. One that is shown has to be right; that none is shown is answered in words, and
// the server's own check that it answers has none to show.
func (c *clients) configure(config *tls.Config) {
	if c.authorities != nil {
		config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, c.authorities
	}
}

// check says why a client may not ask.
func (c *clients) check(r *http.Request) *httpError {
	if c.authorities == nil {
		return nil
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return &httpError{http.StatusForbidden, "client", "only clients with a certificate are answered; an API server shows the one in the " +
			"kubeConfigFile of its AdmissionConfiguration"}
	}
	certificate := r.TLS.PeerCertificates[0]
	names := append(slices.Clone(certificate.DNSNames), certificate.Subject.CommonName)
	if len(c.names) == 0 || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(c.names, name) }) {
		return nil
	}
	return &httpError{http.StatusForbidden, "client", fmt.Sprintf("a certificate for %s is needed, and not one for %s",
		strings.Join(c.names, " or "), share.Quote(certificate.Subject.CommonName))}
}
