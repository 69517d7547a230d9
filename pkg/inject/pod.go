package inject

import (
	"cmp"
	"fmt"

	"sigs.k8s.io/json"

	"github.com/podshare/podshare/pkg/api"
)

// mirrorAnnotation is on the API server's copy of a static pod (kubelet sets it).
const mirrorAnnotation = "kubernetes.io/config.mirror"

// pod is what injection reads of a Pod, and nothing more: decoding into the whole type would make fields that our
// version of it does not know look absent. The patch never touches what is not read here.
type pod struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name         string            `json:"name"`
		GenerateName string            `json:"generateName"`
		Annotations  map[string]string `json:"annotations"`
		Labels       map[string]string `json:"labels"`
		Owners       []owner           `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		OS struct {
			Name string `json:"name"`
		} `json:"os"`
		HostNetwork     bool         `json:"hostNetwork"`
		ServiceAccount  string       `json:"serviceAccountName"`
		AutomountToken  *bool        `json:"automountServiceAccountToken"`
		SecurityContext podSecurity  `json:"securityContext"`
		Resources       resources    `json:"resources"`
		Volumes         []volume     `json:"volumes"`
		InitContainers  []*container `json:"initContainers"`
		Containers      []*container `json:"containers"`
	} `json:"spec"`

	// agent is podshare's own container, which an earlier injection has added. It is no longer in InitContainers.
	agent *container
	// volumes and initContainers are lists that injection appends to.
	volumes, initContainers list
}

type owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

type podSecurity struct {
	identity
	FSGroup *int64 `json:"fsGroup"`
}

// identity is the user and group of a process; nil: not said.
type identity struct {
	RunAsUser  *int64 `json:"runAsUser,omitempty"`
	RunAsGroup *int64 `json:"runAsGroup,omitempty"`
}

type volume struct {
	volumeFields
	// raw is the whole volume, to be shown.
	raw string
}

type volumeFields struct {
	Name        string       `json:"name"`
	Claim       *claimSource `json:"persistentVolumeClaim"`
	EmptyDir    *struct{}    `json:"emptyDir"`
	DownwardAPI *struct{}    `json:"downwardAPI"`
}

// claimSource is a volume's source, as it is read and as it is written.
type claimSource struct {
	ClaimName string `json:"claimName"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
}

func (v *volume) UnmarshalJSON(data []byte) error {
	v.raw = string(data)
	return json.UnmarshalCaseSensitivePreserveInts(data, &v.volumeFields)
}

type container struct {
	Name          string    `json:"name"`
	Env           []envVar  `json:"env"`
	EnvFrom       []envFrom `json:"envFrom"`
	VolumeMounts  []mount   `json:"volumeMounts"`
	VolumeDevices []device  `json:"volumeDevices"`

	Image           string    `json:"image"`
	Command         []string  `json:"command"`
	Args            []string  `json:"args"`
	RestartPolicy   string    `json:"restartPolicy"`
	ReadinessProbe  *probe    `json:"readinessProbe"`
	SecurityContext identity  `json:"securityContext"`
	Resources       resources `json:"resources"`

	// init is true for one of spec.initContainers.
	init bool
	// path is the container's JSON pointer.
	path string
	// mounts and env are the lists that injection appends to.
	mounts, env list
}

type envVar struct {
	Name      string    `json:"name"`
	Value     string    `json:"value"`
	ValueFrom *struct{} `json:"valueFrom"`
}

type envFrom struct {
	Prefix string `json:"prefix"`
}

type mount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
	// The subpaths are never written, so that the whole share is mounted.
	SubPath     string `json:"subPath,omitempty"`
	SubPathExpr string `json:"subPathExpr,omitempty"`
}

type device struct {
	DevicePath string `json:"devicePath"`
}

func decode(raw []byte) (*pod, error) {
	p := &pod{}
	// Case-sensitive, as the API server reads: "Annotations" is an unknown field and not ours to understand.
	if err := json.UnmarshalCaseSensitivePreserveInts(raw, p); err != nil {
		return nil, &MalformedError{fmt.Sprintf("the object is no Pod: %v", err)}
	}
	if p.APIVersion != "v1" || p.Kind != "Pod" {
		return nil, &MalformedError{fmt.Sprintf("the object must be of apiVersion v1 and kind Pod, not %.64q and %.64q",
			p.APIVersion, p.Kind)}
	}
	p.volumes = list{"/spec/volumes", p.Spec.Volumes != nil}
	p.initContainers = list{"/spec/initContainers", p.Spec.InitContainers != nil}
	for field, containers := range map[string][]*container{
		"initContainers": p.Spec.InitContainers, "containers": p.Spec.Containers,
	} {
		for n, c := range containers {
			if c == nil {
				return nil, &MalformedError{fmt.Sprintf("the object is no Pod: spec.%s[%d] is null", field, n)}
			}
			c.init = field == "initContainers"
			c.path = fmt.Sprintf("/spec/%s/%d", field, n)
			c.mounts = list{c.path + "/volumeMounts", c.VolumeMounts != nil}
			c.env = list{c.path + "/env", c.Env != nil}
		}
	}
	p.Spec.InitContainers = filter(p.Spec.InitContainers, func(c *container) bool {
		if c.Name == api.AgentContainer {
			p.agent = c
		}
		return c.Name != api.AgentContainer
	})
	return p, nil
}

func (p *pod) metadata() Metadata {
	m := Metadata{Name: cmp.Or(p.Metadata.Name, p.Metadata.GenerateName), Annotations: p.Metadata.Annotations}
	for _, o := range p.Metadata.Owners {
		if o.Controller {
			m.OwnerKind, m.OwnerName = o.Kind, o.Name
		}
	}
	return m
}

func (p *pod) isMirror() bool {
	_, ok := p.Metadata.Annotations[mirrorAnnotation]
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
