package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podshare/podshare/pkg/manifest"
	"github.com/podshare/podshare/pkg/workload"
)

func (o *options) explainFiles(ctx context.Context, s sources) error {
	read, err := s.platform()
	if err != nil {
		return err
	}
	from := "podshare's defaults; --config takes the platform's"
	if s.config != "" {
		from = "the configuration in " + s.config
	}
	namespace, err := o.namespace()
	if err != nil {
		return err
	}
	files, err := s.read(ctx, o.In)
	if err != nil {
		return err
	}
	var explanations []*explanation
	for _, file := range files {
		for _, document := range file.Documents {
			more, err := explainDocument(file.Name, document, settings{read, s.config != "", from}, namespace)
			if err != nil {
				return fmt.Errorf("%s: %w", file.Name, err)
			}
			explanations = append(explanations, more...)
		}
	}
	if len(explanations) == 0 {
		return fmt.Errorf("nothing in %s makes pods that podshare knows of: explain takes Pod, %s",
			strings.Join(s.names, ", "), strings.Join(workload.Kinds(), ", "))
	}
	return o.printExplanations(explanations)
}

// errNotAsked is why nothing is known of how a cluster asks podshare.
var errNotAsked = errors.New("no cluster is asked about files")

// explainDocument explains the objects of a document that make pods, and those that carry annotations of podshare's for nothing.
func explainDocument(file string, text manifest.Document, from settings, namespace string) ([]*explanation, error) {
	d, err := readDocument(file, text)
	if err != nil {
		return nil, err
	}
	var explanations []*explanation
	for _, t := range d.targets {
		if t.namespace == "" {
			t.namespace = namespace
		}
		switch {
		case t.pod != nil:
			c, err := t.toExplain(from, d.at(append(t.podPath(), "metadata", "annotations")))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t, err)
			}
			explanations = append(explanations, c.explain())
		case len(t.stray) > 0:
			e := &explanation{object: fmt.Sprintf("%s %s/%s", t.kind, t.namespace, t.name), verdict: "is left as it is"}
			for _, s := range t.stray {
				e.findings = append(e.findings, warn("%s", strings.TrimPrefix(s.warning(t.kind), "podshare: ")).
					mend("line %d", d.lineOf(t.under(s.path...)...)))
			}
			explanations = append(explanations, e)
		}
	}
	return explanations, nil
}

// toExplain is the case of a pod or a workload in a file. A pod is taken for what makes itself.
func (t *target) toExplain(from settings, at string) (*workloadCase, error) {
	w := t.workload
	if w == nil {
		w = &workload.Workload{Kind: t.kind, Name: t.name, Pod: t.pod}
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(t.raw, &object.Object); err != nil {
		return nil, err
	}
	object.SetNamespace(t.namespace)
	object.SetName(t.name)
	return &workloadCase{Workload: w, object: object, settings: from, gate: gate{err: errNotAsked}, now: time.Now(), file: at}, nil
}
