package plugin

import (
	"context"
	"fmt"
	"io"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/manifest"
	"github.com/podshare/podshare/pkg/program"
)

const aboutInject = `Print what podshare's webhook would make of pods and workloads, without a cluster.

All else in a file stays as it is written: other objects, comments, order. Nothing is printed when there is a mistake: all mistakes are told,
each with its file and line, and the exit code is 1. Warnings go to standard error.

The result can be applied as it is, in a cluster with podshare or without it; what the webhook finds there already it leaves alone. Without
podshare nobody makes the claims.`

const injectExamples = `  # What would become of a file
  kubectl podshare inject -f app.yaml

  # Only what podshare adds
  kubectl podshare inject -f app.yaml --diff

  # Look for mistakes in what Helm makes, in CI
  helm template web ./chart | kubectl podshare inject -f - > /dev/null

  # With the platform's configuration
  kubectl podshare inject -f manifests/ -R --config podshare-config.yaml`

// injecting is a run of inject.
type injecting struct {
	*options
	filenames  []string
	recursive  bool
	diff       bool
	configFile string

	config   *config.Config
	fallback string // the namespace of objects that say none
	mistakes int
}

func newInject(o *options) *cobra.Command {
	i := &injecting{options: o}
	command := &cobra.Command{
		Use:     "inject -f FILE",
		Short:   "Print what the webhook would make of files",
		Long:    aboutInject,
		Example: injectExamples,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return i.run(cmd.Context()) },
	}
	flags := command.Flags()
	flags.StringSliceVarP(&i.filenames, "filename", "f", nil, "file, folder or URL to read; - is standard input")
	flags.BoolVarP(&i.recursive, "recursive", "R", false, "read the folders below a folder too")
	flags.BoolVar(&i.diff, "diff", false, "print only the difference")
	flags.StringVar(&i.configFile, "config", "", "file with the platform's configuration (default: that of a new installation)")
	return command
}

func (i *injecting) run(ctx context.Context) error {
	if len(i.filenames) == 0 {
		return program.UsageError{Mistake: fmt.Errorf("nothing to read: say -f FILE, or -f - for standard input")}
	}
	var err error
	if i.config, err = config.Load(i.configFile); err != nil {
		return program.UsageError{Mistake: err}
	}
	if i.fallback, err = i.namespace(); err != nil {
		return err
	}
	files, err := manifest.Read(ctx, i.filenames, i.recursive, i.In)
	if err != nil {
		return err
	}
	results := make([]string, len(files))
	for n, file := range files {
		if results[n], err = i.file(file); err != nil {
			return err
		}
	}
	if i.mistakes > 0 {
		return fmt.Errorf("%s, and so nothing is printed", quantity(i.mistakes, "mistake"))
	}
	if i.diff {
		return printDiffs(i.Out, files, results)
	}
	return printFiles(i.Out, results)
}

// file is what becomes of a file's text.
func (i *injecting) file(f manifest.File) (string, error) {
	var text strings.Builder
	for _, document := range f.Documents {
		injected, err := i.document(f.Name, document)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.Name, err)
		}
		text.WriteString(injected)
	}
	return text.String(), nil
}

func (i *injecting) document(name string, d manifest.Document) (string, error) {
	object, err := d.JSON()
	if err != nil {
		return "", notYAML(d, err)
	}
	targets, err := targetsIn(object)
	if err != nil {
		return "", fmt.Errorf("line %d: %w", d.Line, err)
	}
	want, changed := object, false
	for _, t := range targets {
		patch := i.inject(t, func(line int, format string, args ...any) {
			i.tell("%s:%d: %s: %s", name, line, t, fmt.Sprintf(format, args...))
		}, d)
		if len(patch) == 0 {
			continue
		}
		if want, err = t.apply(want, patch); err != nil {
			return "", fmt.Errorf("line %d: %s: %w", d.Line, t, err)
		}
		changed = true
	}
	if !changed {
		return d.Text, nil
	}
	text, kept, err := d.Edit(want)
	if err == nil && !kept {
		i.tell("%s:%d: the document is written anew, without its comments: an anchor in it would mean something else in one place", name, d.Line)
	}
	return text, err
}

// notYAML tells of what cannot be read.
func notYAML(d manifest.Document, err error) error {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	hint := ""
	if strings.Contains(d.Text, "{{") {
		hint = "; a template has to be rendered first, such as by: helm template NAME CHART | kubectl podshare inject -f -"
	}
	return fmt.Errorf("the document that begins at line %d is neither YAML nor JSON: %s%s", d.Line, text, hint)
}

// printFiles prints texts as documents of one stream.
func printFiles(out io.Writer, texts []string) error {
	for n, text := range texts {
		if n > 0 && !strings.HasPrefix(text, "---") {
			text = "---\n" + text
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

// printDiffs prints what is different in each file, in colour on a terminal.
func printDiffs(out io.Writer, files []manifest.File, results []string) error {
	for n, file := range files {
		var before strings.Builder
		for _, document := range file.Documents {
			before.WriteString(document.Text)
		}
		diff, err := unified(file.Name, before.String(), results[n])
		if err != nil {
			return err
		}
		for line := range strings.Lines(diff) {
			if _, err := io.WriteString(out, paintDiff(out, line)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unified compares a file with what becomes of it. Equal texts give nothing.
func unified(name, before, after string) (string, error) {
	diff, err := udiff.ToUnifiedDiff(name, name+" (injected)", before, udiff.Lines(before, after), udiff.DefaultContextLines)
	moved := 0
	for _, hunk := range diff.Hunks { // go-udiff v0.4.1 counts the lines of the second text wrongly behind the first hunk
		hunk.ToLine = hunk.FromLine + moved
		for _, line := range hunk.Lines {
			switch line.Kind {
			case udiff.Insert:
				moved++
			case udiff.Delete:
				moved--
			}
		}
	}
	return diff.String(), err
}
