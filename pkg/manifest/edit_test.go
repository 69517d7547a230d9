package manifest_test

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/manifest"
)

func TestAnEditLeavesTheRestAsItIsWritten(t *testing.T) {
	tests := map[string]struct{ text, patch, want string }{
		"a key is added at the end of its map, before the blank line and the next key's comment": {
			text: `# the editor

metadata:   # who
  labels: {app: "x"}   # one
  # a note on the labels

# what
spec: {}
`,
			patch: `[{"op":"add","path":"/metadata/annotations","value":{"a":"yes","b":"{\"c\":1}"}}]`,
			want: `# the editor

metadata:   # who
  labels: {app: "x"}   # one
  # a note on the labels
  annotations:
    a: "yes"
    b: '{"c":1}'

# what
spec: {}
`,
		},
		"an item is added in the column of the others, in a list that is not indented": {
			text:  "spec:\n  env:\n  - name: A\n    value: a\n  # the ports\n  ports: []\n",
			patch: `[{"op":"add","path":"/spec/env/-","value":{"name":"B","value":"1"}}]`,
			want:  "spec:\n  env:\n  - name: A\n    value: a\n  - name: B\n    value: \"1\"\n  # the ports\n  ports: []\n",
		},
		"an item is added behind comments of an indented list": {
			text:  "env:\n    - name: A\n    # - name: Old\nports: []\n",
			patch: `[{"op":"add","path":"/env/-","value":{"name":"B"}}]`,
			want:  "env:\n    - name: A\n    # - name: Old\n    - name: B\nports: []\n",
		},
		"an item is added between two": {
			text:  "env:\n- name: A # first\n\n# the path\n- name: C\n",
			patch: `[{"op":"add","path":"/env/1","value":{"name":"B"}}]`,
			want:  "env:\n- name: A # first\n- name: B\n\n# the path\n- name: C\n",
		},
		"a value keeps its quotes and its comment": {
			text:  "env:\n  - name: PYTHONPATH\n    value: \"/app\"   # ours\n  - {name: B, value: b}\n",
			patch: `[{"op":"replace","path":"/env/0/value","value":"/app:/podshare/rules"},{"op":"replace","path":"/env/1/value","value":"c"}]`,
			want:  "env:\n  - name: PYTHONPATH\n    value: \"/app:/podshare/rules\" # ours\n  - {name: B, value: c}\n",
		},
		"an empty list, an empty map and nothing at all become blocks": {
			text:  "a: [] # none\nb: {}\nc:\nd: ~\n",
			patch: `[{"op":"add","path":"/a/-","value":{"x":1}},{"op":"add","path":"/b/k","value":2},{"op":"add","path":"/c","value":[1]},{"op":"add","path":"/d","value":{"z":true}}]`,
			want:  "a: # none\n- x: 1\nb:\n  k: 2\nc:\n- 1\nd:\n  z: true\n",
		},
		"a list in brackets stays one": {
			text:  "a: [x, 'v'] # two\nb: 1\n",
			patch: `[{"op":"add","path":"/a/-","value":"z"}]`,
			want:  "a: [x, v, z] # two\nb: 1\n",
		},
		"lines of a script that look like comments are content": {
			text:  "spec:\n  args:\n  - |\n    # a script\n    run\n    # its end\n\n# what follows\nend: 1\n",
			patch: `[{"op":"add","path":"/spec/args/-","value":"more"}]`,
			want:  "spec:\n  args:\n  - |\n    # a script\n    run\n    # its end\n  - more\n\n# what follows\nend: 1\n",
		},
		"inner additions come before outer ones that end in the same line": {
			text:  "spec:\n  containers:\n  - name: a\n    env:\n    - name: A",
			patch: `[{"op":"add","path":"/spec/containers/0/env/-","value":{"name":"B"}},{"op":"add","path":"/spec/containers/0/tty","value":true},{"op":"add","path":"/spec/volumes","value":[{"name":"v"}]}]`,
			want:  "spec:\n  containers:\n  - name: a\n    env:\n    - name: A\n    - name: B\n    tty: true\n  volumes:\n  - name: v\n",
		},
		"lines end as they did": {
			text:  "a:\r\n  b: 1\r\nc: 2\r\n",
			patch: `[{"op":"add","path":"/a/d","value":{"e":3}}]`,
			want:  "a:\r\n  b: 1\r\n  d:\r\n    e: 3\r\nc: 2\r\n",
		},
		"where levels are four columns apart, an addition begins four further": {
			text:  "a:\n    b:\n        c: 1\n",
			patch: `[{"op":"add","path":"/a/d","value":{"e":[{"f":3}]}}]`,
			want:  "a:\n    b:\n        c: 1\n    d:\n      e:\n      - f: 3\n",
		},
		"what separates documents stays where it is": {
			text:  "---\n# Source: chart/templates/web.yaml\na:\n  b: 1\n...\n# after the end\n",
			patch: `[{"op":"add","path":"/a/c","value":2}]`,
			want:  "---\n# Source: chart/templates/web.yaml\na:\n  b: 1\n  c: 2\n...\n# after the end\n",
		},
		"a key that a merge gave is written beside it": {
			text:  "base: &base\n  x: 1\nuser:\n  <<: *base\n  k: 2\n",
			patch: `[{"op":"replace","path":"/user/x","value":3},{"op":"add","path":"/user/z","value":4}]`,
			want:  "base: &base\n  x: 1\nuser:\n  <<: *base\n  k: 2\n  x: 3\n  z: 4\n",
		},
		"an alias is replaced where its value changes": {
			text:  "a: &list [1]\nb: *list\n",
			patch: `[{"op":"add","path":"/b/-","value":2}]`,
			want:  "a: &list [1]\nb: [1, 2]\n",
		},
		"items without names are changed where they are": {
			text:  "items:\n# the first\n- metadata:\n    name: a\n# the second\n- metadata:\n    name: b # b\n",
			patch: `[{"op":"add","path":"/items/1/metadata/labels","value":{"k":"v"}}]`,
			want:  "items:\n# the first\n- metadata:\n    name: a\n# the second\n- metadata:\n    name: b # b\n    labels:\n      k: v\n",
		},
		"JSON stays JSON, indented as it was": {
			text:  "{\n    \"b\": 1,\n    \"a\": [2]\n}\n",
			patch: `[{"op":"add","path":"/a/-","value":3}]`,
			want:  "{\n    \"b\": 1,\n    \"a\": [\n        2,\n        3\n    ]\n}\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			document := manifest.Document{Text: test.text, Line: 1}
			got, kept, err := document.Edit(patched(t, document, test.patch))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			assert.True(t, kept)
		})
	}
}

