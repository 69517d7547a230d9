package plugin

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// level says how bad a finding is.
type level string

// The levels are named as in doctor's JSON.
const (
	fine    level = "ok"
	doubt   level = "warning"
	trouble level = "error"
)

// finding is one thing that explain or doctor found out.
type finding struct {
	// Level is the worst for what keeps a share from working.
	Level level `json:"level"`
	// Message is one sentence without a full stop.
	Message string `json:"message"`
	// Remedy is how to mend it, a command or a sentence in each line. None: there is nothing to mend.
	Remedy []string `json:"remedy,omitempty"`
}

func ok(format string, args ...any) finding {
	return finding{Level: fine, Message: fmt.Sprintf(format, args...)}
}

func warn(format string, args ...any) finding {
	return finding{Level: doubt, Message: fmt.Sprintf(format, args...)}
}

func broken(format string, args ...any) finding {
	return finding{Level: trouble, Message: fmt.Sprintf(format, args...)}
}

// mend adds a line of how to mend it.
func (f finding) mend(format string, args ...any) finding {
	f.Remedy = append(f.Remedy[:len(f.Remedy):len(f.Remedy)], fmt.Sprintf(format, args...))
	return f
}

// count is how many findings are of a level.
func count(findings []finding, l level) int {
	n := 0
	for _, f := range findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// failed is the error of a command that found something broken, which it has printed; nil where nothing is.
func failed(findings []finding, what string) error {
	switch n := count(findings, trouble); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 %s, see above", what)
	default:
		return fmt.Errorf("%d %ss, see above", n, what)
	}
}

// The colours of a terminal (ECMA-48).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// marks stand before findings, so that they can be told apart without colours.
var marks = map[level]struct{ mark, colour string }{fine: {"✓", green}, doubt: {"!", yellow}, trouble: {"✗", red}}

// printFindings writes findings, a line each and their remedies below.
func printFindings(out io.Writer, findings []finding) error {
	var text strings.Builder
	for _, f := range findings {
		mark := marks[f.Level].mark
		if isTerminal(out) {
			mark = "\x1b[" + marks[f.Level].colour + "m" + mark + "\x1b[0m"
		}
		fmt.Fprintf(&text, "%s %s\n", mark, printable(oneLine(f.Message)))
		for _, line := range f.Remedy {
			fmt.Fprintf(&text, "    %s\n", printable(line))
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// isTerminal reports whether colours are for a person's eyes. It heeds NO_COLOR (no-color.org).
func isTerminal(out io.Writer) bool {
	file, isFile := out.(*os.File)
	if !isFile || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
