package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThePluginPrintsWhatTheDocumentationShows runs those examples of docs/kubectl.md that need no cluster, with the plugin as kubectl finds it.
func TestThePluginPrintsWhatTheDocumentationShows(t *testing.T) {
	assets, err := filepath.Abs(filepath.Join(root, "bin/assets"))
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(assets, "kubectl")); err != nil {
		t.Skip("there is no kubectl: make kube builds it")
	}
	programs := t.TempDir()
	build := exec.Command("go", "build", "-o", programs, "./cmd/kubectl-podshare")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	typeHere(t, "docs/kubectl.md", "PATH="+programs+":"+assets+":"+os.Getenv("PATH"), "KUBECONFIG="+filepath.Join(programs, "none"))
}
