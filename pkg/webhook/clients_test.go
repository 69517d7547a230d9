package webhook_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/webhook"
)

// newClientCertificate makes a certificate that is its own authority, and returns it and the authority's file.
func newClientCertificate(t *testing.T, name string, end time.Time) (tls.Certificate, string) {
	t.Helper()
	dir := t.TempDir()
	writeCertificate(t, dir, name, end)
	file := filepath.Join(dir, "tls.crt")
	certificate, err := tls.LoadX509KeyPair(file, filepath.Join(dir, "tls.key"))
	require.NoError(t, err)
	return certificate, file
}

func TestOnlyClientsWithACertificateAreAnsweredWhereThatIsWanted(t *testing.T) {
	later := time.Now().Add(time.Hour)
	known, authorities := newClientCertificate(t, "api-server", later)
	stranger, _ := newClientCertificate(t, "api-server", later)
	const needed = "podshare: only clients with a certificate are answered; an API server shows the one in the kubeConfigFile of its " +
		"AdmissionConfiguration\n"
	for name, test := range map[string]struct {
		names []string
		shows []tls.Certificate
		code  int
		text  string
		fails string
	}{
		"with one that the authority signed":         {nil, []tls.Certificate{known}, http.StatusOK, "", ""},
		"with one for a name that is allowed":        {[]string{"other", "api-server"}, []tls.Certificate{known}, http.StatusOK, "", ""},
		"without one":                                {nil, nil, http.StatusForbidden, needed, ""},
		"with one of another authority of that name": {nil, []tls.Certificate{stranger}, 0, "", "tls: unknown certificate authority"},
		"with one for another name": {[]string{"other", "third"}, []tls.Certificate{known}, http.StatusForbidden,
			"podshare: a certificate for other or third is needed, and not one for \"api-server\"\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, injectPod, func(o *webhook.Options) { o.ClientCAFile, o.ClientNames = authorities, test.names }).ready()
			for _, path := range []string{"/mutate-pods", "/validate-workloads"} {
				s.client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(test.shows) == 0 {
						return &tls.Certificate{}, nil
					}
					return &test.shows[0], nil
				}
				body := review(plain)
				if path == "/validate-workloads" {
					body = applied(deployment(nil, nil))
				}
				response, err := s.postTo(path, body)
				if test.fails != "" {
					require.ErrorContains(t, err, test.fails)
					continue
				}
				require.NoError(t, err)
				text, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, test.code, response.StatusCode)
				if test.text != "" {
					assert.Equal(t, test.text, string(text))
				}
			}
		})
	}
}

func TestAnAuthorityOfClientsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.crt")
	options := webhook.DefaultOptions()
	options.ClientCAFile = file
	_, err := webhook.Listen(options, injectPod, nil)
	require.EqualError(t, err, "reading the authority of clients: open "+file+": no such file or directory")
	require.NoError(t, os.WriteFile(file, []byte("no PEM"), 0o600))
	_, err = webhook.Listen(options, injectPod, nil)
	require.EqualError(t, err, "the authority of clients in "+file+" is no certificate in PEM")
}
