package share

import (
	"strconv"
	"unicode/utf8"
)

// maxQuoted is how much of a user's text a message shows, in characters.
const maxQuoted = 64

// Quote makes a user's text fit for messages, events and logs: in Go's quotes, so that no control or bidirectional
// character survives, and at most 64 characters of it.
func Quote(s string) string { return strconv.Quote(cut(s)) }

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxQuoted {
		return s
	}
	return string([]rune(s)[:maxQuoted-1]) + "…"
}
