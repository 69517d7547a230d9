package main

import (
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
)

// signs are what a line of a diff begins with.
var signs = map[udiff.OpKind]string{udiff.Delete: "-", udiff.Insert: "+", udiff.Equal: " "}

// diff compares two texts. Each line of the result begins with its sign; lines without a change near them are left out,
// and three dots stand for those between two changes. No difference gives no lines.
func diff(before, after string) ([]string, error) {
	unified, err := udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), udiff.DefaultContextLines)
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, hunk := range unified.Hunks {
		if i > 0 {
			lines = append(lines, "  ...")
		}
		settle(hunk.Lines)
		for _, line := range hunk.Lines {
			lines = append(lines, signs[line.Kind]+strings.TrimSuffix(line.Content, "\n"))
		}
	}
	return lines, nil
}

// settle moves each insertion down where the text allows it both ways: between "- a, b" and "- c, b" a diff may call
// "b, - c" inserted, where a person means "- c, b".
func settle(lines []udiff.Line) {
	for start := 0; start < len(lines); start++ {
		end := start
		for end < len(lines) && lines[end].Kind == udiff.Insert {
			end++
		}
		if end == start {
			continue
		}
		for end < len(lines) && lines[end].Kind == udiff.Equal && lines[end].Content == lines[start].Content {
			lines[start].Kind, lines[end].Kind = udiff.Equal, udiff.Insert
			start++
			end++
		}
		start = end
	}
}
