package images

import (
	"context"
	"path/filepath"
	"runtime"

	"github.com/podshare/podshare/e2e/command"
)

// BreakerImage is what Breaker makes.
const BreakerImage = "localhost/breaker:e2e"

// CertManager writes an image of cert-manager's controllers, built from its Go module, for clusters into which its own images cannot be
// pulled. dir is for what it builds.
func CertManager(ctx context.Context, dir, archive string) error {
	return build(ctx, "e2e/certmanager", ".", "localhost/certmanager:e2e", filepath.Join(dir, "certmanager"), archive) // as in its manifest
}

// Breaker writes an image of e2e/breaker. dir is for what it builds.
func Breaker(ctx context.Context, dir, archive string) error {
	return build(ctx, ".", "./e2e/breaker", BreakerImage, filepath.Join(dir, "breaker"), archive)
}

// build compiles a program and writes an image of it.
func build(ctx context.Context, module, source, tag, program, archive string) error {
	program, err := filepath.Abs(program) // the go command runs in the module
	if err != nil {
		return err
	}
	environment := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH}
	err = command.Run(ctx, environment, "go", "-C", module, "build", "-trimpath", "-ldflags", "-s -w", "-o", program, source)
	if err != nil {
		return err
	}
	return Program(tag, program, archive)
}
