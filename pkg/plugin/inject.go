package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"
	generated "gomodules.xyz/jsonpatch/v2"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
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
	sources sources
	diff    bool

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
		Args:    program.NoArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return i.run(cmd.Context()) },
	}
	i.sources.addTo(command)
	command.Flags().BoolVar(&i.diff, "diff", false, "print only the difference")
	return command
}

func (i *injecting) run(ctx context.Context) error {
	if len(i.sources.names) == 0 {
		return program.UsageError{Mistake: errors.New("nothing to read: say -f FILE, or -f - for standard input")}
	}
	var err error
	if i.config, err = i.sources.platform(); err != nil {
		return err
	}
	if i.fallback, err = i.namespace(); err != nil {
		return err
	}
	files, err := i.sources.read(ctx, i.In)
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

func (i *injecting) document(file string, text manifest.Document) (string, error) {
	d, err := readDocument(file, text)
	if err != nil {
		return "", err
	}
	var changes []generated.Operation
	for _, t := range d.targets {
		changes = append(changes, t.inDocument(i.inject(d, t))...)
	}
	if len(changes) == 0 {
		return d.Text, nil
	}
	want, err := patched(d.object, changes)
	if err != nil {
		return "", fmt.Errorf("line %d: %w", d.Line, err)
	}
	edited, kept, err := d.Edit(want)
	if err == nil && !kept {
		i.tell("%s:%d: the document is written anew, without its comments: an anchor in it would mean something else in one place", file, d.Line)
	}
	return edited, err
}

// inject is what the webhook would do to an object's pod. It tells of mistakes, which it counts, and of what is to be known.
func (i *injecting) inject(d *document, t *target) []generated.Operation {
	tell := func(where []any, format string, args ...any) {
		i.tell("%s: %s: %s", d.at(where), t, fmt.Sprintf(format, args...))
	}
	for _, s := range t.stray {
		tell(t.under(s.path...), "warning: %s", s.warning(t.kind))
	}
	if t.pod == nil {
		return nil
	}
	if t.workload != nil {
		for _, warning := range t.workload.Warnings() {
			tell(t.under("metadata", "annotations"), "warning: %s", warning)
		}
	}
	namespace := cmp.Or(t.namespace, i.fallback)
	result, err := t.pod.Inject(namespace, i.config)
	if refusal, ok := errors.AsType[*inject.RefusedError](err); ok {
		for _, m := range refusal.In(t.template()) {
			i.mistakes++
			tell(t.under(steps(m)...), "%v", m)
		}
		return nil
	}
	annotations := append(t.podPath(), "metadata", "annotations")
	if err != nil {
		i.mistakes++
		tell(annotations, "%v", err)
		return nil
	}
	if len(result.Patch) > 0 && slices.Contains(systemNamespaces, namespace) {
		tell(annotations, "warning: podshare: nothing is added in the namespace %s, which podshare never looks at", namespace)
		return nil
	}
	for _, warning := range result.Warnings {
		tell(annotations, "warning: %s", warning)
	}
	return result.Patch
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
