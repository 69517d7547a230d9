package screen_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/e2e/screen"
)

func TestOutputThatIsNoTerminalHasNoControlCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(path)
	require.NoError(t, err)
	s := screen.New(file)
	s.Title("1. A part")
	require.NoError(t, s.Step("something is done", func() error { return nil }))
	s.Diff([]string{"+added", " kept"})
	s.Quote("an answer that is too long for a line because it names what is allowed in full, so that it has to be wrapped\nand goes on")
	require.NoError(t, file.Close())

	output, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, `
1. A part

  ✓ something is done                                                                          0.0 s
    +added
     kept
    an answer that is too long for a line because it names what is allowed in full, so that
    it has to be wrapped
    and goes on
`, string(output))
}
