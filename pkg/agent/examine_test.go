//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADraftThatAnEarlierTestCouldNotRemoveIsNoReasonToBeUnready(t *testing.T) {
	dir := t.TempDir()
	e := examiner{share: Share{Name: "rules", Path: dir, Produced: true}, scratch: ".podshare-agent-x"}
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".podshare-agent-x.new"), []byte("half"), 0o600))
	require.NoError(t, e.write())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)

	t.Run("and a link in its place is not followed", func(t *testing.T) {
		precious := filepath.Join(t.TempDir(), "precious")
		require.NoError(t, os.WriteFile(precious, []byte("data"), 0o600))
		require.NoError(t, os.Symlink(precious, filepath.Join(dir, ".podshare-agent-x.new")))
		require.NoError(t, e.write())
		content, err := os.ReadFile(precious)
		require.NoError(t, err)
		assert.Equal(t, "data", string(content))
	})
}
