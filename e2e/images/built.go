package images

import (
	"context"
	"path/filepath"
	"runtime"

	"github.com/podshare/podshare/e2e/command"
)

// What Podshare and Breaker make.
const (
	PodshareImage = "localhost/podshare:e2e"
	AgentImage    = "localhost/podshare-agent:e2e"
	BreakerImage  = "localhost/breaker:e2e"
)

// Podshare builds podshare's images from the Dockerfile, as users do. The builder (docker, podman or buildah) keeps them.
func Podshare(ctx context.Context, builder string) error {
	environment := []string{"BUILDAH_ISOLATION=chroot"} // nothing is run in it, but buildah prepares for that
	return command.Run(ctx, environment, "make", "image", "BUILDER="+builder, "IMAGE="+PodshareImage, "AGENT_IMAGE="+AgentImage)
}

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
