package share

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// The options: each method reads the value of one annotation into the request.

func (p *parser) containers(key, value string) {
	for _, name := range p.items(key, value, `must name containers of the pod, comma separated, such as "app" or "app,worker"`) {
		switch {
		case len(validation.IsDNS1123Label(name)) > 0:
			p.invalid(key, name, `is no container's name: lower case letters, digits and "-", at most 63 characters, `+
				`in a list without spaces`)
		case slices.Contains(p.request.Containers, name):
			p.invalid(key, name, "is named twice; each container is named once")
		default:
			p.request.Containers = append(p.request.Containers, name)
		}
	}
}

func (p *parser) pythonPath(key, value string) {
	p.request.PythonPath = choice(p, key, value, api.PythonPathModes, p.request.PythonPath)
}

func (p *parser) readiness(key, value string) {
	p.request.Readiness = choice(p, key, value, api.ReadinessModes, p.request.Readiness)
}

func choice[T ~string](p *parser, key, value string, choices []T, otherwise T) T {
	if slices.Contains(choices, T(value)) {
		return T(value)
	}
	p.invalid(key, value, "must be one of %s", quoted(choices))
	return otherwise
}

func (p *parser) imagePythonPath(key, value string) {
	const allowed = `must be what the image sets PYTHONPATH to: absolute paths, colon separated, such as "/app:/app/lib"`
	for _, entry := range strings.Split(value, ":") {
		// An image may write a slash at the end; the value is passed on as it is.
		if err := config.CheckAbsolutePath(strings.TrimSuffix(entry, "/")); err != nil {
			p.invalid(key, value, "%s; the entry %s is not", allowed, Quote(entry))
			return
		}
	}
	p.request.ImagePythonPath = value
}

func (p *parser) await(key, value string) {
	const allowed = `must be files on consumed shares, comma separated, such as "rules/pricing.py"`
	for _, item := range p.items(key, value, allowed) {
		name, path, _ := strings.Cut(item, "/")
		share, found := p.find(name)
		switch {
		case !found || share.Role != api.Consumer:
			p.invalid(key, item, "%s; this pod consumes %s", allowed, p.consumed())
		case config.CheckAbsolutePath("/"+path) != nil:
			p.invalid(key, item, "%s: a path in its shortest form that stays on the share, of letters, digits and . _ - + @ "+
				"between slashes", allowed)
		case slices.Contains(p.request.Await, File{name, path}):
			p.invalid(key, item, "is named twice; each file is named once")
		default:
			p.request.Await = append(p.request.Await, File{name, path})
		}
	}
}

func (p *parser) consumed() string {
	var names []string
	for _, s := range p.request.Of(api.Consumer) {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return quoted(names)
}

func (p *parser) size(key, value string) {
	size, err := config.ParseSize(value)
	switch {
	case err != nil:
		p.invalid(key, value, "%v", err)
	case !p.config.AllowsSize(size):
		p.forbidden(key, value, "this platform allows at most %s", p.config.Limits.MaxSize)
	default:
		p.request.Size = &size
	}
}

func (p *parser) storageClass(key, value string) {
	err := config.CheckStorageClass(value)
	switch {
	case err != nil:
		p.invalid(key, value, "%v", err)
	case !p.config.AllowsStorageClass(value):
		p.forbidden(key, value, "this platform allows %s", quoted(p.config.Limits.StorageClasses))
	default:
		p.request.StorageClass = value
	}
}

// items splits a list, which must not be empty.
func (p *parser) items(key, value, allowed string) []string {
	if value == "" {
		p.invalid(key, value, "%s", allowed)
		return nil
	}
	return strings.Split(value, ",")
}

func quoted[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(texts, ", ")
}
