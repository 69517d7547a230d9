// Package workload finds the pod template in the kinds of object that have one.
package workload

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/decode"
	"github.com/podshare/podshare/pkg/inject"
)

// Workload is an object that makes pods from a template.
type Workload struct {
	// Kind is its own, such as "Deployment".
	Kind string
	// Name is its own, or what it will begin with when the API server is to make one up.
	Name string
	// Path leads to the template, such as "spec.template".
	Path string
	// Pod is what the template makes.
	Pod *inject.Pod
	// Deleted says that the object is about to go.
	Deleted bool

	outer []metadata // of the objects around the template, the outermost first
}

const (
	templatePath = "spec.template"
	cronJobPath  = "spec.jobTemplate.spec.template"
)

// paths are where the template is, by the workload's apiVersion and kind.
var paths = map[string]map[string]string{
	"apps/v1":  {"Deployment": templatePath, "StatefulSet": templatePath, "DaemonSet": templatePath, "ReplicaSet": templatePath},
	"batch/v1": {"Job": templatePath, "CronJob": cronJobPath},
}

// Kinds are those that Read takes, sorted.
func Kinds() []string {
	var kinds []string
	for _, ofGroup := range paths {
		kinds = slices.AppendSeq(kinds, maps.Keys(ofGroup))
	}
	slices.Sort(kinds)
	return kinds
}

// Knows says whether Read takes objects of a kind.
func Knows(apiVersion, kind string) bool { return paths[apiVersion][kind] != "" }

// Parse reads a workload, given as JSON. The error says why it is none.
func Parse(raw []byte) (w *Workload, err error) {
	notJSON := decode.Bytes(raw, func(r *decode.Reader) { w, err = Read(r) })
	return w, errors.Join(notJSON, err)
}

// Read reads a workload within a document. The error says why it is none.
func Read(r *decode.Reader) (*Workload, error) {
	o := object{template: &inject.Pod{}, jobTemplate: &inject.Pod{}}
	if err := r.Value(o.read); err != nil {
		return nil, fmt.Errorf("the object is no workload: %w", err)
	}
	w := &Workload{
		Kind: o.kind, Name: cmp.Or(o.metadata.name, o.metadata.generateName), Path: paths[o.apiVersion][o.kind],
		Pod: o.template, Deleted: o.metadata.deleted, outer: []metadata{o.metadata},
	}
	switch w.Path {
	case "":
		return nil, fmt.Errorf("the object must be one of %s, of apps/v1 or batch/v1, and not of apiVersion %.64q and kind %.64q",
			strings.Join(Kinds(), ", "), o.apiVersion, o.kind)
	case cronJobPath:
		w.Pod, w.outer = o.jobTemplate, append(w.outer, o.jobMetadata)
	}
	return w, nil
}

// Misplaced are the annotations of ours, sorted, that stand on the workload and not on its template, where they would do something.
func (w *Workload) Misplaced() []string {
	var keys []string
	annotations := w.Pod.Metadata().Annotations
	for _, outer := range w.outer {
		for key := range outer.annotations {
			if _, there := annotations[key]; strings.HasPrefix(key, api.Prefix) && !there && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// Warnings tell of the misplaced annotations.
func (w *Workload) Warnings() []string {
	var warnings []string
	for _, key := range w.Misplaced() {
		warnings = append(warnings, fmt.Sprintf("podshare: %s does nothing on the %s; move it to %s.metadata", key, w.Kind, w.Path))
	}
	return warnings
}
