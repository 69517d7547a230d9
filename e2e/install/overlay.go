package install

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Overlay is an installation as docs/platform.md tells a platform team to write it: manifests/overlays/default with images and a
// configuration of its own.
type Overlay struct {
	// Image and AgentImage are references, with a tag or a digest.
	Image, AgentImage string
	// StorageClass of new claims. Empty: the cluster's default.
	StorageClass string
	// AgentMetrics makes the agents of new pods have metrics.
	AgentMetrics bool
}

const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../manifests/overlays/default
images:
  - name: ghcr.io/podshare/podshare
    newName: %s
    %s
configMapGenerator:
  - name: podshare-config
    namespace: podshare-system
    behavior: replace
    files: [config.yaml]
    options: {immutable: true}
`

// Render returns the installation's objects. root is the repository's; the overlay is written below its .cache, and removed.
func (o Overlay) Render(root string) ([]*unstructured.Unstructured, error) {
	cache, err := filepath.Abs(filepath.Join(root, ".cache"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cache, "overlay-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover harms nobody
	config, err := o.config(filepath.Join(root, "manifests", "base", "config.yaml"))
	if err != nil {
		return nil, err
	}
	files := map[string]string{"config.yaml": config, "kustomization.yaml": fmt.Sprintf(overlay, splitImage(o.Image)...)}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	return Render(dir)
}

// splitImage returns a reference's name, and its tag or digest as kustomize writes them.
func splitImage(reference string) []any {
	if name, digest, found := strings.Cut(reference, "@"); found {
		return []any{name, "digest: " + digest}
	}
	colon := strings.LastIndex(reference, ":")
	return []any{reference[:colon], "newTag: " + reference[colon+1:]}
}

// config is the default's file with what the overlay says in it.
func (o Overlay) config(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	config := string(content)
	changes := map[string]string{"ghcr.io/podshare/podshare-agent:v0.1.0": o.AgentImage}
	if o.StorageClass != "" {
		changes["# storageClass: nfs\n"] = "storageClass: " + o.StorageClass + "\n"
	}
	if o.AgentMetrics {
		changes["  metrics: false\n"] = "  metrics: true\n"
	}
	for old, by := range changes {
		if config, err = replace(file, config, old, by); err != nil {
			return "", err
		}
	}
	return config, nil
}

// replace puts a text in the place of another, which a file has to have.
func replace(file, content, old, by string) (string, error) {
	if !strings.Contains(content, old) {
		return "", fmt.Errorf("%s has no %q any more", file, old)
	}
	return strings.Replace(content, old, by, 1), nil
}
