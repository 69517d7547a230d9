package plugin

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/manifest"
	"github.com/podshare/podshare/pkg/program"
)

// sources are the flags of commands that read files, and judge them by the platform's configuration.
type sources struct {
	names     []string
	recursive bool
	config    string
}

func (s *sources) addTo(command *cobra.Command) {
	flags := command.Flags()
	flags.StringSliceVarP(&s.names, "filename", "f", nil, "file, folder or URL to read; - is standard input")
	flags.BoolVarP(&s.recursive, "recursive", "R", false, "read the folders below a folder too")
	flags.StringVar(&s.config, "config", "", "file with the platform's configuration, for -f (default: that of a new installation)")
}

func (s *sources) read(ctx context.Context, stdin io.Reader) ([]manifest.File, error) {
	return manifest.Read(ctx, s.names, s.recursive, stdin)
}

// platform is the configuration. The error is a program.UsageError.
func (s *sources) platform() (*config.Config, error) {
	read, err := config.Load(s.config)
	if err != nil {
		return nil, program.UsageError{Mistake: err}
	}
	return read, nil
}

// document is a part of a file, with what is in it.
type document struct {
	manifest.Document
	file    string
	lineOf  func(path ...any) int
	object  []byte // as JSON; nil: there is nothing but comments
	targets []*target
}

func readDocument(file string, text manifest.Document) (*document, error) {
	d := &document{Document: text, file: file, lineOf: text.Lines()}
	var err error
	if d.object, err = text.JSON(); err != nil {
		return nil, notYAML(text, err)
	}
	if d.targets, err = targetsIn(d.object); err != nil {
		return nil, fmt.Errorf("line %d: %w", text.Line, err)
	}
	return d, nil
}

// at says where a field is, such as "app.yaml:12".
func (d *document) at(path []any) string { return fmt.Sprintf("%s:%d", d.file, d.lineOf(path...)) }

// notYAML tells of what cannot be read.
func notYAML(d manifest.Document, err error) error {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	hint := ""
	if strings.Contains(d.Text, "{{") {
		hint = "; a template has to be rendered first, such as by: helm template NAME CHART | kubectl podshare inject -f -"
	}
	return fmt.Errorf("the document that begins at line %d is neither YAML nor JSON: %s%s", d.Line, text, hint)
}
