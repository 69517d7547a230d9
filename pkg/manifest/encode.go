package manifest

import (
	"bytes"
	"encoding/json"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// layout is how a document is written.
type layout struct {
	// step is how many columns further in each level begins.
	step int
	// compact says that the items of a list begin in the column of its key.
	compact bool
}

// layoutOf looks at the first map in a map, and at the first list in one.
func layoutOf(root *yamlv3.Node) layout {
	l := layout{step: 2, compact: true}
	var steps, lists bool
	var look func(n *yamlv3.Node)
	look = func(n *yamlv3.Node) {
		for i, child := range n.Content {
			if n.Kind == yamlv3.MappingNode && i%2 == 1 && isBlock(child) {
				key := n.Content[i-1]
				switch {
				case child.Kind == yamlv3.MappingNode && !steps:
					l.step, steps = min(child.Column-key.Column, 8), true
				case child.Kind == yamlv3.SequenceNode && !lists:
					l.compact, lists = child.Column == key.Column, true
				}
			}
			look(child)
		}
	}
	look(root)
	return l
}

// isBlock says whether a node is a map or a list with a line for each entry.
func isBlock(n *yamlv3.Node) bool {
	return (n.Kind == yamlv3.MappingNode || n.Kind == yamlv3.SequenceNode) && n.Style&yamlv3.FlowStyle == 0 && len(n.Content) > 0
}

// encode writes a value as lines of YAML, each behind so many spaces.
func (l layout) encode(value any, indent int) (string, error) {
	n, err := node(value, 0)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	encoder := yamlv3.NewEncoder(&text)
	encoder.SetIndent(l.step)
	if l.compact {
		encoder.SetIndent(2) // with more the library would not put items below their key
		encoder.CompactSeqIndent()
	}
	if err := encoder.Encode(n); err != nil {
		return "", err
	}
	var lines strings.Builder
	for line := range strings.Lines(text.String()) {
		if strings.TrimSpace(line) != "" {
			lines.WriteString(strings.Repeat(" ", indent))
		}
		lines.WriteString(line)
	}
	return lines.String(), nil
}

// flow writes a value within a line. Strings of several lines have their ends escaped.
func flow(value any) (string, error) {
	n, err := node(value, yamlv3.FlowStyle)
	if err != nil {
		return "", err
	}
	text, err := yamlv3.Marshal(n)
	return strings.TrimSuffix(string(text), "\n"), err
}

// node is a value as the library writes it, in a style for its maps and lists.
func node(value any, style yamlv3.Style) (*yamlv3.Node, error) {
	text, err := json.Marshal(value) // which sorts the keys
	if err != nil {
		return nil, err
	}
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(text, &document); err != nil { // JSON is YAML
		return nil, err
	}
	root := document.Content[0]
	restyle(root, style)
	return root, nil
}

func restyle(n *yamlv3.Node, style yamlv3.Style) {
	switch {
	case n.Kind == yamlv3.ScalarNode && n.Tag == "!!str":
		n.Style = quoting(n.Value, style)
	case n.Kind == yamlv3.ScalarNode:
		n.Style = 0
	case len(n.Content) > 0:
		n.Style = style
	}
	for _, child := range n.Content {
		restyle(child, style)
	}
}

// quoting is the style in which every reader of YAML takes a text for a text: in version 1.1, which kubectl reads, yes is true.
func quoting(text string, style yamlv3.Style) yamlv3.Style {
	plain, err := yaml.Marshal(text)
	switch {
	case strings.Contains(text, "\n") && style == 0:
		return yamlv3.LiteralStyle
	case strings.Contains(text, "\n"):
		return yamlv3.DoubleQuotedStyle
	case err == nil && string(plain) == text+"\n":
		return 0
	case strings.ContainsAny(text, `"\`) && !strings.Contains(text, "'"):
		return yamlv3.SingleQuotedStyle
	default:
		return yamlv3.DoubleQuotedStyle
	}
}
