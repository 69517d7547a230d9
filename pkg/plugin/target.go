package plugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	generated "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/workload"
)

// target is an object in a document: a pod, something with a pod template, or anything else.
type target struct {
	kind, name, namespace string

	raw      []byte             // the object, as JSON
	path     []any              // to it, in its document
	workload *workload.Workload // nil: it is a pod, or none of both
	pod      *inject.Pod        // nil: it makes no pods that podshare knows of
	stray    []stray            // annotations of podshare's, where pod is nil
}

func (t *target) String() string { return t.kind + " " + t.name }

// stray is an annotation in an object whose pods, if it makes any, podshare does not know.
type stray struct {
	key  string
	path []any // to it, in the object
}

// strays finds them: the object's own, and those further in, as in the template of some operator's kind.
func strays(value any, path []any) []stray {
	var found []stray
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			here := append(slices.Clone(path), key)
			if len(path) > 0 && path[len(path)-1] == "annotations" && strings.HasPrefix(key, api.Prefix) {
				found = append(found, stray{key, here})
			}
			found = append(found, strays(value[key], here)...)
		}
	case []any:
		for n, item := range value {
			found = append(found, strays(item, append(slices.Clone(path), n))...)
		}
	}
	return found
}

// warning tells what becomes of it.
func (s stray) warning(kind string) string {
	if s.path[0] == "metadata" {
		return fmt.Sprintf("podshare: %s does nothing on a %s: it belongs to a pod, or to the pod template of a %s",
			s.key, kind, strings.Join(workload.Kinds(), ", "))
	}
	return fmt.Sprintf("podshare: %s is left as it is: pods that a %s makes with it are injected when they are created", s.key, kind)
}

// object is what is read of an object to know what it is.
type object struct {
	APIVersion string
	Kind       string
	Metadata   struct {
		Name, GenerateName, Namespace string
	}
	Items []json.RawMessage
}

// targetsIn finds the objects of a document, those of a List among them. raw may be nil.
func targetsIn(raw []byte) ([]*target, error) {
	if raw == nil {
		return nil, nil
	}
	return appendTargets(nil, raw, nil)
}

func appendTargets(targets []*target, raw []byte, path []any) ([]*target, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("this is no object of Kubernetes, which is a map with apiVersion, kind and metadata: %.64q", raw)
	}
	if strings.HasSuffix(o.Kind, "List") && o.Items != nil {
		var err error
		for n, item := range o.Items {
			if targets, err = appendTargets(targets, item, append(slices.Clone(path), "items", n)); err != nil {
				return nil, err
			}
		}
		return targets, nil
	}
	t := &target{kind: o.Kind, name: o.Metadata.Name, namespace: o.Metadata.Namespace, raw: raw, path: path}
	if t.name == "" {
		t.name = o.Metadata.GenerateName
	}
	err := t.read(raw, &o)
	return append(targets, t), err
}

func (t *target) read(raw []byte, o *object) (err error) {
	switch {
	case o.APIVersion == "v1" && o.Kind == "Pod":
		t.pod, err = inject.Parse(raw)
	case workload.Knows(o.APIVersion, o.Kind):
		if t.workload, err = workload.Parse(raw); err == nil {
			t.pod = t.workload.Pod
		}
	default:
		var content any
		if err = json.Unmarshal(raw, &content); err == nil {
			t.stray = strays(content, nil)
		}
	}
	return err
}

// template is the path from the object to its pod. Empty: it is a pod itself.
func (t *target) template() string {
	if t.workload == nil {
		return ""
	}
	return t.workload.Path
}

// under is the path, in the document, of a field of the object.
func (t *target) under(path ...any) []any { return append(slices.Clone(t.path), path...) }

// podPath leads to the pod in the document.
func (t *target) podPath() []any {
	path := t.under()
	for step := range strings.FieldsFuncSeq(t.template(), func(r rune) bool { return r == '.' }) {
		path = append(path, step)
	}
	return path
}

// steps are the path to the field that a mistake names: spec.containers[1].name, or metadata.annotations[podshare.dev/consume]. Of a key that is
// none of podshare's the mistake has the name as its value.
func steps(m *field.Error) []any {
	var path []any
	rest := m.Field
	for rest != "" {
		if inner, ok := strings.CutPrefix(rest, "["); ok {
			var step string
			step, rest, _ = strings.Cut(inner, "]")
			rest = strings.TrimPrefix(rest, ".")
			if index, err := strconv.Atoi(step); err == nil {
				path = append(path, index)
			} else {
				path = append(path, step)
			}
			continue
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		path = append(path, rest[:end])
		rest = strings.TrimPrefix(rest[end:], ".")
	}
	if key, ok := m.BadValue.(string); ok && strings.HasSuffix(m.Field, "metadata.annotations") {
		path = append(path, key)
	}
	return path
}

// inDocument are the changes of the object's pod as changes of the document.
func (t *target) inDocument(patch []generated.Operation) []generated.Operation {
	var prefix strings.Builder
	for _, step := range t.podPath() {
		fmt.Fprintf(&prefix, "/%v", step)
	}
	moved := slices.Clone(patch)
	for n := range moved {
		moved[n].Path = prefix.String() + moved[n].Path
	}
	return moved
}

// patched makes changes.
func patched(object []byte, changes []generated.Operation) ([]byte, error) {
	text, err := json.Marshal(changes)
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return nil, err
	}
	return operations.Apply(object)
}
