//go:build linux

package agent

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Journal writes a line for each change: where the kubelet discards what a probe says, as it does with HTTP, this is
// where it can be read.
type Journal struct {
	out   io.Writer
	known map[string]Problem   // by share
	since map[string]time.Time // when it began
}

// NewJournal returns a journal in which all shares are healthy.
func NewJournal(out io.Writer) *Journal {
	return &Journal{out: out, known: map[string]Problem{}, since: map[string]time.Time{}}
}

// Note compares the problems with those of the last call, and writes what began, changed and ended. Nobody can be told
// of an error in writing.
func (j *Journal) Note(problems []Problem) {
	current := map[string]Problem{}
	for _, p := range problems {
		current[p.Share] = p
		known, wasBad := j.known[p.Share]
		if !wasBad {
			j.since[p.Share] = time.Now().Add(-p.For)
		}
		if withoutNumbers(known.What) != withoutNumbers(p.What) {
			_, _ = fmt.Fprintln(j.out, p)
		}
	}
	for _, share := range slices.Sorted(maps.Keys(j.known)) {
		if _, isBad := current[share]; !isBad {
			_, _ = fmt.Fprintf(j.out, "share %s: ready again after %s\n", share, time.Since(j.since[share]).Truncate(time.Second))
		}
	}
	j.known = current
}

// withoutNumbers is what a problem is about: how full a share is changes with every file.
func withoutNumbers(what string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || unicode.IsDigit(r) {
			return -1
		}
		return r
	}, what)
}
