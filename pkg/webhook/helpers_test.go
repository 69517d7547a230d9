package webhook_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/webhook"
)

// bound is how long a test waits for what takes milliseconds on an idle machine.
const bound = 20 * time.Second

// injectPod is what production injects with.
func injectPod(pod *inject.Pod, namespace string) (*inject.Result, error) {
	return pod.Inject(namespace, config.Default())
}

// server is a running webhook, as its callers see it.
type server struct {
	t       *testing.T
	client  *http.Client
	certDir string
	address string
	metrics string
	log     *logBuffer
	stop    context.CancelFunc
	ended   chan error
}

// start runs a webhook on free ports, with a certificate unless the options name a directory of their own.
func start(t *testing.T, injector webhook.Injector, change ...func(*webhook.Options)) *server {
	t.Helper()
	options := webhook.DefaultOptions()
	options.BindAddress, options.MetricsAddress = "127.0.0.1:0", "127.0.0.1:0"
	options.DrainDelay, options.CertificateInterval = 0, 10*time.Millisecond
	for _, c := range change {
		c(&options)
	}
	if options.CertDir == "" {
		options.CertDir = t.TempDir()
		writeCertificate(t, options.CertDir, "first", time.Now().Add(time.Hour))
	}
	s := &server{t: t, certDir: options.CertDir, log: &logBuffer{}, ended: make(chan error, 1)}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w, err := webhook.Listen(options, injector, log)
	require.NoError(t, err)
	s.address, s.metrics = w.Address(), w.MetricsAddress()
	s.client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 100,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
	}}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		s.client.CloseIdleConnections()
	})
	return s
}

// ready waits until the server says that it is.
func (s *server) ready() *server {
	s.t.Helper()
	require.EventuallyWithT(s.t, func(c *assert.CollectT) {
		code, text := s.get("http://" + s.metrics + "/readyz")
		assert.Equal(c, http.StatusOK, code, text)
	}, bound, 5*time.Millisecond)
	return s
}

// get returns the status and the text of a page; 0 and the error when there is none.
func (s *server) get(url string) (int, string) {
	response, err := s.client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

func (s *server) post(body []byte) (*http.Response, error) { return s.postTo("/mutate-pods", body) }

func (s *server) postTo(path string, body []byte) (*http.Response, error) {
	return s.client.Post("https://"+s.address+path, "application/json", bytes.NewReader(body))
}

// review posts a body about a pod and returns the answer to it.
func (s *server) review(body []byte) *admissionv1.AdmissionResponse {
	s.t.Helper()
	return s.reviewAt("/mutate-pods", body)
}

func (s *server) reviewAt(path string, body []byte) *admissionv1.AdmissionResponse {
	s.t.Helper()
	response, err := s.postTo(path, body)
	require.NoError(s.t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(s.t, http.StatusOK, response.StatusCode)
	require.Equal(s.t, "application/json", response.Header.Get("Content-Type"))
	review := &admissionv1.AdmissionReview{}
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(review))
	assert.Equal(s.t, "admission.k8s.io/v1", review.APIVersion)
	assert.Equal(s.t, "AdmissionReview", review.Kind)
	require.NotNil(s.t, review.Response)
	return review.Response
}

// logged are the lines of the log with a message.
func (s *server) logged(message string) []map[string]any {
	s.t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(s.log.String()) {
		parsed := map[string]any{}
		require.NoError(s.t, json.Unmarshal([]byte(line), &parsed), line)
		if parsed["msg"] == message {
			delete(parsed, "time")
			delete(parsed, "msg")
			lines = append(lines, parsed)
		}
	}
	return lines
}

type logBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// writeCertificate puts a certificate and its key into a directory the way kubelet does: as links through one link that
// is exchanged, so that both change at once.
func writeCertificate(t *testing.T, dir, name string, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     end,
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)

	version, err := os.MkdirTemp(dir, "..version")
	require.NoError(t, err)
	writePEM(t, filepath.Join(version, "tls.crt"), "CERTIFICATE", certificate)
	writePEM(t, filepath.Join(version, "tls.key"), "PRIVATE KEY", keyBytes)
	data := filepath.Join(dir, "..data")
	old, _ := os.Readlink(data) // none the first time
	require.NoError(t, os.Symlink(filepath.Base(version), data+"_tmp"))
	require.NoError(t, os.Rename(data+"_tmp", data))
	for _, file := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(dir, file)); !os.IsExist(err) {
			require.NoError(t, err)
		}
	}
	if old != "" {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, old)))
	}
}

func writePEM(t *testing.T, file, kind string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
}
