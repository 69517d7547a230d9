package webhook_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/webhook"
)

func TestItIsReadyOnceItsCertificateIsThere(t *testing.T) {
	dir := t.TempDir()
	s := start(t, injectPod, func(o *webhook.Options) { o.CertDir = dir })
	code, text := s.get("http://" + s.metrics + "/healthz")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "ok\n", text)

	crt, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	waiting := "waiting for a certificate in " + crt + " and its key in " + key + ": open " + crt +
		": no such file or directory"
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		code, text = s.get("http://" + s.metrics + "/readyz")
		assert.Equal(c, http.StatusServiceUnavailable, code)
		assert.Equal(c, "not ready: "+waiting+"\n", text)
	}, bound, 5*time.Millisecond)
	_, answer := s.get("https://" + s.address + "/healthz")
	assert.Contains(t, answer, "tls: internal error", "a caller is not left waiting")

	require.NoError(t, os.WriteFile(crt, []byte("no PEM"), 0o600))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, text = s.get("http://" + s.metrics + "/readyz")
		assert.Contains(c, text, "open "+key+": no such file or directory")
	}, bound, 5*time.Millisecond)

	require.NoError(t, os.Remove(crt))
	writeCertificate(t, dir, "first", time.Now().Add(time.Hour))
	s.ready()
	assert.True(t, s.review(review(plain)).Allowed)
	assert.Len(t, s.logged(waiting), 1, "said once, however long it takes")
}

func TestACertificateThatEndedIsNotReady(t *testing.T) {
	dir := t.TempDir()
	end := time.Now().Add(-time.Hour)
	writeCertificate(t, dir, "old", end)
	s := start(t, injectPod, func(o *webhook.Options) { o.CertDir = dir })
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		code, text := s.get("http://" + s.metrics + "/readyz")
		assert.Equal(c, http.StatusServiceUnavailable, code)
		assert.Regexp(c, "^not ready: the certificate in .*/tls.crt is valid from .* to "+end.UTC().Format(time.RFC3339)+
			", and now it is ", text)
	}, bound, 5*time.Millisecond)
}

func TestACertificateIsExchangedWithoutAFailedRequest(t *testing.T) {
	s := start(t, injectPod).ready()
	load := startLoad(s)
	for _, name := range []string{"second", "third"} {
		writeCertificate(t, s.certDir, name, time.Now().Add(time.Hour))
		require.Eventually(t, func() bool { return s.servedName() == name }, bound, 5*time.Millisecond)
	}
	assert.Empty(t, load.end())
	assert.Positive(t, load.answered.Load())
}

func TestHalfAChangeOfTheFilesKeepsTheOldCertificate(t *testing.T) {
	s := start(t, injectPod).ready()
	require.NoError(t, os.WriteFile(filepath.Join(s.certDir, "tls.key"), []byte("no PEM"), 0o600))
	kept := "keeping the certificate that there was; in " + filepath.Join(s.certDir, "tls.crt") + " and " + filepath.Join(s.certDir, "tls.key") +
		" is no other: tls: failed to find any PEM data in key input"
	require.Eventually(t, func() bool { return len(s.logged(kept)) > 0 }, bound, 5*time.Millisecond)
	s.ready()
	assert.Equal(t, "first", s.servedName())
	assert.Len(t, s.logged(kept), 1, "said once, however long it takes")
}

func TestDrainingAnswersEveryRequest(t *testing.T) {
	s := start(t, injectPod, func(o *webhook.Options) { o.DrainDelay = 300 * time.Millisecond }).ready()
	load := startLoad(s)
	require.Eventually(t, func() bool { return load.answered.Load() > 0 }, bound, time.Millisecond)
	s.stop()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		code, text := s.get("http://" + s.metrics + "/readyz")
		assert.Equal(c, http.StatusServiceUnavailable, code)
		assert.Equal(c, "not ready: draining: this process is about to end\n", text)
	}, bound, time.Millisecond)
	response, err := s.post(review(consumer))
	require.NoError(t, err, "it still answers")
	require.NoError(t, response.Body.Close())
	assert.True(t, response.Close, "and sends its callers elsewhere")
	assert.Empty(t, load.end(), "no request failed")
	require.NoError(t, <-s.ended)
}

