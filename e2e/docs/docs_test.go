package docs

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.." // the repository's

// typists are the tests that type the commands of a page, and compare what these print.
var typists = map[string]string{
	"docs/getting-started.md": "e2e/suite/docs_test.go",
	"docs/injected-pod.md":    "e2e/suite/kubectl_test.go",
	"docs/kubectl.md":         "e2e/docs/kubectl_test.go",
	"docs/python.md":          "e2e/docs/python_test.go",
	"docs/readiness.md":       "e2e/suite/docs_test.go",
	"docs/security.md":        "e2e/suite/security_test.go",
	"docs/troubleshooting.md": "e2e/suite/docs_test.go",
}

// pages reads all of the repository's.
func pages(t *testing.T) (all []*Page) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if entry.IsDir() && (slices.Contains([]string{"bin", "dist"}, name) || len(name) > 1 && strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if filepath.Ext(name) == ".md" {
			page, err := Read(root, filepath.ToSlash(name))
			require.NoError(t, err)
			all = append(all, page)
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, link := range page.links {
			assert.NoError(t, page.check(root, link))
		}
		for _, html := range page.html {
			assert.False(t, strings.Contains(html, "src=") || strings.Contains(html, "href="),
				"%s: write it as Markdown, so that it is checked: %s", page.Name, html)
		}
	}
}

// TestEveryCommandIsTypedOrSaysWhyNot prints, with -v, which commands no test types.
func TestEveryCommandIsTypedOrSaysWhyNot(t *testing.T) {
	for _, page := range pages(t) {
		for _, block := range page.blocks {
			assert.NoError(t, block.check(root), "%s:%d", page.Name, block.line)
			if block.notRun() {
				t.Logf("%s:%d is %s: %s", page.Name, block.line, block.info, firstLine(block.content))
			}
		}
		typist, typed := typists[page.Name]
		assert.Equal(t, slices.ContainsFunc(page.blocks, block.typed), typed,
			"%s: a page with ```console, and no other, has a test in typists that types it", page.Name)
		if typed {
			source, err := os.ReadFile(filepath.Join(root, typist))
			require.NoError(t, err)
			assert.True(t, bytes.Contains(source, []byte(filepath.Base(page.Name))), "%s does not name %s", typist, page.Name)
		}
	}
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	page := parse("a.md", []byte("# What `await` does, and `why`?\n\n## 1. A_b - c\n\n## Twice\n\n## Twice\n\n## [A link](b.md)\n"))
	for _, anchor := range []string{"what-await-does-and-why", "1-a_b---c", "twice", "twice-1", "a-link"} {
		assert.True(t, page.anchors[anchor], "%s is missing in %v", anchor, page.anchors)
	}
}

func TestLinks(t *testing.T) {
	for what, test := range map[string]struct{ link, says string }{
		"a file":                   {"../README.md", ""},
		"a directory":              {"../manifests/samples", ""},
		"a heading of a file":      {"annotations.md#await", ""},
		"a heading of the page":    {"#here", ""},
		"elsewhere":                {"https://cert-manager.io", ""},
		"a file that is not there": {"no.md", `docs/a.md:3: the link "no.md" leads nowhere: there is no docs/no.md`},
		"a heading that is not there": {
			"annotations.md#no", `docs/a.md:3: the link "annotations.md#no" leads nowhere: docs/annotations.md has no heading #no`},
		"a heading that the page has not": {"#no", `docs/a.md:3: the link "#no" leads nowhere: docs/a.md has no heading #no`},
		"outside of the repository":       {"../../x", `docs/a.md:3: the link "../../x" leads nowhere: ../x is outside of the repository`},
		"absolute":                        {"/README.md", `docs/a.md:3: the link "/README.md" leads nowhere: it must be relative to docs/a.md`},
		"unprotected":                     {"http://a.org", `docs/a.md:3: the link "http://a.org" must begin with https:// and name a host`},
		"another scheme":                  {"ftp://a.org", `docs/a.md:3: the link "ftp://a.org" must begin with https:// and name a host`},
	} {
		t.Run(what, func(t *testing.T) {
			page := parse("docs/a.md", []byte("# Here\n\n[link]("+test.link+")\n"))
			require.Len(t, page.links, 1)
			err := page.check(root, page.links[0])
			if test.says == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.says)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	for what, test := range map[string]struct{ block, says string }{
		"a file":                         {"```yaml a.yaml\na: 1\n```", ""},
		"a console":                      {"```console\n$ true\n```", ""},
		"one whose last command fails":   {"```console fails\n$ false\n```", ""},
		"one that is not run":            {"```console not run: it takes a cloud\n$ true\n```", ""},
		"commands that are run":          {"```sh run by .ci/run\nmake test # all of them\nmake lint\n```", ""},
		"without a language":             {"```\nmake\n```", "a block says what it is: ```console, ```sh, ```yaml, ```text …; it begins with \"make\""},
		"another name for commands":      {"```bash\nmake\n```", "commands are ```console with what they print, or ```sh; this is ```bash"},
		"a console with other words":     {"```console maybe\n$ true\n```", "```console maybe: only \"fails\" or \"not run: REASON\" may follow"},
		"a console without a prompt":     {"```console\ntrue\n```", "```console begins with a command behind \"$ \", and not with \"true\""},
		"commands that nobody speaks of": {"```sh\nmake\n```", "```sh : \"run by PATH\" or \"not run: REASON\" must follow"},
		"commands that are not run":      {"```sh run by .ci/run\nmake coffee\n```", ".ci/run does not run \"make coffee\""},
	} {
		t.Run(what, func(t *testing.T) {
			page := parse("a.md", []byte(test.block+"\n"))
			require.Len(t, page.blocks, 1)
			err := page.blocks[0].check(root)
			if test.says == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.says)
			}
		})
	}
}

func TestATypistTypesWhatThePageSays(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	const same = "```text greeting\nhello WORLD\n```\n\n" +
		"```console\n$ cat greeting\nhello WORLD\n$ cd /\n$ export A=b\n$ pwd; echo $A; echo >&2 c\n/\nb\nc\n" +
		"$ cat <<END\n> more\n> END\nmore\n```\n\n```console fails\n$ true\n$ false\n```\n"
	for what, test := range map[string]struct{ source, seen, says string }{
		"all is as it is shown":         {source: same, seen: same},
		"what may differ":               {source: "```console\n$ printf 'age 3m5s\\nx\\ny\\nz\\n'\nage   12s\n…\nz\n```\n"},
		"what is printed is another":    {source: "```console\n$ echo a\nb\n$ true\n```\n", seen: "```console\n$ echo a\na\n$ true\n```\n"},
		"nothing is shown":              {source: "```console\n$ echo a\n```\n", seen: "```console\n$ echo a\na\n```\n"},
		"a command fails":               {source: "```console\n$ echo a; false\na\n```\n", says: "a.md:2: echo a; false: ended with status 1:\na\n"},
		"a command does not fail":       {source: "```console fails\n$ true\n```\n", says: "a.md:2: true: ended with status 0:\n"},
		"what is not run, is not typed": {source: "```console not run: too dear\n$ false\n```\n"},
	} {
		t.Run(what, func(t *testing.T) {
			seen, err := Typist{Dir: t.TempDir(), Replace: []string{"WORLD", "you"}}.Type(t.Context(), parse("a.md", []byte(test.source)))
			if test.says != "" {
				assert.EqualError(t, err, test.says)
				return
			}
			require.NoError(t, err)
			if test.seen == "" {
				test.seen = test.source
			}
			assert.Equal(t, test.seen, string(seen))
		})
	}
}
