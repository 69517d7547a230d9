package plugin

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// The colours of a terminal (ECMA-48).
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paint colours a text on a terminal. It heeds NO_COLOR (no-color.org).
func paint(out io.Writer, colour, text string) string {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// paintDiff colours a line of a unified diff.
func paintDiff(out io.Writer, line string) string {
	colour := ""
	switch {
	case strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ "):
		colour = bold
	case strings.HasPrefix(line, "@@"):
		colour = cyan
	case strings.HasPrefix(line, "+"):
		colour = green
	case strings.HasPrefix(line, "-"):
		colour = red
	default:
		return line
	}
	return paint(out, colour, strings.TrimSuffix(line, "\n")) + "\n"
}
