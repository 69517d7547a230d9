// Package webhook is the HTTPS server that the API server calls when an annotated pod is created, or a workload applied that makes such
// pods. It answers from the
// request alone: it has no client and no credentials.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/podshare/podshare/pkg/inject"
)

// Injector computes the injection of a pod in a namespace. Its error is an *inject.RefusedError, or else a failure of our own.
type Injector func(pod *inject.Pod, namespace string) (*inject.Result, error)

// Server is the webhook between Listen and the end of Run.
type Server struct {
	options      Options
	log          *slog.Logger
	certificates *certificates
	draining     atomic.Bool

	https, metrics             *http.Server
	httpsListen, metricsListen net.Listener // metricsListen is nil without a metrics address
}

// Listen takes the addresses, so that one that is taken already is an error at once. Run serves them.
func Listen(options Options, injector Injector, log *slog.Logger) (*Server, error) {
	clients, err := newClients(options)
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, log: log, certificates: newCertificates(options, log)}
	if s.httpsListen, err = net.Listen("tcp", options.BindAddress); err != nil {
		return nil, fmt.Errorf("listening for HTTPS: %w", err)
	}
	if options.MetricsAddress != "0" {
		if s.metricsListen, err = net.Listen("tcp", options.MetricsAddress); err != nil {
			return nil, errors.Join(fmt.Errorf("listening for metrics and probes: %w", err), s.httpsListen.Close())
		}
	}
	metrics := newMetrics(s.certificates)
	ready := &readiness{certificates: s.certificates, draining: &s.draining, address: s.httpsListen.Addr().String()}
	reviews := newHandler(options, injector, clients, metrics, log)
	s.https = s.newHTTPServer(s.closeWhenDraining(httpsRoutes(reviews, ready)))
	s.https.TLSConfig = &tls.Config{
		MinVersion:             tls.VersionTLS12,
		GetCertificate:         s.certificates.get,
		SessionTicketsDisabled: true, // API servers resume no session, and an idle connection is smaller without
	}
	clients.configure(s.https.TLSConfig)
	s.metrics = s.newHTTPServer(metricsRoutes(metrics, ready))
	return s, nil
}

// Address is where HTTPS is served, with the port that a bind address of port 0 was given.
func (s *Server) Address() string { return s.httpsListen.Addr().String() }

// MetricsAddress is where metrics and probes are served; empty: nowhere.
func (s *Server) MetricsAddress() string {
	if s.metricsListen == nil {
		return ""
	}
	return s.metricsListen.Addr().String()
}

func (s *Server) newHTTPServer(handler http.Handler) *http.Server {
	// One request at a time on a connection: with HTTP/2 one client could make us read hundreds of bodies at once.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: s.options.ReadHeaderTimeout,
		ReadTimeout:       s.options.ReadTimeout,
		WriteTimeout:      s.options.WriteTimeout,
		IdleTimeout:       s.options.IdleTimeout,
		MaxHeaderBytes:    s.options.MaxHeaderBytes,
		// What clients do wrong, such as a handshake that they break off, is not worth more.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Run serves until the context ends and the last request after it is answered. The error says what ended it before
// that, or that requests had to be cut.
func (s *Server) Run(ctx context.Context) error {
	// The parts outlive the context, by the time that draining takes.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	group, running := errgroup.WithContext(running)
	group.Go(func() error { s.certificates.run(running); return nil })
	group.Go(func() error { return ended(s.https.ServeTLS(s.httpsListen, "", "")) })
	if s.metricsListen != nil {
		group.Go(func() error { return ended(s.metrics.Serve(s.metricsListen)) })
	}
	group.Go(func() error {
		defer stop()
		select {
		case <-ctx.Done():
			s.drain(running)
		case <-running.Done(): // one of the parts failed
		}
		return s.shutdown()
	})
	return group.Wait()
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// drain lets the API servers go elsewhere. They learn that we are unready only after a while, and they keep their
// connections, so each answer from now on closes its own. Idle ones are not closed here: a request may be on its way.
func (s *Server) drain(ctx context.Context) {
	s.draining.Store(true)
	s.log.Info("draining: unready from now on, and still answering", "delay", s.options.DrainDelay)
	ctx, cancel := context.WithTimeout(ctx, s.options.DrainDelay)
	defer cancel()
	<-ctx.Done()
}

func (s *Server) closeWhenDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// shutdown ends both servers once their requests are answered, the probes' last.
func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.ShutdownTimeout)
	defer cancel()
	start := time.Now()
	err := errors.Join(s.https.Shutdown(ctx), s.metrics.Shutdown(ctx))
	if err != nil {
		err = fmt.Errorf("requests that took longer than %s were cut: %w", s.options.ShutdownTimeout, err)
		return errors.Join(err, s.https.Close(), s.metrics.Close())
	}
	s.log.Info("stopped", "waited", time.Since(start))
	return nil
}