func TestWhatCannotBeEditedInPlaceIsWrittenAnew(t *testing.T) {
	document := manifest.Document{Text: "a: &x\n  k: 1\nb: *x # the same\n", Line: 1}
	got, kept, err := document.Edit(patched(t, document, `[{"op":"add","path":"/a/z","value":2}]`))
	require.NoError(t, err)
	assert.False(t, kept)
	assert.Equal(t, "---\na:\n  k: 1\n  z: 2\nb:\n  k: 1\n", got)
}

func TestAKeyThatIsThereTwiceIsRefused(t *testing.T) {
	document := manifest.Document{Text: "a: 1\na: 2\n", Line: 7}
	_, _, err := document.Edit([]byte(`{"a":3}`))
	require.EqualError(t, err, `line 8: the key "a" is there twice`)
}

func patched(t require.TestingT, document manifest.Document, patch string) []byte {
	object, err := document.JSON()
	require.NoError(t, err)
	operations, err := jsonpatch.DecodePatch(json.RawMessage(patch))
	require.NoError(t, err)
	want, err := operations.Apply(object)
	require.NoError(t, err)
	return want
}

func TestLinesOfFields(t *testing.T) {
	document := manifest.Document{Text: "---\nmetadata:\n  labels: {a: b}\nspec:\n  list:\n  - x: 1\n  -\n    x: 2\n", Line: 11}
	lineOf := document.Lines()
	assert.Equal(t, 13, lineOf("metadata", "labels", "a"))
	assert.Equal(t, 18, lineOf("spec", "list", 1, "x"))
	assert.Equal(t, 14, lineOf("spec", "none", "a"), "the last that is there")
	assert.Equal(t, 12, lineOf("none"))
	assert.Equal(t, 11, manifest.Document{Line: 11}.Lines()("none"))
}
