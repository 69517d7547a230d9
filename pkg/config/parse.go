package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/api"
)

// Load reads a file. An empty name means no file: Default.
func Load(filename string) (*Config, error) {
	if filename == "" {
		return Default(), nil
	}
	data, err := os.ReadFile(filename)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(filename, data)
}

// Parse reads the content of a file; its name is for messages. The error holds every mistake, a line each:
// "<file>:<line>: <field>: <value>: <what is allowed>".
func Parse(filename string, data []byte) (*Config, error) {
	p := parser{config: Default(), lines: map[string]int{}}
	if root := p.document(data); root != nil {
		p.mapping("", root)
		p.whole()
	}
	if len(p.mistakes) > 0 {
		slices.SortStableFunc(p.mistakes, func(a, b mistake) int { return a.line - b.line })
		messages := make([]string, len(p.mistakes))
		for i, m := range p.mistakes {
			messages[i] = fmt.Sprintf("%s:%d: %s", filename, m.line, m.text)
		}
		return nil, errors.New(strings.Join(messages, "\n"))
	}
	return p.config, nil
}

// field takes one value of the file into the configuration, or says what is allowed.
type field struct {
	list bool // the value is a list, whose items are taken one by one
	take func(c *Config, value string) error
}

// fields are all fields of the file, by their path.
var fields = map[string]field{
	"apiVersion":            {take: func(_ *Config, v string) error { return oneOf(v, APIVersion) }},
	"kind":                  {take: func(_ *Config, v string) error { return oneOf(v, Kind) }},
	"mounts.root":           {take: takeRoot},
	"mounts.allowed":        {take: takeAllowed, list: true},
	"defaults.size":         {take: takeSize},
	"defaults.storageClass": {take: takeStorageClass},
	"defaults.readiness":    {take: takeReadiness},
	"limits.sharesPerPod":   {take: takeSharesPerPod},
	"limits.maxSize":        {take: takeMaxSize},
	"limits.storageClasses": {take: takeStorageClasses, list: true},

	"limits.sharesPerNamespace": {take: takeSharesPerNamespace},
	"limits.producers":          {take: takeProducers, list: true},

	"agent.image":                     {take: takeImage},
	"agent.imagePullPolicy":           {take: takePullPolicy},
	"agent.probe":                     {take: takeProbe},
	"agent.port":                      {take: takePort},
	"agent.metrics":                   {take: takeMetrics},
	"agent.resources.requests.cpu":    {take: takeCPU(func(a *Agent) *Resources { return &a.Requests })},
	"agent.resources.requests.memory": {take: takeMemory(func(a *Agent) *Resources { return &a.Requests })},
	"agent.resources.limits.cpu":      {take: takeCPU(func(a *Agent) *Resources { return &a.Limits })},
	"agent.resources.limits.memory":   {take: takeMemory(func(a *Agent) *Resources { return &a.Limits })},
	"agent.minFree.percent":           {take: takeMinFreePercent},
	"agent.minFree.bytes":             {take: takeMinFreeBytes},
	"agent.minFree.inodes":            {take: takeMinFreeInodes},
}

func oneOf[T ~string](v T, allowed ...T) error {
	if !slices.Contains(allowed, v) {
		return fmt.Errorf("must be one of %q", allowed)
	}
	return nil
}

func takeRoot(c *Config, v string) error {
	c.Mounts.Root = v
	return CheckMountPath(v)
}

func takeAllowed(c *Config, v string) error {
	c.Mounts.Allowed = append(c.Mounts.Allowed, v)
	return CheckMountPath(v)
}

func takeSize(c *Config, v string) (err error) {
	c.Defaults.Size, err = ParseSize(v)
	return err
}

func takeStorageClass(c *Config, v string) error {
	c.Defaults.StorageClass = v
	return CheckStorageClass(v)
}

func takeReadiness(c *Config, v string) error {
	c.Defaults.Readiness = api.ReadinessMode(v)
	return oneOf(c.Defaults.Readiness, api.ReadinessModes...)
}

func takeSharesPerPod(c *Config, v string) (err error) {
	c.Limits.SharesPerPod, err = parseNumber(v, 1, 1000)
	return err
}

func takeSharesPerNamespace(c *Config, v string) (err error) {
	c.Limits.SharesPerNamespace, err = parseNumber(v, 1, 100_000)
	return err
}

func takeProducers(c *Config, v string) error {
	c.Limits.Producers = append(c.Limits.Producers, v)
	return checkProducers(v)
}

