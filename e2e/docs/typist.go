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

// looks are the commands that a reader types again while something is still going on.
var looks = regexp.MustCompile(`^kubectl (-n \S+ |--namespace \S+ )?(get|describe|logs|events) `)

// Type types the page's commands in their order, and returns its source with what they really printed wherever that is not what it
// shows. The error says which command ended with another status than the page says.
func (t Typist) Type(ctx context.Context, page *Page) (seen []byte, err error) {
	shell, err := newSession(ctx, t.Dir, t.Environment)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shell.end()) }()
	var out bytes.Buffer
	end := 0
	for _, block := range page.Blocks {
		switch {
		case block.Language == "console" && !block.notRun():
			out.Write(page.Source[end:block.Start])
			end = block.End
			if err := t.typeBlock(ctx, shell, block, &out); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", page.Name, block.Line, err)
			}
		case block.file() != "":
			content := []byte(strings.NewReplacer(t.Replace...).Replace(block.Content))
			if err := os.WriteFile(filepath.Join(t.Dir, block.file()), content, 0o600); err != nil {
				return nil, err
			}
		}
	}
	out.Write(page.Source[end:])
	return out.Bytes(), nil
}

// typeBlock types the commands of a block, and writes the block with what they print.
func (t Typist) typeBlock(ctx context.Context, shell *session, block Block, out *bytes.Buffer) error {
	entries := block.entries()
	for n, entry := range entries {
		here := strings.NewReplacer(t.Replace...)
		var printed string
		var status int
		look := func(context.Context) (err error) {
			printed, status, err = shell.run(here.Replace(entry.command))
			if err == nil && !matches(here.Replace(entry.shown), printed) {
				err = errDiffers
			}
			return err
		}
		limit := time.Duration(0)
		if looks.MatchString(entry.command) {
			limit = t.Limit
		}
		err := retry.Within(ctx, limit, 200*time.Millisecond, look)
		if err != nil && !errors.Is(err, errDiffers) {
			return fmt.Errorf("%s: %w", entry.command, err)
		}
		if fails := block.Info == "fails" && n == len(entries)-1; (status != 0) != fails {
			return fmt.Errorf("%s: ended with status %d:\n%s", entry.command, status, printed)
		}
		if err != nil {
			entry.shown = printed
			if printed != "" && !strings.HasSuffix(printed, "\n") {
				entry.shown += "\n"
			}
		}
		out.WriteString(entry.typed + entry.shown)
	}
	return nil
}

var errDiffers = errors.New("it prints something else")
