package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// JSON is a document's object. It is nil where the document is empty, or nothing but comments.
func (d Document) JSON() ([]byte, error) {
	if d.isJSON() {
		return []byte(d.Text), nil // its keys in their order
	}
	text, err := yaml.YAMLToJSON([]byte(d.Text))
	if err != nil || bytes.Equal(text, []byte("null")) {
		return nil, err
	}
	return text, nil
}

func (d Document) isJSON() bool { return json.Valid([]byte(d.Text)) }

// Edit returns a document's text with the object want in place of its own. What is the same in both stays as it is written. Rarely that
// cannot be, such as where an anchor's content differs in only one of the places that refer to it: then kept is false, and the text is all new.
// A document that says the same key twice is refused: each reader takes another.
func (d Document) Edit(want []byte) (text string, kept bool, err error) {
	have, err := d.JSON()
	if err != nil {
		return "", false, err
	}
	var document yamlv3.Node
	if err := yamlv3.Unmarshal([]byte(d.Text), &document); err != nil {
		return "", false, err
	}
	if err := d.checkKeys(&document); err != nil {
		return "", false, err
	}
	if d.isJSON() {
		return indented(d.Text, want)
	}
	if text, err = edited(d.Text, &document, have, want); err == nil {
		if got, err := yaml.YAMLToJSON([]byte(text)); err == nil && sameJSON(got, want) {
			return text, true, nil
		}
	}
	anew, err := yaml.JSONToYAML(want)
	return "---\n" + string(anew), false, err
}

// checkKeys looks for keys that are in a map twice.
func (d Document) checkKeys(n *yamlv3.Node) error {
	seen := map[string]bool{}
	for i, child := range n.Content {
		if n.Kind == yamlv3.MappingNode && i%2 == 0 && child.Tag != "!!merge" {
			if seen[child.Value] {
				return fmt.Errorf("line %d: the key %q is there twice", d.Line+child.Line-1, child.Value)
			}
			seen[child.Value] = true
		}
		if err := d.checkKeys(child); err != nil {
			return err
		}
	}
	return nil
}

// indented writes JSON as it was written: in one line, or indented as its first field is.
func indented(text string, want []byte) (string, bool, error) {
	var out bytes.Buffer
	_, rest, several := strings.Cut(strings.TrimSpace(text), "\n")
	indent := rest[:len(rest)-len(strings.TrimLeft(rest, " \t"))]
	var err error
	if several {
		err = json.Indent(&out, want, "", cmp.Or(indent, "  "))
	} else {
		err = json.Compact(&out, want)
	}
	return out.String() + "\n", true, err
}

func sameJSON(a, b []byte) bool {
	left, leftErr := decode(a)
	right, rightErr := decode(b)
	return leftErr == nil && rightErr == nil && reflect.DeepEqual(left, right)
}

// decode keeps numbers as they are written.
func decode(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

// Lines knows the line, in the document's file, of the field that a path of keys and indexes leads to, or of the last of them that is
// there. The document is parsed when that is asked first, and once.
func (d Document) Lines() func(path ...any) int {
	parsed := sync.OnceValue(func() *yamlv3.Node {
		var document yamlv3.Node
		if yamlv3.Unmarshal([]byte(d.Text), &document) != nil || len(document.Content) == 0 {
			return &yamlv3.Node{Line: 1}
		}
		return document.Content[0]
	})
	return func(path ...any) int {
		n := parsed()
		line := n.Line
		for _, step := range path {
			child, at := childOf(n, step)
			if child == nil {
				break
			}
			n, line = child, at
		}
		return d.Line + line - 1
	}
}

// childOf returns a value in a map or a list, and the line in which it, or its key, begins.
func childOf(n *yamlv3.Node, step any) (*yamlv3.Node, int) {
	if n.Kind == yamlv3.AliasNode {
		n = n.Alias
	}
	if index, ok := step.(int); ok && n.Kind == yamlv3.SequenceNode && index < len(n.Content) {
		return n.Content[index], n.Content[index].Line
	}
	for i := 0; i+1 < len(n.Content) && n.Kind == yamlv3.MappingNode; i += 2 {
		if n.Content[i].Value == fmt.Sprint(step) {
			return n.Content[i+1], n.Content[i].Line
		}
	}
	return nil, 0
}
