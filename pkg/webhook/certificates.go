package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// certificates is the serving certificate: waited for at start, and read again when its files change.
type certificates struct {
	certFile, keyFile string
	interval          time.Duration
	log               *slog.Logger

	watcher atomic.Pointer[certwatcher.CertWatcher] // nil until the files are there
	missing atomic.Pointer[error]                   // says why they are not
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
func (c *certificates) run(ctx context.Context) error {
	watcher := c.await(ctx)
	if watcher == nil {
		return nil
	}
	if err := watcher.Start(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("watching the certificate %s: %w", c.certFile, err)
	}
	return nil
}

// await reads the files until they hold a certificate. It says what it waits for once, and again when that changes. It
// returns nil when the context ends before.
func (c *certificates) await(ctx context.Context) *certwatcher.CertWatcher {
	ticker := time.NewTicker(c.interval)
	defer ticker.Stop()
	for said := ""; ; {
		watcher, err := certwatcher.New(c.certFile, c.keyFile)
		if err == nil {
			c.watcher.Store(watcher)
			c.log.Info("serving with a certificate", "file", c.certFile, "expires", c.expiry())
			return watcher
		}
		err = fmt.Errorf("waiting for a certificate in %s and its key in %s: %w", c.certFile, c.keyFile, err)
		c.missing.Store(&err)
		if said != err.Error() {
			said = err.Error()
			c.log.Warn(said)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// get is the certificate for a handshake.
func (c *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	watcher := c.watcher.Load()
	if watcher == nil {
		return nil, *c.missing.Load()
	}
	return watcher.GetCertificate(hello)
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
