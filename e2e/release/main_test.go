package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/e2e/install"
)

func TestAllImagesOfTheManifestArePinned(t *testing.T) {
	require.NoError(t, os.Chdir("../.."))
	image := "ghcr.io/podshare/podshare@sha256:" + strings.Repeat("a", 64)
	agent := "registry.example.com:5000/mirror/podshare-agent@sha256:" + strings.Repeat("b", 64)
	var manifest strings.Builder
	require.NoError(t, write(&manifest, install.Overlay{Image: image, AgentImage: agent}))
	var images []string
	for _, match := range regexp.MustCompile(`(?m)^\s*(?:- )?image: (\S+)$`).FindAllStringSubmatch(manifest.String(), -1) {
		images = append(images, match[1])
	}
	assert.ElementsMatch(t, []string{image, image, agent}, images, "those of the two Deployments, and the agent's in the configuration")
	assert.Contains(t, manifest.String(), "kind: MutatingWebhookConfiguration")
	assert.Contains(t, manifest.String(), "kind: Certificate")

	err := write(&manifest, install.Overlay{Image: "ghcr.io/podshare/podshare:v1", AgentImage: agent})
	assert.EqualError(t, err, `-image "ghcr.io/podshare/podshare:v1" must be an image with its digest, such as registry.example.com/podshare@sha256:<64 digits>`)
}
