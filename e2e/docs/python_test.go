package docs

import (
	"os/exec"
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
	difference, err := Typist{Dir: t.TempDir(), Environment: environment}.Hold(t.Context(), root, name)
	require.NoError(t, err)
	assert.Empty(t, difference, "UPDATE=1 writes the page anew")
}