func TestARequestThatIsRunningIsFinished(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, func(pod *inject.Pod, _ string) (*inject.Result, error) {
		close(entered)
		<-leave
		return injectPod(pod, "shop")
	}).ready()
	answered := make(chan error, 1)
	go func() {
		response, err := s.post(review(consumer))
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	<-entered
	s.stop()
	require.Eventually(t, func() bool { // it takes no new ones
		connection, err := net.Dial("tcp", s.address)
		if err == nil {
			err = connection.Close()
		}
		return err != nil
	}, bound, time.Millisecond)
	close(leave)
	require.NoError(t, <-answered)
	require.NoError(t, <-s.ended)
}

func TestARequestThatDoesNotEndIsCut(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, func(*inject.Pod, string) (*inject.Result, error) {
		close(entered)
		<-leave
		return &inject.Result{}, nil
	}, func(o *webhook.Options) { o.ShutdownTimeout = 10 * time.Millisecond }).ready()
	defer close(leave)
	go func() {
		if response, err := s.post(review(consumer)); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-entered
	s.stop()
	require.ErrorContains(t, <-s.ended, "requests that took longer than 10ms were cut: context deadline exceeded")
}

func TestAnAddressThatIsTakenIsAnErrorAtOnce(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	address := taken.Addr().String()
	reason := ": listen tcp " + address + ": bind: address already in use"
	for name, c := range map[string]struct{ https, metrics, message string }{
		"HTTPS":   {address, "0", "listening for HTTPS" + reason},
		"metrics": {"127.0.0.1:0", address, "listening for metrics and probes" + reason},
	} {
		t.Run(name, func(t *testing.T) {
			options := webhook.Options{BindAddress: c.https, MetricsAddress: c.metrics}
			_, err := webhook.Listen(options, injectPod, slog.New(slog.DiscardHandler))
			require.EqualError(t, err, c.message)
		})
	}
}

func TestItRunsWithoutAMetricsAddress(t *testing.T) {
	s := start(t, injectPod, func(o *webhook.Options) { o.MetricsAddress = "0" })
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		code, text := s.get("https://" + s.address + "/readyz")
		assert.Equal(c, http.StatusOK, code, text)
	}, bound, 5*time.Millisecond)
	assert.Empty(t, s.metrics)
	s.stop()
	require.NoError(t, <-s.ended)
}

func TestTLS(t *testing.T) {
	s := start(t, injectPod).ready()
	for name, c := range map[string]struct {
		client  *tls.Config
		refusal string
	}{
		"1.1 is refused": {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			"tls: protocol version not supported"},
		"1.2 is spoken":       {&tls.Config{MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, ""},
		"1.3 is spoken":       {&tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}, ""},
		"HTTP/2 alone is not": {&tls.Config{NextProtos: []string{"h2"}}, "tls: no application protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			c.client.InsecureSkipVerify = true
			connection, err := tls.Dial("tcp", s.address, c.client)
			if c.refusal != "" {
				require.ErrorContains(t, err, c.refusal)
				return
			}
			require.NoError(t, err)
			defer func() { _ = connection.Close() }()
			assert.Equal(t, "http/1.1", connection.ConnectionState().NegotiatedProtocol)
		})
	}
}

