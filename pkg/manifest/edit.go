package manifest

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// errUnusual is a change for which there is no place in the text.
var errUnusual = errors.New("the document's text cannot be changed in place")

// editor collects what changes in the lines of a document.
type editor struct {
	layout
	lines   []string
	changes []change
}

// change puts a text in the place of lines, from the one up to the other, which stays. Lines are counted from 0.
type change struct {
	from, to int
	text     string
}

// place is where a value is.
type place struct {
	key *yamlv3.Node // of the map that the value is in; nil in a list
	end int          // the first line that cannot be the value's
}

// otherBreaks end a line in YAML, and in no editor.
const otherBreaks = "\r\u0085\u2028\u2029"

func edited(text string, document *yamlv3.Node, have, want []byte) (string, error) {
	was, err := decode(have)
	if err != nil {
		return "", err
	}
	is, err := decode(want)
	if err != nil {
		return "", err
	}
	if len(document.Content) != 1 || strings.ContainsAny(strings.ReplaceAll(text, "\r\n", "\n"), otherBreaks) {
		return "", errUnusual
	}
	root := document.Content[0]
	e := &editor{layout: layoutOf(root), lines: slices.Collect(strings.Lines(text))}
	end := slices.IndexFunc(e.lines, func(line string) bool { return isMarker(line, "...") })
	if end < 0 {
		end = len(e.lines)
	}
	if err := e.value(root, was, is, place{end: end}); err != nil {
		return "", err
	}
	return e.apply(), nil
}

// apply makes the changes. Of those in one place the inner ones come first, since they were found first.
func (e *editor) apply() string {
	slices.SortStableFunc(e.changes, func(a, b change) int { return a.from - b.from })
	newline := "\n"
	if strings.HasSuffix(e.lines[0], "\r\n") {
		newline = "\r\n"
	}
	var out strings.Builder
	write := func(text string) {
		if out.Len() > 0 && !strings.HasSuffix(out.String(), "\n") { // the last line had no end
			out.WriteString(newline)
		}
		out.WriteString(text)
	}
	next := 0
	for _, c := range e.changes {
		for _, line := range e.lines[next:c.from] {
			write(line)
		}
		write(strings.ReplaceAll(c.text, "\n", newline))
		next = max(next, c.to)
	}
	for _, line := range e.lines[next:] {
		write(line)
	}
	return out.String()
}

// value changes the text of a value.
func (e *editor) value(n *yamlv3.Node, have, want any, at place) error {
	if reflect.DeepEqual(have, want) {
		return nil
	}
	if isBlock(n) {
		switch wanted := want.(type) {
		case map[string]any:
			if was, ok := have.(map[string]any); ok && n.Kind == yamlv3.MappingNode {
				return e.mapping(n, was, wanted, at)
			}
		case []any:
			if was, ok := have.([]any); ok && n.Kind == yamlv3.SequenceNode {
				return e.sequence(n, was, wanted, at)
			}
		}
		return errUnusual
	}
	return e.replace(n, want, at)
}

func (e *editor) mapping(n *yamlv3.Node, have, want map[string]any, at place) error {
	added := maps.Clone(want)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			continue
		}
		wanted, there := want[key.Value]
		if !there {
			return errUnusual
		}
		delete(added, key.Value)
		end := at.end
		if i+2 < len(n.Content) {
			end = n.Content[i+2].Line - 1
		}
		if err := e.value(value, have[key.Value], wanted, place{key, end}); err != nil {
			return err
		}
	}
	maps.DeleteFunc(added, func(key string, value any) bool { return reflect.DeepEqual(have[key], value) }) // by a merge
	if len(added) == 0 {
		return nil
	}
	column := n.Content[0].Column
	return e.insert(e.endOf(column, at.end), added, column-1)
}

func (e *editor) sequence(n *yamlv3.Node, have, want []any, at place) error {
	dashes := make([]int, len(n.Content)) // the line of each
	for i, item := range n.Content {
		if dashes[i] = e.dashOf(item, n.Column); dashes[i] < 0 {
			return errUnusual
		}
	}
	// A comment below the last item belongs to the list only where it cannot be the next key's.
	column := n.Column
	if at.key != nil && at.key.Column == column {
		column++
	}
	end := func(i int) int {
		if i+1 < len(n.Content) {
			return dashes[i+1]
		}
		return at.end
	}
	next := 0 // of have
	for j, item := range want {
		found := match(have[next:], item)
		if found < 0 && len(have)-next == len(want)-j { // as many as are wanted: it has changed
			found = 0
		}
		var err error
		switch {
		case found == 0:
			err = e.value(n.Content[next], have[next], item, place{end: end(next)})
			next++
		case found > 0:
			err = errUnusual
		case next == 0:
			err = e.insert(dashes[0], []any{item}, n.Column-1)
		default:
			err = e.insert(e.endOf(column, end(next-1)), []any{item}, n.Column-1)
		}
		if err != nil {
			return err
		}
	}
	if next < len(have) {
		return errUnusual
	}
	return nil
}

