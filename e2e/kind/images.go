package main

import (
	"context"
	"path/filepath"

	"github.com/podshare/podshare/e2e/command"
	imagearchive "github.com/podshare/podshare/e2e/images"
)

const (
	podshareImage = "localhost/podshare:e2e"
	agentImage    = "localhost/podshare-agent:e2e"
)

// images are what the tests' pods are made of.
type images struct {
	cluster *cluster
	python  string
}

// build makes podshare's images from the Dockerfile, as users do.
func (i *images) build(ctx context.Context) error {
	return command.Run(ctx, nil, "make", "image", "IMAGE="+podshareImage, "AGENT_IMAGE="+agentImage)
}

// load puts the images on the nodes. An image with Python that the engine does not have, the nodes pull.
func (i *images) load(ctx context.Context) error {
	load := []string{podshareImage, agentImage}
	if i.python != "" && docker(ctx, "image", "inspect", i.python) == nil {
		load = append(load, i.python)
	}
	if err := kind(ctx, append([]string{"load", "docker-image", "--name", clusterName}, load...)...); err != nil {
		return err
	}
	breaker := filepath.Join(i.cluster.dir, "breaker.tar")
	if err := imagearchive.Breaker(ctx, i.cluster.dir, breaker); err != nil {
		return err
	}
	return kind(ctx, "load", "image-archive", "--name", clusterName, breaker)
}

// loadCertManager makes an image of cert-manager's controllers out of its Go module, and puts it on the nodes.
func (i *images) loadCertManager(ctx context.Context) error {
	archive := filepath.Join(i.cluster.dir, "certmanager.tar")
	if err := imagearchive.CertManager(ctx, i.cluster.dir, archive); err != nil {
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
