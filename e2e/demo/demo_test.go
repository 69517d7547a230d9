package main

import (
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
