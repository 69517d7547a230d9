package main

import (
	"context"
	"path/filepath"

	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/images"
)

// loader gives the nodes what the tests' pods are made of.
type loader struct {
	cluster *cluster
	python  string
}

// build makes podshare's images from the Dockerfile, as users do.
func (l *loader) build(ctx context.Context) error {
	return images.Podshare(ctx, "docker")
}

// load puts the images on the nodes. An image with Python that the engine does not have, the nodes pull.
func (l *loader) load(ctx context.Context) error {
	load := []string{images.PodshareImage, images.AgentImage}
	if l.python != "" && docker(ctx, "image", "inspect", l.python) == nil {
		load = append(load, l.python)
	}
	if err := kind(ctx, append([]string{"load", "docker-image", "--name", clusterName}, load...)...); err != nil {
		return err
	}
	breaker := filepath.Join(l.cluster.dir, "breaker.tar")
	if err := images.Breaker(ctx, l.cluster.dir, breaker); err != nil {
		return err
	}
	return kind(ctx, "load", "image-archive", "--name", clusterName, breaker)
}

// loadCertManager makes an image of cert-manager's controllers out of its Go module, and puts it on the nodes.
func (l *loader) loadCertManager(ctx context.Context) error {
	archive := filepath.Join(l.cluster.dir, "certmanager.tar")
	if err := images.CertManager(ctx, l.cluster.dir, archive); err != nil {
		return err
	}
	return kind(ctx, "load", "image-archive", "--name", clusterName, archive)
}

// kind runs the version of kind that go.tools.mod pins.
func kind(ctx context.Context, arguments ...string) error {
	return command.Run(ctx, nil, "go", append([]string{"tool", "-modfile=go.tools.mod", "kind"}, arguments...)...)
}

func docker(ctx context.Context, arguments ...string) error {
	return command.Run(ctx, nil, "docker", arguments...)
}
