package manifest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/manifest"
)

// FuzzEdit adds an entry to each map and each list of any document: what comes out means what was wanted.
func FuzzEdit(f *testing.F) {
	for _, text := range []string{
		"a:\n  b: 1\n", "a:\n- b\n-   c: [1]\n-\n  d: {}\n", "a: &x {b: 1}\nc: *x\n", "a: |\n  # b\n\nc: >-\n  d\n  e\n", "? a\n: - - b\n", "---\na: 'b\n  c'\n...\n",
		"\ta: 1", "a: !!str 1 # c\r\nb:\r\n", "{\"a\": [1, {\"b\": null}]}", "<<: {a: 1}\nb: \"\\u00e9\" # é\n", "a: \"é\": b", "- é: {}\n  b: ~\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		document := manifest.Document{Text: text, Line: 1}
		object, err := document.JSON()
		if err != nil || object == nil {
			return
		}
		var have any
		if json.Unmarshal(object, &have) != nil { // a number that only fits a text
			return
		}
		want, err := json.Marshal(added(have))
		require.NoError(t, err)
		edited, _, err := document.Edit(want)
		if err != nil { // what is there twice
			return
		}
		got, err := manifest.Document{Text: edited}.JSON()
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got), edited)
		document.Lines()("a", 0, "b")
	})
}

func added(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			value[key] = added(value[key])
		}
		value["added"] = map[string]any{"yes": "no"}
		return value
	case []any:
		for n := range value {
			value[n] = added(value[n])
		}
		return append(value, "added")
	}
	return value
}
