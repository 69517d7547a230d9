// Package screen prints what a person reads while something goes on: steps with their durations, in colour on a terminal.
package screen

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// The colours of a terminal (ECMA-48).
const (
	Bold  = "1"
	Faint = "2"
	Red   = "31"
	Green = "32"
)

// column is where durations begin, in characters.
const column = 88

// Screen prints what a person reads. On a terminal it has colours, and the step that is going on is shown.
type Screen struct {
	out      *os.File
	terminal bool
	colours  bool
}

// New heeds NO_COLOR (no-color.org).
func New(out *os.File) *Screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &Screen{out: out, terminal: terminal, colours: terminal && os.Getenv("NO_COLOR") == ""}
}

// Paint colours a text, where there are colours.
func (s *Screen) Paint(colour, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// Say prints text as it is, and a newline.
func (s *Screen) Say(format string, arguments ...any) { fmt.Fprintf(s.out, format+"\n", arguments...) }

// Title begins a part.
func (s *Screen) Title(format string, arguments ...any) {
	s.Say("\n%s\n", s.Paint(Bold, fmt.Sprintf(format, arguments...)))
}

// Step does something and prints what, and how long it took.
func (s *Screen) Step(what string, do func() error) error {
	if s.terminal {
		fmt.Fprintf(s.out, "  · %s", what)
	}
	begun := time.Now()
	err := do()
	mark := s.Paint(Green, "✓")
	if err != nil {
		mark = s.Paint(Red, "✗")
	}
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	s.Say("  %s %-*s %s", mark, column, what, s.Paint(Faint, seconds(time.Since(begun))))
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%5.1f s", d.Seconds()) }

// Diff prints the lines of a diff, indented.
func (s *Screen) Diff(lines []string) {
	for _, line := range lines {
		colour := Faint
		switch line[0] {
		case '+':
			colour = Green
		case '-':
			colour = Red
		}
		s.Say("    %s", s.Paint(colour, line))
	}
}

// Quote prints running text of somebody else's, wrapped and indented.
func (s *Screen) Quote(text string) {
	for paragraph := range strings.Lines(text) {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && len(line)+len(word) >= column {
				s.Say("    %s", line)
				line = ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		s.Say("    %s", line)
	}
}
