package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDiff(t *testing.T) {
	for name, test := range map[string]struct {
		before, after string
		lines         []string
	}{
		"no difference has no lines": {before: "a\nb\n", after: "a\nb\n"},
		"an item is added to a list whose items end alike": {
			before: "- name: a\n  readOnly: true\nend\n",
			after:  "- name: a\n  readOnly: true\n- name: b\n  readOnly: true\nend\n",
			lines:  []string{" - name: a", "   readOnly: true", "+- name: b", "+  readOnly: true", " end"},
		},
		"a value is replaced": {
			before: "a\nvalue: /app\nb\n",
			after:  "a\nvalue: /app:/podshare/rules\nb\n",
			lines:  []string{" a", "-value: /app", "+value: /app:/podshare/rules", " b"},
		},
		"what is far from a change is left out": {
			before: "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
			after:  "1\n+\n2\n3\n4\n5\n6\n7\n8\n9\n+\n",
			lines:  []string{" 1", "++", " 2", " 3", " 4", "  ...", " 7", " 8", " 9", "++"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			lines, err := diff(test.before, test.after)
			require.NoError(t, err)
			assert.Equal(t, test.lines, lines)
		})
	}
}

func TestOutputThatIsNoTerminalHasNoControlCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(path)
	require.NoError(t, err)
	s := newScreen(file)
	s.title("1. A part")
	require.NoError(t, s.step("something is done", func() error { return nil }))
	s.diff([]string{"+added", " kept"})
	s.quote("an answer that is too long for a line because it names what is allowed in full, so that it has to be wrapped\nand goes on")
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
