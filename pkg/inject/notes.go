package inject

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/podshare/podshare/pkg/share"
)

// notes are warnings, each once, with the containers that it concerns.
type notes struct {
	texts      []string
	containers map[string][]string
}

func (n *notes) add(text string, containers ...string) {
	if n.containers == nil {
		n.containers = map[string][]string{}
	}
	if _, known := n.containers[text]; !known {
		n.texts = append(n.texts, text)
	}
	for _, name := range containers {
		n.containers[text] = append(n.containers[text], share.Quote(name)) // the API server has not checked names yet
	}
}

const (
	// MaxWarning is the API's advice for the length of a warning, in characters (k8s.io/api/admission/v1).
	MaxWarning = 120
	// MaxWarnings keeps the sum below the 4,096 characters at which the API server begins to drop warnings.
	MaxWarnings = 16
)

func (n *notes) render() []string {
	var warnings []string
	for _, text := range n.texts[:min(len(n.texts), MaxWarnings)] {
		warnings = append(warnings, fit("podshare: "+text, n.containers[text]))
	}
	if more := len(n.texts) - MaxWarnings; more > 0 {
		warnings = append(warnings, fmt.Sprintf("podshare: and %d more warnings", more))
	}
	return warnings
}

// fit puts as many containers behind a text as a warning has room for.
func fit(text string, containers []string) string {
	if len(containers) == 0 {
		return cut(text)
	}
	for shown := min(len(containers), maxNames); shown > 0; shown-- {
		line := text + ": " + strings.Join(containers[:shown], ", ")
		if more := len(containers) - shown; more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		if utf8.RuneCountInString(line) <= MaxWarning {
			return line
		}
	}
	return cut(text + ": " + containers[0])
}

func cut(text string) string {
	if utf8.RuneCountInString(text) <= MaxWarning {
		return text
	}
	return string([]rune(text)[:MaxWarning-1]) + "…"
}
