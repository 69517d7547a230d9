package webhook

import "time"

// Options are how the server runs: what flags set, then the bounds that keep one client from using up what all need.
type Options struct {
	// BindAddress is where HTTPS is served, "host:port"; without a host on every address.
	BindAddress string
	// MetricsAddress is where metrics and probes are served over plain HTTP, in the same form. "0": nowhere.
	MetricsAddress string
	// CertDir holds the serving certificate, tls.crt, and its key, tls.key. Both are read again when they change.
	CertDir string
	// ClientCAFile holds the authorities (PEM) of the certificates that clients have to show; read at start. Empty: everybody is answered.
	ClientCAFile string
	// ClientNames are those that a client's certificate may be for, as its common name or a DNS name. Empty: any.
	ClientNames []string
	// DrainDelay is how long requests are still answered after the server has turned unready.
	DrainDelay time.Duration

	// ReadHeaderTimeout bounds the TLS handshake, and then a request's header.
	ReadHeaderTimeout time.Duration
	// ReadTimeout bounds a request, header and body.
	ReadTimeout time.Duration
	// WriteTimeout bounds the time from a request's header to the end of its answer, so it includes reading the body.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	IdleTimeout time.Duration
	// ShutdownTimeout is how long, after the drain delay, the last requests may take.
	ShutdownTimeout time.Duration
	// MaxHeaderBytes and MaxBodyBytes bound a request's size.
	MaxHeaderBytes int
	MaxBodyBytes   int64
	// MaxWait is how long a large request may wait for others.
	MaxWait time.Duration
	// CertificateInterval is how often the certificate is looked at.
	CertificateInterval time.Duration
}

// DefaultOptions are what the server runs with in production, apart from CertDir, which has no default.
func DefaultOptions() Options {
	return Options{
		BindAddress:    ":9443",
		MetricsAddress: ":8080",
		DrainDelay:     10 * time.Second,

		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       8 * time.Second,
		WriteTimeout:      10 * time.Second,
		// Longer than the 90 s after which an API server gives up an idle connection: the side that sends requests has
		// to be the one that closes, or a request could meet a connection that is being closed.
		IdleTimeout:     2 * time.Minute,
		ShutdownTimeout: 10 * time.Second,
		MaxHeaderBytes:  64 << 10,
		MaxBodyBytes:    7 << 20,         // what an API server takes (3 MiB), twice for an update, and the review around it
		MaxWait:         2 * time.Second, // an API server waits 3 s

		CertificateInterval: time.Second,
	}
}