// match finds an item in a list: the one of the same name, else an equal one.
func match(list []any, item any) int {
	name := nameOf(item)
	return slices.IndexFunc(list, func(other any) bool {
		if name != "" {
			return nameOf(other) == name && mountOf(other) == mountOf(item)
		}
		return reflect.DeepEqual(other, item)
	})
}

func nameOf(item any) string { return field(item, "name") }

// mountOf tells apart the mounts of one volume.
func mountOf(item any) string { return field(item, "mountPath") }

func field(item any, name string) string {
	object, _ := item.(map[string]any)
	text, _ := object[name].(string)
	return text
}

// insert writes a map's entries, or a list's items, before a line.
func (e *editor) insert(line int, value any, indent int) error {
	text, err := e.encode(value, indent)
	e.changes = append(e.changes, change{line, line, text})
	return err
}

// replace writes a value in place of one that is no block: a scalar, a list or map in brackets, nothing at all, or an alias.
func (e *editor) replace(n *yamlv3.Node, want any, at place) error {
	from, to := n.Line-1, e.endOf(len(e.lines[n.Line-1])+1, at.end)
	if to <= from {
		return errUnusual
	}
	before, found := cutRunes(e.lines[from], n.Column-1)
	if !found {
		return errUnusual
	}
	comment := ""
	if n.LineComment != "" && !strings.Contains(n.LineComment, "\n") {
		comment = " " + n.LineComment
	}
	empty := len(n.Content) == 0 && (n.Kind != yamlv3.ScalarNode || n.Tag == "!!null") && n.Kind != yamlv3.AliasNode
	var text string
	var err error
	switch value := want.(type) {
	case map[string]any, []any:
		if empty && at.key != nil {
			return e.open(n, value, at, change{from: from, to: to}, before, comment)
		}
		text, err = flow(value)
	default:
		text, err = scalar(n, value)
	}
	e.changes = append(e.changes, change{from, to, before + text + comment + "\n"})
	return err
}

// open writes a map or a list below the key that had an empty one.
func (e *editor) open(n *yamlv3.Node, want any, at place, c change, before, comment string) error {
	if at.key.Line != n.Line {
		return errUnusual
	}
	indent := at.key.Column - 1
	if _, list := want.([]any); !list || !e.compact {
		indent += e.step
	}
	block, err := e.encode(want, indent)
	c.text = strings.TrimRight(before, " \t\r\n") + comment + "\n" + block
	e.changes = append(e.changes, c)
	return err
}

// scalar writes a value in the quotes of the one that it replaces.
func scalar(n *yamlv3.Node, want any) (string, error) {
	if text, ok := want.(string); ok && n.Kind == yamlv3.ScalarNode && !strings.Contains(text, "\n") {
		if quotes := n.Style & (yamlv3.DoubleQuotedStyle | yamlv3.SingleQuotedStyle); quotes != 0 {
			quoted, err := yamlv3.Marshal(&yamlv3.Node{Kind: yamlv3.ScalarNode, Tag: "!!str", Value: text, Style: quotes})
			return strings.TrimSuffix(string(quoted), "\n"), err
		}
	}
	return flow(want)
}

// endOf is the line behind a block whose entries begin in a column (from 1) and which ends before another line: blank lines and
// comments further left are not the block's.
func (e *editor) endOf(column, end int) int {
	for end > 0 {
		line := e.lines[end-1]
		content := strings.TrimLeft(line, " ")
		blank := strings.TrimSpace(line) == ""
		comment := strings.HasPrefix(content, "#") && len(line)-len(content) < column-1
		if !blank && !comment {
			break
		}
		end--
	}
	return end
}

// dashOf is the line with an item's dash, which may stand above the item; -1 where there is none.
func (e *editor) dashOf(item *yamlv3.Node, column int) int {
	for line := item.Line - 1; line >= 0; line-- {
		if _, rest, found := cutAt(e.lines[line], column-1); found && strings.HasPrefix(rest, "-") {
			return line
		}
	}
	return -1
}

// cutRunes returns what stands before a column, counted from 0 in characters.
func cutRunes(line string, column int) (string, bool) {
	before, _, found := cutAt(line, column)
	return before, found
}

func cutAt(line string, column int) (before, rest string, found bool) {
	for i := range line {
		if column == 0 {
			return line[:i], line[i:], true
		}
		column--
	}
	return line, "", column == 0
}
