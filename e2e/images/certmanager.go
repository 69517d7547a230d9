package images

import (
	"context"
	"path/filepath"
	"runtime"

	"github.com/podshare/podshare/e2e/command"
)

const (
	// certManagerModule runs cert-manager's own controllers, built from its Go module.
	certManagerModule = "e2e/certmanager"
	certManagerImage  = "localhost/certmanager:e2e" // as in its manifest
)

// CertManager writes an image of cert-manager's controllers, for clusters into which its own images cannot be pulled. dir is for
// what it builds.
func CertManager(ctx context.Context, dir, archive string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "certmanager")
	environment := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH}
	err = command.Run(ctx, environment, "go", "-C", certManagerModule, "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	if err != nil {
		return err
	}
	return Program(certManagerImage, program, archive)
}
