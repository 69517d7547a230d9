package plugin

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
	for line := range strings.Lines(aligned.String()) { // empty cells at a line's end are no spaces
		if _, err := io.WriteString(to, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}
