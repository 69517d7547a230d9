package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// certificates is the serving certificate: waited for at start, and read again when its files change. The files are looked at, not
// watched: that takes 50 µs a second, and the libraries that watch bring a Kubernetes client, whose code alone is 10 MiB in memory.
type certificates struct {
	certFile, keyFile string
	interval          time.Duration
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate] // nil until there is one
	missing atomic.Pointer[error]           // says why there is none
	content []byte                          // of both files, as read last
	said    string                          // the last problem that the log has
}

func newCertificates(options Options, log *slog.Logger) *certificates {
	c := &certificates{
		certFile: filepath.Join(options.CertDir, "tls.crt"),
		keyFile:  filepath.Join(options.CertDir, "tls.key"),
		interval: options.CertificateInterval,
		log:      log,
	}
	c.missing.Store(new(errors.New("the certificate is not read yet")))
	return c
}

// run keeps the certificate up to date until the context ends.
func (c *certificates) run(ctx context.Context) {
	ticker := time.NewTicker(c.interval)
	defer ticker.Stop()
	for {
		c.update()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// update reads the files. While they hold no certificate with its key, as in the middle of a change, the one before stays. Each problem
// is said once.
func (c *certificates) update() {
	err := c.read()
	switch {
	case err == nil:
		c.said = ""
		return
	case c.current.Load() == nil:
		err = fmt.Errorf("waiting for a certificate in %s and its key in %s: %w", c.certFile, c.keyFile, err)
		c.missing.Store(&err)
	default:
		err = fmt.Errorf("keeping the certificate that there was; in %s and %s is no other: %w", c.certFile, c.keyFile, err)
	}
	if c.said != err.Error() {
		c.said = err.Error()
		c.log.Warn(c.said)
	}
}

// read takes what the files hold, if that is something new.
func (c *certificates) read() error {
	certificate, err := os.ReadFile(c.certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return err
	}
	content := bytes.Join([][]byte{certificate, key}, []byte{0})
	if bytes.Equal(content, c.content) {
		return nil
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	c.content = content
	c.current.Store(&pair)
	c.log.Info("serving with a certificate", "file", c.certFile, "expires", c.expiry())
	return nil
}

// get is the certificate for a handshake.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if certificate := c.current.Load(); certificate != nil {
		return certificate, nil
	}
	return nil, *c.missing.Load()
}

// expiry is when the certificate ends; the zero time without one.
func (c *certificates) expiry() time.Time {
	certificate, err := c.get(nil)
	if err != nil {
		return time.Time{}
	}
	return certificate.Leaf.NotAfter
}

// check says why no client can accept the certificate at a time.
func (c *certificates) check(now time.Time) error {
	certificate, err := c.get(nil)
	if err != nil {
		return err
	}
	if leaf := certificate.Leaf; now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("the certificate in %s is valid from %s to %s, and now it is %s", c.certFile,
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}
