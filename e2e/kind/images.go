package main

import (
	"context"
	"path/filepath"
	"runtime"
)

const (
	podshareImage    = "localhost/podshare:e2e"
	agentImage       = "localhost/podshare-agent:e2e"
	certManagerImage = "localhost/certmanager:e2e"
)

// images are what the tests' pods are made of.
type images struct {
	cluster *cluster
	python  string
}

// build makes podshare's images from the Dockerfile, as users do.
func (i *images) build(ctx context.Context) error {
	return run(ctx, nil, "make", "image", "IMAGE="+podshareImage, "AGENT_IMAGE="+agentImage)
}

// load puts the images on the nodes. An image with Python that the engine does not have, the nodes pull.
func (i *images) load(ctx context.Context) error {
	load := []string{podshareImage, agentImage}
	if i.python != "" && docker(ctx, "image", "inspect", i.python) == nil {
		load = append(load, i.python)
	}
	return kind(ctx, append([]string{"load", "docker-image", "--name", clusterName}, load...)...)
}

// buildCertManager makes an image of cert-manager's controllers out of its Go module, and puts it on the nodes.
func (i *images) buildCertManager(ctx context.Context) error {
	program := filepath.Join(i.cluster.dir, "certmanager")
	environment := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH}
	if err := run(ctx, environment, "go", "-C", certManagerModule, "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "."); err != nil {
		return err
	}
	// The directory is all that the engine gets to see.
	context := filepath.Join(i.cluster.dir, "image")
	if err := run(ctx, nil, "install", "-D", "-m", "755", program, filepath.Join(context, "certmanager")); err != nil {
		return err
	}
	dockerfile := filepath.Join(certManagerModule, "Dockerfile")
	if err := docker(ctx, "build", "--tag", certManagerImage, "--file", dockerfile, context); err != nil {
		return err
	}
	return kind(ctx, "load", "docker-image", "--name", clusterName, certManagerImage)
}