func takeMaxSize(c *Config, v string) error {
	size, err := ParseSize(v)
	c.Limits.MaxSize = &size
	return err
}

func takeStorageClasses(c *Config, v string) error {
	c.Limits.StorageClasses = append(c.Limits.StorageClasses, v)
	return CheckStorageClass(v)
}

type mistake struct {
	line int
	text string
}

// parser walks the document and collects mistakes instead of stopping at the first.
type parser struct {
	config   *Config
	lines    map[string]int // of the fields that were seen
	mistakes []mistake
}

func (p *parser) mistake(line int, format string, args ...any) {
	p.mistakes = append(p.mistakes, mistake{line, fmt.Sprintf(format, args...)})
}

// document returns the one document's mapping, or nil after a mistake that leaves nothing to look at.
func (p *parser) document(data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		p.mistake(1, "the file is empty: apiVersion must be %q", APIVersion)
		return nil
	} else if err != nil {
		p.mistake(1, "not YAML: %v", err)
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		p.mistake(second.Line, "a second document: the file must be one YAML document")
	}
	if root := doc.Content[0]; root.Kind == yaml.MappingNode {
		return root
	}
	p.mistake(doc.Content[0].Line, "must be a mapping that begins with apiVersion: %s", APIVersion)
	return nil
}

// mapping takes the fields of one mapping, whose own field is section ("" at the top).
func (p *parser) mapping(section string, node *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := strings.TrimPrefix(section+"."+key.Value, ".")
		known, isField := fields[name]
		below := fieldsOf(name)
		_, seen := p.lines[name]
		p.lines[name] = key.Line
		switch {
		case seen:
			p.mistake(key.Line, "%s: stands twice", name)
		case isField:
			p.field(name, known, value)
		case len(below) == 0:
			p.mistake(key.Line, "%.64q: unknown field; allowed here: %s", name, strings.Join(fieldsOf(section), ", "))
		case value.Kind != yaml.MappingNode:
			p.mistake(key.Line, "%s: must be a mapping of %s", name, strings.Join(below, ", "))
		default:
			p.mapping(name, value)
		}
	}
}

// field takes a field's value, or each item of its list.
func (p *parser) field(name string, f field, value *yaml.Node) {
	values := []*yaml.Node{value}
	if f.list {
		if value.Kind != yaml.SequenceNode {
			p.mistake(value.Line, "%s: must be a list; leave the line out for the default", name)
			return
		}
		values = value.Content
	}
	for _, v := range values {
		if v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
			p.mistake(v.Line, "%s: must be a single value; leave the line out for the default", name)
		} else if err := f.take(p.config, v.Value); err != nil {
			p.mistake(v.Line, "%s: %.64q %v", name, v.Value, err)
		}
	}
}

// fieldsOf names the fields directly below a section, sorted.
func fieldsOf(section string) []string {
	var names []string
	for path := range fields {
		rest, below := strings.CutPrefix("."+path, strings.TrimSuffix("."+section, ".")+".")
		if name, _, _ := strings.Cut(rest, "."); below && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// whole checks what concerns more than one field.
func (p *parser) whole() {
	c := p.config
	if _, ok := p.lines["apiVersion"]; !ok {
		p.mistake(1, "apiVersion: is missing; must be %q", APIVersion)
	}
	if len(p.mistakes) > 0 {
		return // values that did not parse cannot be compared
	}
	if !c.AllowsSize(c.Defaults.Size) {
		p.mistake(max(p.lines["defaults.size"], p.lines["limits.maxSize"]),
			"defaults.size: %q must be at most limits.maxSize, %q", c.Defaults.Size.String(), c.Limits.MaxSize.String())
	}
	for _, r := range []struct {
		name           string
		request, limit resource.Quantity
	}{
		{"cpu", c.Agent.Requests.CPU, c.Agent.Limits.CPU},
		{"memory", c.Agent.Requests.Memory, c.Agent.Limits.Memory},
	} {
		if r.request.Cmp(r.limit) > 0 {
			request, limit := "agent.resources.requests."+r.name, "agent.resources.limits."+r.name
			p.mistake(max(p.lines[request], p.lines[limit]), "%s: %q must be at most %s, %q", request, r.request.String(), limit, r.limit.String())
		}
	}
	if c.Defaults.StorageClass != "" && !c.AllowsStorageClass(c.Defaults.StorageClass) {
		p.mistake(p.lines["defaults.storageClass"], "defaults.storageClass: %q must be one of limits.storageClasses, %q",
			c.Defaults.StorageClass, c.Limits.StorageClasses)
	}
}
