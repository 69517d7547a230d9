package docs

import (
	"regexp"
	"strings"
)

// generated are the letters of names that Kubernetes makes up.
const generated = "[bcdfghjklmnpqrstvwxz2456789]"

// varying is what is another one each time, and what takes its place on both sides.
var varying = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`[ \t]+`), " "}, // columns are as wide as what is in them
	{regexp.MustCompile(`(?m) $`), ""},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ms|[smhd]))+\b`), "12s"},
	{regexp.MustCompile(`-` + generated + `{8,10}-` + generated + `{5}\b`), "-x-x"},
	{regexp.MustCompile(`\bpvc-[0-9a-f-]{36}`), "pvc-x"},
}

func uniform(text string) string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.by)
	}
	return strings.TrimRight(text, "\n")
}

// matches says whether what was printed is what the page shows.
func matches(shown, printed string) bool {
	pattern := regexp.QuoteMeta(uniform(shown) + "\n")
	pattern = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(pattern, `(?:.*\n)*`)
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(uniform(printed) + "\n")
}
