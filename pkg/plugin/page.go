package plugin

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// page is text whose cells end with tabs, in which they are aligned as kubectl describe does: those of a table by themselves.
type page struct{ lines []pageLine }

type pageLine struct {
	text string
	row  bool
}

func (p *page) line(format string, args ...any) {
	p.lines = append(p.lines, pageLine{text: fmt.Sprintf(format, args...)})
}

// field is a line of a name and what it is.
func (p *page) field(name, format string, args ...any) {
	p.line("%s:\t%s", name, fmt.Sprintf(format, args...))
}

// row is a line of a table, indented.
func (p *page) row(cells ...string) {
	p.lines = append(p.lines, pageLine{"  " + strings.Join(cells, "\t"), true})
}

// head begins a table.
func (p *page) head(names ...string) {
	p.row(names...)
	for i, name := range names {
		names[i] = strings.Repeat("-", len(name))
	}
	p.row(names...)
}

func (p *page) print(to io.Writer) error {
	var aligned strings.Builder
	columns := tabwriter.NewWriter(&aligned, 0, 8, 2, ' ', 0)
	for i, line := range p.lines {
		end := "\n"
		if i+1 < len(p.lines) && p.lines[i+1].row != line.row {
			end = "\f" // ends the columns
		}
		fmt.Fprint(columns, line.text+end) //nolint:errcheck // into memory
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	for line := range strings.Lines(aligned.String()) { // empty cells at a line's end are no spaces
		text.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(to, printable(text.String()))
	return err
}

// printable shows what a terminal would obey, or what would turn a line around, instead of sending it there: much of what is printed is
// other users' text.
func printable(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return out.String()
}

// quantity is a number of things in words, such as "1 pod" and "2 pods".
func quantity(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// oneLine makes a text fit into a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
