package drills_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/util/cert"
)

func TestTheWebhookIsGone(t *testing.T) {
	killWebhook(t)
	requireUnhurt(t)
	requireRefused(t, "connect: connection refused")
	startWebhook(t)
}

func TestTheWebhookAcceptsAndNeverAnswers(t *testing.T) {
	require.NoError(t, podshare.Webhook.Signal(syscall.SIGSTOP)) // the kernel goes on accepting for it
	requireUnhurt(t)
	requireRefused(t, "context deadline exceeded")
	require.NoError(t, podshare.Webhook.Signal(syscall.SIGCONT))
	require.NoError(t, within(t.Context(), isWhole))
}

func TestSomethingElseAnswersInTheWebhooksPlace(t *testing.T) {
	killWebhook(t)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		why    string
	}{
		"with text": {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "hello") },
			"couldn't get version/kind; json parse error"},
		"with another review's answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"1","allowed":true}}`)
		}, "expected response.uid="},
		"with an empty body":   {func(http.ResponseWriter, *http.Request) {}, "0-length response with status code: 200"},
		"with a server error":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusBadGateway) }, "oops"},
		"half, and then hangs": {hang, "context deadline exceeded"},
		"too late": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			impersonate(t, test.answer)
			requireUnhurt(t)
			requireRefused(t, test.why)
		})
	}
	startWebhook(t)
}

func hang(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, `{"apiVersion":"admission.k8s.io/v1",`)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// impersonate serves the webhook's address with its certificate until the test ends.
func impersonate(t *testing.T, answer http.Handler) {
	t.Helper()
	dir := podshare.Certificates()
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", podshare.WebhookPort))
	require.NoError(t, err)
	server := &http.Server{Handler: answer, ReadHeaderTimeout: limit, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate},
	}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ServeTLS(listener, "", "")
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-ended
	})
}

func killWebhook(t *testing.T) {
	t.Helper()
	require.NoError(t, podshare.Webhook.Signal(syscall.SIGKILL))
	<-podshare.Webhook.Ended()
}

func startWebhook(t *testing.T) {
	t.Helper()
	begun := time.Now()
	require.NoError(t, podshare.StartWebhook(t.Context()))
	require.NoError(t, within(t.Context(), isWhole))
	t.Logf("an annotated pod is injected %s after the webhook was started again", time.Since(begun).Round(time.Millisecond))
}

// TestItsCertificateFilesAreDamaged has one after the other: no PEM, the key of another certificate, nothing. It serves what it has.
func TestItsCertificateFilesAreDamaged(t *testing.T) {
	key := filepath.Join(podshare.Certificates(), "tls.key")
	good, err := os.ReadFile(key)
	require.NoError(t, err)
	defer func() { require.NoError(t, os.WriteFile(key, good, 0o600)) }()
	_, other, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	require.NoError(t, err)
	for _, damage := range []struct {
		what, said string
		do         func() error
	}{
		{"is no PEM", "tls: failed to find any PEM data in key input", func() error { return os.WriteFile(key, []byte("no PEM"), 0o600) }},
		{"is another one's", "tls: private key does not match public key", func() error { return os.WriteFile(key, other, 0o600) }},
		{"is gone", "tls.key: no such file or directory", func() error { return os.Remove(key) }},
	} {
		require.NoError(t, damage.do())
		require.NoError(t, within(t.Context(), func(context.Context) error {
			log, err := os.ReadFile(podshare.Webhook.Log())
			if err == nil && !strings.Contains(string(log), damage.said) {
				err = fmt.Errorf("the key %s, and the log does not say so", damage.what)
			}
			return err
		}))
		require.NoError(t, isWhole(t.Context()), "the key %s", damage.what)
	}
}
