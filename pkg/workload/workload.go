// Package workload finds the pod template in the kinds of object that have one.
package workload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/podshare/podshare/pkg/api"
)

// Workload is an object that makes pods from a template.
type Workload struct {
	// Kind is its own, such as "Deployment".
	Kind string
	// Name is its own, or what it will begin with when the API server is to make one up.
	Name string
	// Path leads to the template, such as "spec.template".
	Path string
	// Annotations are the template's. They become its pods'.
	Annotations map[string]string
	// Pod is the pod that the template stands for, as JSON, without a name.
	Pod []byte
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

// Kinds are those that Parse takes, sorted.
func Kinds() []string {
	var kinds []string
	for _, ofGroup := range paths {
		kinds = slices.AppendSeq(kinds, maps.Keys(ofGroup))
	}
	slices.Sort(kinds)
	return kinds
}

type metadata struct {
	Name              string            `json:"name"`
	GenerateName      string            `json:"generateName"`
	Annotations       map[string]string `json:"annotations"`
	DeletionTimestamp *string           `json:"deletionTimestamp"`
}

type template struct {
	Metadata json.RawMessage `json:"metadata"`
	Spec     json.RawMessage `json:"spec"`
}

// Parse reads a workload, given as JSON. The error says why it is none.
func Parse(raw []byte) (*Workload, error) {
	var object struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   metadata `json:"metadata"`
		Spec       struct {
			Template    template `json:"template"`
			JobTemplate struct {
				Metadata metadata `json:"metadata"`
				Spec     struct {
					Template template `json:"template"`
				} `json:"spec"`
			} `json:"jobTemplate"`
		} `json:"spec"`
	}
	// Case-sensitive, as the API server reads.
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &object); err != nil {
		return nil, fmt.Errorf("the object is no workload: %w", err)
	}
	w := &Workload{
		Kind: object.Kind, Name: cmp.Or(object.Metadata.Name, object.Metadata.GenerateName), Path: paths[object.APIVersion][object.Kind],
		Deleted: object.Metadata.DeletionTimestamp != nil, outer: []metadata{object.Metadata},
	}
	t := object.Spec.Template
	switch w.Path {
	case "":
		return nil, fmt.Errorf("the object must be one of %s, of apps/v1 or batch/v1, and not of apiVersion %.64q and kind %.64q",
			strings.Join(Kinds(), ", "), object.APIVersion, object.Kind)
	case cronJobPath:
		t = object.Spec.JobTemplate.Spec.Template
		w.outer = append(w.outer, object.Spec.JobTemplate.Metadata)
	}
	return w, w.setTemplate(t)
}

func (w *Workload) setTemplate(t template) error {
	pod := struct {
		APIVersion string          `json:"apiVersion"`
		Kind       string          `json:"kind"`
		Metadata   json.RawMessage `json:"metadata,omitempty"`
		Spec       json.RawMessage `json:"spec,omitempty"`
	}{"v1", "Pod", t.Metadata, t.Spec}
	var err error
	if w.Pod, err = json.Marshal(pod); err != nil {
		return fmt.Errorf("%s is no pod template: %w", w.Path, err)
	}
	var inner metadata
	if len(t.Metadata) > 0 {
		if err := kjson.UnmarshalCaseSensitivePreserveInts(t.Metadata, &inner); err != nil {
			return fmt.Errorf("%s.metadata is no pod template's: %w", w.Path, err)
		}
	}
	w.Annotations = inner.Annotations
	return nil
}

// Misplaced are the annotations of ours, sorted, that stand on the workload and not on its template, where they would do something.
func (w *Workload) Misplaced() []string {
	var keys []string
	for _, outer := range w.outer {
		for key := range outer.Annotations {
			if _, there := w.Annotations[key]; strings.HasPrefix(key, api.Prefix) && !there && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}
