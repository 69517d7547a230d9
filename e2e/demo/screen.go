package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// The colours of a terminal (ECMA-48).
const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
)

// column is where durations begin, in characters.
const column = 88

// screen prints what a person reads. On a terminal it has colours, and the step that is going on is shown.
type screen struct {
	out      *os.File
	terminal bool
	colours  bool
}

// newScreen heeds NO_COLOR (no-color.org).
func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &screen{out: out, terminal: terminal, colours: terminal && os.Getenv("NO_COLOR") == ""}
}

func (s *screen) paint(colour, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// say prints text as it is, and a newline.
func (s *screen) say(format string, arguments ...any) { fmt.Fprintf(s.out, format+"\n", arguments...) }

// title begins a part.
func (s *screen) title(format string, arguments ...any) {
	s.say("\n%s\n", s.paint(bold, fmt.Sprintf(format, arguments...)))
}

// step does something and prints what, and how long it took.
func (s *screen) step(what string, do func() error) error {
	if s.terminal {
		fmt.Fprintf(s.out, "  · %s", what)
	}
	begun := time.Now()
	err := do()
	mark := s.paint(green, "✓")
	if err != nil {
		mark = s.paint(red, "✗")
	}
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	s.say("  %s %-*s %s", mark, column, what, s.paint(faint, seconds(time.Since(begun))))
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%5.1f s", d.Seconds()) }

// diff prints the lines of a diff, indented.
func (s *screen) diff(lines []string) {
	for _, line := range lines {
		colour := faint
		switch line[0] {
		case '+':
			colour = green
		case '-':
			colour = red
		}
		s.say("    %s", s.paint(colour, line))
	}
}

// quote prints running text of somebody else's, wrapped and indented.
func (s *screen) quote(text string) {
	for paragraph := range strings.Lines(text) {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && len(line)+len(word) >= column {
				s.say("    %s", line)
				line = ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		s.say("    %s", line)
	}
}
