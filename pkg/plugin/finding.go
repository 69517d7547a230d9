package plugin

import (
	"fmt"
	"io"
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
	if n := count(findings, trouble); n > 0 {
		return fmt.Errorf("%s, see above", quantity(n, what))
	}
	return nil
}

// marks stand before findings, so that they can be told apart without colours.
var marks = map[level]struct{ mark, colour string }{fine: {"✓", green}, doubt: {"!", yellow}, trouble: {"✗", red}}

// printFindings writes findings, a line each and their remedies below.
func printFindings(out io.Writer, findings []finding) error {
	var text strings.Builder
	for _, f := range findings {
		mark := paint(out, marks[f.Level].colour, marks[f.Level].mark)
		fmt.Fprintf(&text, "%s %s\n", mark, printable(oneLine(f.Message)))
		for _, line := range f.Remedy {
			fmt.Fprintf(&text, "    %s\n", printable(line))
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}
