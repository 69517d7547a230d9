package inject

import (
	"cmp"
	"fmt"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/decode"
)

// mirrorAnnotation is on the API server's copy of a static pod (kubelet sets it).
const mirrorAnnotation = "kubernetes.io/config.mirror"

// Pod is what injection reads of a pod, and nothing more (read.go): decoding into the whole type would make fields that our version of
// it does not know look absent, and take longer. The patch never touches what is not read here.
type Pod struct {
	apiVersion, kind string
	metadata         struct {
		Name, GenerateName  string
		Annotations, Labels map[string]string
		Owners              []owner
	}
	spec struct {
		OS              string
		HostNetwork     bool
		ServiceAccount  string
		AutomountToken  *bool
		SecurityContext podSecurity
		Resources       resources
		Volumes         []volume
		InitContainers  []*container
		Containers      []*container
	}

	// agent is podshare's own container, which an earlier injection has added. It is no longer in InitContainers.
	agent *container
	// volumes and initContainers are lists that injection appends to.
	volumes, initContainers list
}

type owner struct {
	Kind, Name string
	Controller bool
}

type podSecurity struct {
	identity
	FSGroup *int64
}

// identity is the user and group of a process, as it is read and as it is written; nil: not said.
type identity struct {
	RunAsUser  *int64 `json:"runAsUser,omitempty"`
	RunAsGroup *int64 `json:"runAsGroup,omitempty"`
}

type volume struct {
	Name string
	// Source is its type, such as "emptyDir".
	Source string
	Claim  *claimSource
}

// claimSource is a volume's source, as it is read and as it is written.
type claimSource struct {
	ClaimName string `json:"claimName"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
}

type container struct {
	Name         string
	Env          []envVar
	EnvPrefixes  []string // of envFrom
	VolumeMounts []mount
	DevicePaths  []string // of volumeDevices

	Image           string
	Command, Args   []string
	Ports           []containerPort
	RestartPolicy   string
	ReadinessProbe  *probe
	SecurityContext identity
	Resources       resources

	// init is true for one of spec.initContainers.
	init bool
	// path is the container's JSON pointer.
	path string
	// mounts and env are the lists that injection appends to.
	mounts, env list
}

type envVar struct {
	Name, Value string
	ValueFrom   bool
}

// containerPort is a port of a container, as it is read and as it is written.
type containerPort struct {
	Name     string `json:"name"`
	Number   *int64 `json:"containerPort"`
	Protocol string `json:"protocol"` // is not read
}

// mount is a volumeMount, as it is read and as it is written.
type mount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
	// The subpaths are never written, so that the whole share is mounted.
	SubPath     string `json:"subPath,omitempty"`
	SubPathExpr string `json:"subPathExpr,omitempty"`
}

// Parse reads a pod, given as JSON. The error says why it is none.
func Parse(raw []byte) (*Pod, error) {
	var p *Pod
	var err error
	if broken := decode.Bytes(raw, func(r *decode.Reader) { p, err = Read(r) }); broken != nil {
		return nil, fmt.Errorf("the object is no Pod: %w", broken)
	}
	return p, err
}

// Read is Parse for a pod within a document. What is no JSON is the document's error.
func Read(r *decode.Reader) (*Pod, error) {
	p := &Pod{}
	if err := r.Value(p.read); err != nil {
		return nil, fmt.Errorf("the object is no Pod: %w", err)
	}
	if p.apiVersion != "v1" || p.kind != "Pod" {
		return nil, fmt.Errorf("the object must be of apiVersion v1 and kind Pod, not %.64q and %.64q", p.apiVersion, p.kind)
	}
	p.complete()
	return p, nil
}

// ReadTemplate reads a pod's template within a document: a pod without a type. Its mismatches are the document's.
func ReadTemplate(r *decode.Reader) *Pod {
	p := &Pod{}
	p.read(r)
	p.complete()
	return p
}

// complete fills in what follows from what was read.
func (p *Pod) complete() {
	p.volumes = list{"/spec/volumes", p.spec.Volumes != nil}
	p.initContainers = list{"/spec/initContainers", p.spec.InitContainers != nil}
	locate(p.spec.InitContainers, "/spec/initContainers")
	locate(p.spec.Containers, "/spec/containers")
	for _, c := range p.spec.InitContainers {
		c.init = true
	}
	p.spec.InitContainers = filter(p.spec.InitContainers, func(c *container) bool {
		if c.Name == api.AgentContainer {
			p.agent = c
		}
		return c.Name != api.AgentContainer
	})
}

// locate says where containers are in the pod.
func locate(containers []*container, path string) {
	for n, c := range containers {
		c.path = fmt.Sprintf("%s/%d", path, n)
		c.mounts = list{c.path + "/volumeMounts", c.VolumeMounts != nil}
		c.env = list{c.path + "/env", c.Env != nil}
	}
}

// Metadata is how people know the pod.
func (p *Pod) Metadata() Metadata {
	m := Metadata{Name: cmp.Or(p.metadata.Name, p.metadata.GenerateName), Annotations: p.metadata.Annotations}
	for _, o := range p.metadata.Owners {
		if o.Controller {
			m.OwnerKind, m.OwnerName = o.Kind, o.Name
		}
	}
	return m
}

func (p *Pod) isMirror() bool {
	_, ok := p.metadata.Annotations[mirrorAnnotation]
	return ok
}

// last is the entry that decides a variable's value: of several with one name Kubernetes takes the last.
func (c *container) last(name string) (index int, found bool) {
	for n := len(c.Env) - 1; n >= 0; n-- {
		if c.Env[n].Name == name {
			return n, true
		}
	}
	return 0, false
}
