package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"github.com/podshare/podshare/e2e/retry"
)

// Typist does what a page tells its reader to do.
type Typist struct {
	Dir         string   // where files are written and commands are typed
	Environment []string // KEY=value, beside this process's
	// Replace replaces words of the page that mean something else here, such as the name of an image: old, new, old, new.
	Replace []string
	// Limit is how long a command that only looks may be asked again until it prints what the page shows.
	Limit time.Duration
}

// pageLimit bounds how long a page may take: many times what any does.
const pageLimit = 15 * time.Minute

// looks are the commands that a reader types again while something is still going on.
var looks = regexp.MustCompile(`^kubectl (-n \S+ |--namespace \S+ )?(get|describe|logs|events) `)

// Hold does what a page of the repository at root tells its reader to, and returns where the page differs from what it prints. UPDATE=1 in the
// environment writes the page anew: then it does not differ.
func (t Typist) Hold(ctx context.Context, root, name string) (difference string, err error) {
	page, err := Read(root, name)
	if err != nil {
		return "", err
	}
	seen, err := t.Type(ctx, page)
	if err != nil {
		return "", err
	}
	if Updating() {
		return "", os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), seen, 0o600)
	}
	return Difference(page, seen), nil
}

// Updating says that pages are to be written anew.
func Updating() bool { return os.Getenv("UPDATE") == "1" }

// Type types the page's commands in their order, and returns its source with what they really printed wherever that is not what it
// shows. The error says which command ended with another status than the page says.
func (t Typist) Type(ctx context.Context, page *Page) (seen []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageLimit)
	defer cancel()
	shell, err := newSession(ctx, t.Dir, t.Environment)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shell.end()) }()
	var out bytes.Buffer
	end := 0
	for _, b := range page.blocks {
		switch {
		case b.typed():
			out.Write(page.Source[end:b.start])
			end = b.end
			if err := t.typeBlock(ctx, shell, b, &out); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", page.Name, b.line, err)
			}
		case b.file() != "":
			content := []byte(strings.NewReplacer(t.Replace...).Replace(b.content))
			if err := os.WriteFile(filepath.Join(t.Dir, b.file()), content, 0o600); err != nil {
				return nil, err
			}
		}
	}
	out.Write(page.Source[end:])
	return out.Bytes(), nil
}

// typeBlock types the commands of a block, and writes the block with what they print.
func (t Typist) typeBlock(ctx context.Context, shell *session, b block, out *bytes.Buffer) error {
	entries := b.entries()
	for n, entry := range entries {
		printed, status, err := t.typeEntry(ctx, shell, entry)
		if err != nil && !errors.Is(err, errDiffers) {
			return fmt.Errorf("%s: %w", entry.command, err)
		}
		if fails := b.info == "fails" && n == len(entries)-1; (status != 0) != fails {
			return fmt.Errorf("%s: ended with status %d:\n%s", entry.command, status, printed)
		}
		shown := entry.shown
		if err != nil {
			shown = printed
			if shown != "" && !strings.HasSuffix(shown, "\n") {
				shown += "\n"
			}
		}
		out.WriteString(entry.typed + shown)
	}
	return nil
}

// typeEntry types a command, again and again if it only looks. The error is errDiffers when it does not print what the page shows.
func (t Typist) typeEntry(ctx context.Context, shell *session, e entry) (printed string, status int, err error) {
	here := strings.NewReplacer(t.Replace...)
	limit := time.Duration(0)
	if looks.MatchString(e.command) {
		limit = t.Limit
	}
	err = retry.Within(ctx, limit, 200*time.Millisecond, func(context.Context) (err error) {
		if printed, status, err = shell.run(here.Replace(e.command)); err == nil && !matches(here.Replace(e.shown), printed) {
			err = errDiffers
		}
		return err
	})
	return printed, status, err
}

// Difference is that of a page and what was seen, "" when there is none.
func Difference(page *Page, seen []byte) string {
	return udiff.Unified(page.Name, "seen", string(page.Source), string(seen))
}

var errDiffers = errors.New("it prints something else")