func TestAClientThatIsSlowIsCut(t *testing.T) {
	const limit = 100 * time.Millisecond
	s := start(t, injectPod, func(o *webhook.Options) { o.ReadHeaderTimeout, o.ReadTimeout = limit, limit }).ready()
	for name, c := range map[string]struct{ start, answer string }{
		"in the header": {"POST /mutate-pods HTTP/1.1\r\nHost: a\r\nSlow: ", ""},
		"in the body": {"POST /mutate-pods HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
			"HTTP/1.1 408 Request Timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
			require.NoError(t, err)
			defer func() { _ = connection.Close() }()
			_, err = io.WriteString(connection, c.start)
			require.NoError(t, err)
			done := make(chan struct{})
			defer close(done)
			go drip(connection, limit/10, done)
			require.NoError(t, connection.SetReadDeadline(time.Now().Add(bound)))
			answer, err := io.ReadAll(connection)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server ends the connection")
			status, _, _ := strings.Cut(string(answer), "\r\n")
			assert.Equal(t, c.answer, status)
		})
	}
}

// drip sends a byte per interval.
func drip(w io.Writer, interval time.Duration, done <-chan struct{}) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
		}
	}
}

func TestProductionCutsWithinTenSeconds(t *testing.T) {
	o := webhook.DefaultOptions()
	assert.Less(t, o.ReadHeaderTimeout, 10*time.Second)
	assert.Less(t, o.ReadTimeout, 10*time.Second)
	assert.Greater(t, o.WriteTimeout, o.ReadTimeout, "or a slow client would not be told")
	assert.Greater(t, o.IdleTimeout, 90*time.Second, "the API server's own")
}

func TestAThousandIdleConnectionsAreHeld(t *testing.T) {
	s := start(t, injectPod).ready()
	connections := make([]*bufio.ReadWriter, 1000)
	ask := func(n int) error {
		if _, err := fmt.Fprint(connections[n], "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		if err := connections[n].Flush(); err != nil {
			return err
		}
		response, err := http.ReadResponse(connections[n].Reader, nil)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	for n := range connections {
		connection, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer func() { _ = connection.Close() }()
		connections[n] = bufio.NewReadWriter(bufio.NewReader(connection), bufio.NewWriter(connection))
		require.NoError(t, ask(n))
	}
	for n := range connections {
		require.NoError(t, ask(n), "connection %d", n)
	}
	assert.True(t, s.review(review(consumer)).Allowed, "and there is room for more")
}

func TestNoiseOfClientsIsForDebugging(t *testing.T) {
	s := start(t, injectPod).ready()
	connection, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	_, err = io.WriteString(connection, "GET / HTTP/1.1\r\n\r\n")
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, connection)
	message := "http: TLS handshake error from " + connection.LocalAddr().String() +
		": client sent an HTTP request to an HTTPS server"
	require.NoError(t, connection.Close())
	require.Eventually(t, func() bool { return len(s.logged(message)) == 1 }, bound, time.Millisecond)
	assert.Equal(t, "DEBUG", s.logged(message)[0]["level"])
}

// servedName is the common name in the certificate that a new connection gets.
func (s *server) servedName() string {
	connection, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = connection.Close() }()
	return connection.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// load sends requests without a pause, over new and over kept connections, until it is ended or nobody listens.
type load struct {
	answered atomic.Int64
	stop     context.CancelFunc
	workers  sync.WaitGroup
	mutex    sync.Mutex
	failures []string
}

func startLoad(s *server) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop}
	s.t.Cleanup(stop)
	for n := range 4 {
		l.workers.Go(func() {
			for ctx.Err() == nil {
				if n%2 == 0 {
					s.client.CloseIdleConnections()
				}
				l.note(s.post(review(consumer)))
			}
		})
	}
	return l
}

func (l *load) note(response *http.Response, err error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case err != nil:
		l.failures = append(l.failures, err.Error())
		return
	case response.StatusCode != http.StatusOK:
		l.failures = append(l.failures, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err != nil {
		l.failures = append(l.failures, err.Error())
	}
	_ = response.Body.Close()
	l.answered.Add(1)
}

// end stops the requests, and returns what failed.
func (l *load) end() []string {
	l.stop()
	l.workers.Wait()
	return l.failures
}
