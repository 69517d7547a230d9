package inject

import "github.com/podshare/podshare/pkg/decode"

// What is read of a pod, field by field.

func (p *Pod) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "apiVersion":
			r.String(&p.apiVersion)
		case "kind":
			r.String(&p.kind)
		case "metadata":
			p.readMetadata(r)
		case "spec":
			p.readSpec(r)
		}
	}
}

func (p *Pod) readMetadata(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "name":
			r.String(&p.metadata.Name)
		case "generateName":
			r.String(&p.metadata.GenerateName)
		case "annotations":
			r.StringMap(&p.metadata.Annotations)
		case "labels":
			r.StringMap(&p.metadata.Labels)
		case "ownerReferences":
			p.metadata.Owners = decode.List(r, (*owner).read)
		}
	}
}

func (o *owner) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "kind":
			r.String(&o.Kind)
		case "name":
			r.String(&o.Name)
		case "controller":
			r.Bool(&o.Controller)
		}
	}
}

func (p *Pod) readSpec(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "os":
			readNamed(r, "name", &p.spec.OS)
		case "hostNetwork":
			r.Bool(&p.spec.HostNetwork)
		case "serviceAccountName":
			r.String(&p.spec.ServiceAccount)
		case "automountServiceAccountToken":
			r.OptionalBool(&p.spec.AutomountToken)
		case "securityContext":
			p.spec.SecurityContext.read(r)
		case "resources":
			p.spec.Resources.read(r)
		case "volumes":
			p.spec.Volumes = decode.List(r, (*volume).read)
		case "initContainers":
			p.spec.InitContainers = readContainers(r)
		case "containers":
			p.spec.Containers = readContainers(r)
		}
	}
}

// readNamed reads the one field of an object that counts.
func readNamed(r *decode.Reader, name string, to *string) {
	for field := range r.Fields() {
		if string(field) == name {
			r.String(to)
		}
	}
}

func (s *podSecurity) read(r *decode.Reader) {
	for field := range r.Fields() {
		if string(field) == "fsGroup" {
			r.OptionalInt64(&s.FSGroup)
		} else {
			s.readField(r, field)
		}
	}
}

func (i *identity) read(r *decode.Reader) {
	for field := range r.Fields() {
		i.readField(r, field)
	}
}

func (i *identity) readField(r *decode.Reader, field []byte) {
	switch string(field) {
	case "runAsUser":
		r.OptionalInt64(&i.RunAsUser)
	case "runAsGroup":
		r.OptionalInt64(&i.RunAsGroup)
	}
}

func (v *volume) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch source := string(field); {
		case source == "name":
			r.String(&v.Name)
		case r.Present():
			v.Source = source
			if source == "persistentVolumeClaim" {
				v.Claim = &claimSource{}
				v.Claim.read(r)
			}
		}
	}
}

func (s *claimSource) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "claimName":
			r.String(&s.ClaimName)
		case "readOnly":
			r.Bool(&s.ReadOnly)
		}
	}
}

// readContainers reads a list that has no null in it: the containers' places have to be right.
func readContainers(r *decode.Reader) []*container {
	return decode.List(r, func(to **container, r *decode.Reader) {
		r.RequireObject()
		*to = &container{}
		(*to).read(r)
	})
}

func (c *container) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "name":
			r.String(&c.Name)
		case "env":
			c.Env = decode.List(r, (*envVar).read)
		case "envFrom":
			c.EnvPrefixes = decode.List(r, func(to *string, r *decode.Reader) { readNamed(r, "prefix", to) })
		case "volumeMounts":
			c.VolumeMounts = decode.List(r, (*mount).read)
		case "volumeDevices":
			c.DevicePaths = decode.List(r, func(to *string, r *decode.Reader) { readNamed(r, "devicePath", to) })
		case "image":
			r.String(&c.Image)
		case "command":
			r.Strings(&c.Command)
		case "args":
			r.Strings(&c.Args)
		case "ports":
			c.Ports = decode.List(r, (*containerPort).read)
		case "restartPolicy":
			r.String(&c.RestartPolicy)
		case "readinessProbe":
			c.ReadinessProbe = decode.Optional(r, (*probe).read)
		case "securityContext":
			c.SecurityContext.read(r)
		case "resources":
			c.Resources.read(r)
		}
	}
}

func (p *containerPort) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "name":
			r.String(&p.Name)
		case "containerPort":
			r.OptionalInt64(&p.Number)
		}
	}
}

func (e *envVar) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "name":
			r.String(&e.Name)
		case "value":
			r.String(&e.Value)
		case "valueFrom":
			e.ValueFrom = r.Present()
		}
	}
}

func (m *mount) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "name":
			r.String(&m.Name)
		case "mountPath":
			r.String(&m.MountPath)
		case "readOnly":
			r.Bool(&m.ReadOnly)
		case "subPath":
			r.String(&m.SubPath)
		case "subPathExpr":
			r.String(&m.SubPathExpr)
		}
	}
}

func (p *probe) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "exec":
			p.Exec = decode.Optional(r, (*execAction).read)
		case "httpGet":
			p.HTTPGet = decode.Optional(r, (*httpGetAction).read)
		}
	}
}

func (e *execAction) read(r *decode.Reader) {
	for field := range r.Fields() {
		if string(field) == "command" {
			r.Strings(&e.Command)
		}
	}
}

func (h *httpGetAction) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "path":
			r.String(&h.Path)
		case "port":
			r.Scalar(&h.port)
		}
	}
}

func (s *resources) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "requests":
			s.Requests.read(r)
		case "limits":
			s.Limits.read(r)
		}
	}
}

func (a *amounts) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "cpu":
			r.Scalar(&a.CPU)
		case "memory":
			r.Scalar(&a.Memory)
		default:
			a.others = true
		}
	}
}
