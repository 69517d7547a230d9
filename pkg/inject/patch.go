package inject

import (
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
)

// The patch is written operation by operation, and not computed by comparing two pods: whatever our version of the Pod
// type does not know stays out of it.

// set writes one member of an object, whether or not it is there.
func (i *injection) set(path string, value any) {
	i.patch = append(i.patch, jsonpatch.NewOperation("add", path, value))
}

// list is a JSON list of the pod. JSON Patch can only append to one that exists.
type list struct {
	path   string
	exists bool
}

func (i *injection) append(l list, item any) {
	if l.exists || slices.Contains(i.created, l.path) {
		i.set(l.path+"/-", item)
		return
	}
	i.set(l.path, []any{item})
	i.created = append(i.created, l.path)
}

// pointerEscapes are those of a JSON pointer (RFC 6901, section 3).
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// setKey writes one key of a map of strings, which may be absent.
func (i *injection) setKey(path string, m map[string]string, key, value string) {
	if current, ok := m[key]; ok && current == value {
		return
	}
	if m == nil {
		i.set(path, map[string]string{key: value})
		return
	}
	i.set(path+"/"+pointerEscapes.Replace(key), value)
}
