package share

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// Parse reads a pod's annotations. It reports every mistake at once: of type Forbidden where the platform's policy is in
// the way, of another type where the annotation itself is wrong. The Request holds what is right even when something else
// is wrong. A pod without our annotations, or with nothing but our own report, gives a Request without shares.
func Parse(annotations map[string]string, c *config.Config) (*Request, field.ErrorList) {
	p := parser{config: c, request: &Request{PythonPath: api.PythonPathModes[0], Readiness: c.Defaults.Readiness}}
	p.values = p.ours(annotations)
	p.roles()
	for _, option := range []struct {
		key  string
		take func(key, value string)
	}{
		{api.Containers, p.containers},
		{api.PythonPath, p.pythonPath},
		{api.ImagePythonPath, p.imagePythonPath},
		{api.Readiness, p.readiness},
		{api.Await, p.await},
		{api.Size, p.size},
		{api.StorageClass, p.storageClass},
	} {
		if value, ok := p.values[option.key]; ok {
			option.take(option.key, value)
		}
	}
	return p.request, p.errs
}

var annotationsPath = field.NewPath("metadata", "annotations")

// Invalid is a mistake in an annotation: it shows the value, or the part of it that is wrong, and says what is allowed.
func Invalid(key, value, detail string) *field.Error {
	return field.Invalid(annotationsPath.Key(key), cut(value), detail)
}

// Forbidden is a value that policy refuses; field's own constructor shows no value.
func Forbidden(key, value, detail string) *field.Error {
	return field.Forbidden(annotationsPath.Key(key), Quote(value)+": "+detail)
}

type parser struct {
	config  *config.Config
	values  map[string]string // of our annotations, the readable ones
	named   bool              // whether there is an annotation that names shares
	request *Request
	errs    field.ErrorList
}

func (p *parser) invalid(key, value, format string, args ...any) {
	p.errs = append(p.errs, Invalid(key, value, fmt.Sprintf(format, args...)))
}

func (p *parser) forbidden(key, value, format string, args ...any) {
	p.errs = append(p.errs, Forbidden(key, value, fmt.Sprintf(format, args...)))
}

// ours picks the annotations under our prefix that are known and short enough to be read, and notes whether shares
// are named at all.
func (p *parser) ours(annotations map[string]string) map[string]string {
	values := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value := annotations[key]
		p.named = p.named || slices.Contains(api.Roles, key)
		switch {
		case !strings.HasPrefix(key, api.Prefix) || key == api.Status:
		case !slices.Contains(api.Annotations, key):
			// The key itself is the user's text and may be anything: shown as a value, not as a path.
			nearest, _ := Nearest(key, api.Annotations)
			p.errs = append(p.errs, field.Invalid(annotationsPath, cut(key),
				fmt.Sprintf("is not an annotation of podshare; the nearest is %q, all are %s",
					nearest, strings.Join(api.Annotations, ", "))))
		case len(value) > api.MaxAnnotationBytes:
			p.invalid(key, value, "has %d bytes; at most %d are allowed", len(value), api.MaxAnnotationBytes)
		default:
			values[key] = value
		}
	}
	return values
}

// roles reads the shares, and checks what concerns all of them.
func (p *parser) roles() {
	if !p.named {
		for _, key := range api.Annotations {
			if value, ok := p.values[key]; ok {
				p.invalid(key, value, "has no effect without %s or %s, which name the shares", api.Produce, api.Consume)
			}
		}
		return
	}
	for _, role := range []api.Role{api.Producer, api.Consumer} {
		key := Annotation(role)
		if value, ok := p.values[key]; ok {
			p.shares(key, value, role)
		}
	}
	if n, limit := len(p.request.Shares), p.config.Limits.SharesPerPod; n > limit {
		last := p.request.Shares[n-1]
		p.forbidden(Annotation(last.Role), p.values[Annotation(last.Role)],
			"the pod names %d shares; this platform allows at most %d in a pod", n, limit)
		return // comparing each with each would be work without a limit
	}
	p.paths()
}

func (p *parser) shares(key, value string, role api.Role) {
	for _, item := range strings.Split(value, ",") {
		name, path, hasPath := strings.Cut(item, ":")
		if !p.shareName(key, item, name) {
			continue
		}
		if !hasPath {
			path = p.config.MountPath(name)
		} else if err := config.CheckMountPath(path); err != nil {
			p.invalid(key, item, "the path %s %v", Quote(path), err)
			continue
		} else if !p.config.AllowsPath(path) {
			p.forbidden(key, item, "this platform allows paths below %s", strings.Join(p.config.MountDirs(), ", "))
			continue
		}
		p.request.Shares = append(p.request.Shares, Share{Name: name, Role: role, Path: path})
	}
}

// shareName checks the name in one item of a list, and that it is new.
func (p *parser) shareName(key, item, name string) bool {
	const allowed = `a share's name has lower case letters, digits and "-", begins and ends with a letter or digit, ` +
		`and is at most 54 characters long`
	other, taken := p.find(name)
	switch {
	case item == "":
		p.invalid(key, item, `must name shares, comma separated, such as "rules" or "rules:/data/rules,models"`)
	case strings.Contains(name, "/"):
		p.invalid(key, item, "%s; a share belongs to the pod's own namespace, and its path follows a colon", allowed)
	case strings.ContainsAny(item, " \t\r\n"):
		p.invalid(key, item, "%s; the list is written without spaces or line breaks", allowed)
	case len(name) > api.MaxShareNameLength || len(validation.IsDNS1123Label(name)) > 0:
		p.invalid(key, item, "%s", allowed)
	case taken && Annotation(other.Role) == key:
		p.invalid(key, item, "%q is named twice; each share is named once", name)
	case taken:
		p.invalid(key, item, "%q is in %s too; a producer also reads, so name it in one of the two", name, Annotation(other.Role))
	default:
		return true
	}
	return false
}

func (p *parser) find(name string) (Share, bool) {
	i := slices.IndexFunc(p.request.Shares, func(s Share) bool { return s.Name == name })
	if i < 0 {
		return Share{}, false
	}
	return p.request.Shares[i], true
}

// paths checks that no share hides another.
func (p *parser) paths() {
	for i, s := range p.request.Shares {
		for _, other := range p.request.Shares[:i] {
			if config.Within(s.Path, other.Path) || config.Within(other.Path, s.Path) {
				p.invalid(Annotation(s.Role), s.Name, "is mounted at %s and the share %q at %s; one path must not be or contain the other",
					Quote(s.Path), other.Name, Quote(other.Path))
			}
		}
	}
}
