package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/images"
)

const imagesDir = ".cache/images"

// archives are the files of the images that the node gets.
type archives struct{ builder string }

func (*archives) files() []string {
	return []string{inImages("podshare.tar"), inImages("agent.tar"), inImages("python.tar"), inImages("certmanager.tar"), inImages("breaker.tar")}
}

// builder is the program that builds images here: docker if its engine answers, podman or buildah; "" if there is none.
func builder(ctx context.Context) string {
	if exec.CommandContext(ctx, "docker", "version").Run() == nil {
		return "docker"
	}
	for _, program := range []string{"podman", "buildah"} {
		if _, err := exec.LookPath(program); err == nil {
			return program
		}
	}
	return ""
}

// build makes podshare's images from the Dockerfile, as users do.
func (a *archives) build(ctx context.Context) error {
	if err := os.MkdirAll(imagesDir, 0o755); err != nil {
		return err
	}
	if err := images.Podshare(ctx, a.builder); err != nil {
		return err
	}
	for image, file := range map[string]string{images.PodshareImage: inImages("podshare.tar"), images.AgentImage: inImages("agent.tar")} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) { // podman and buildah do not replace it
			return err
		}
		arguments := []string{"save", "--output", file, image}
		if a.builder == "buildah" {
			arguments = []string{"push", image, fmt.Sprintf("docker-archive:%s:%s", file, image)}
		}
		if err := command.Run(ctx, nil, a.builder, arguments...); err != nil {
			return err
		}
	}
	return nil
}

func (*archives) makePython(ctx context.Context) error {
	return images.Python(ctx, inImages("python.tar"))
}

func (*archives) makeCertManager(ctx context.Context) error {
	return images.CertManager(ctx, imagesDir, inImages("certmanager.tar"))
}

func (*archives) makeBreaker(ctx context.Context) error {
	return images.Breaker(ctx, imagesDir, inImages("breaker.tar"))
}

func inImages(name string) string { return filepath.Join(imagesDir, name) }
