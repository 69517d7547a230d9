package monitoring_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podshare/podshare/e2e/install"
)

// overlay is docs/monitoring.md's, with paths in the place of addresses.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../manifests/overlays/default
components:
  - ../../manifests/monitoring
`

func TestAnOverlayAddsTheComponent(t *testing.T) {
	require.NoError(t, os.MkdirAll(".cache", 0o755))
	dir, err := os.MkdirTemp(".cache", "monitoring-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o600))
	objects, err := install.Render(dir)
	require.NoError(t, err)
	plain, err := install.Render("manifests/overlays/default")
	require.NoError(t, err)
	assert.Len(t, objects, len(plain)+4)
	for _, wanted := range []struct{ kind, name string }{
		{"PodMonitor", "podshare"}, {"PodMonitor", "podshare-agents"}, {"PrometheusRule", "podshare"}, {"ConfigMap", "podshare-dashboard"},
	} {
		object, err := install.Find(objects, wanted.kind, wanted.name)
		require.NoError(t, err)
		assert.Equal(t, "podshare-system", object.GetNamespace(), wanted)
	}
	dashboard, err := install.Find(objects, "ConfigMap", "podshare-dashboard")
	require.NoError(t, err)
	assert.Equal(t, "1", dashboard.GetLabels()["grafana_dashboard"])
	content, _, err := unstructured.NestedString(dashboard.Object, "data", "podshare.json")
	require.NoError(t, err)
	assert.Contains(t, content, `"title": "podshare"`)
}
