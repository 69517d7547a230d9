package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPythonDoesWhatTheDocumentationShows runs every example of docs/python.md.
func TestPythonDoesWhatTheDocumentationShows(t *testing.T) {
	for _, program := range []string{"bash", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	typeHere(t, "docs/python.md")
}

// typeHere does what a page tells its reader to do, in an empty directory, and holds the page to what it prints.
func typeHere(t *testing.T, name string, environment ...string) {
	t.Helper()
	page, err := Read(root, name)
	require.NoError(t, err)
	seen, err := Typist{Dir: t.TempDir(), Environment: environment}.Type(t.Context(), page)
	require.NoError(t, err)
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.WriteFile(filepath.Join(root, page.Name), seen, 0o644))
		return
	}
	assert.Empty(t, Difference(page, seen), "UPDATE=1 writes the page anew")
}
