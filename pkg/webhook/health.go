package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// dialTimeout bounds the readiness check's call of our own listener: below the second after which a kubelet gives up.
const dialTimeout = 800 * time.Millisecond

// readiness is whether the API server can get an answer from us.
type readiness struct {
	certificates *certificates
	draining     *atomic.Bool
	address      string // of our own listener
}

// check returns nil when we are ready, else what is wrong.
func (r *readiness) check(ctx context.Context) error {
	if r.draining.Load() {
		return errors.New("draining: this process is about to end")
	}
	if err := r.certificates.check(time.Now()); err != nil {
		return err
	}
	return r.dial(ctx)
}

// dial makes a real connection: a process that is out of file descriptors, or does not get to accept, is not ready
// whatever it thinks of itself. Whom the certificate names and who signed it is for the API server to judge.
func (r *readiness) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := &tls.Dialer{Config: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // nothing is sent: that somebody answers is what counts
	}}
	connection, err := dialer.DialContext(ctx, "tcp", r.address)
	if err != nil {
		return fmt.Errorf("our own listener at %s does not answer: %w", r.address, err)
	}
	return connection.Close()
}

// ServeHTTP answers /readyz: 200 or 503, with a line for people.
func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if err := r.check(request.Context()); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	alive(w, request)
}

// alive answers /healthz: this process runs. A restart would cure nothing that /readyz complains of.
func alive(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

func addProbes(mux *http.ServeMux, ready *readiness) {
	mux.HandleFunc("GET /healthz", alive)
	mux.Handle("GET /readyz", ready)
}

func httpsRoutes(reviews *handler, ready *readiness) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/mutate-pods", reviews.at(podEndpoint))
	mux.Handle("/validate-workloads", reviews.at(workloadEndpoint))
	addProbes(mux, ready)
	return mux
}

// metricsRoutes are not served to everybody who may call the webhook: metrics tell of others.
func metricsRoutes(m *metrics, ready *readiness) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler())
	addProbes(mux, ready)
	return mux
}
