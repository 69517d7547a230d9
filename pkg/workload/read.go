package workload

import (
	"github.com/podshare/podshare/pkg/decode"
	"github.com/podshare/podshare/pkg/inject"
)

// object is what is read of a workload, of whatever kind: that may come last.
type object struct {
	apiVersion, kind      string
	metadata, jobMetadata metadata
	// template is in spec, jobTemplate in spec.jobTemplate.spec.
	template, jobTemplate *inject.Pod
}

type metadata struct {
	name, generateName string
	annotations        map[string]string
	deleted            bool
}

func (o *object) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "apiVersion":
			r.String(&o.apiVersion)
		case "kind":
			r.String(&o.kind)
		case "metadata":
			o.metadata.read(r)
		case "spec":
			o.readSpec(r)
		}
	}
}

func (o *object) readSpec(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "template":
			o.template = inject.ReadTemplate(r)
		case "jobTemplate":
			o.readJobTemplate(r)
		}
	}
}

func (o *object) readJobTemplate(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "metadata":
			o.jobMetadata.read(r)
		case "spec":
			for field := range r.Fields() {
				if string(field) == "template" {
					o.jobTemplate = inject.ReadTemplate(r)
				}
			}
		}
	}
}

func (m *metadata) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "name":
			r.String(&m.name)
		case "generateName":
			r.String(&m.generateName)
		case "annotations":
			r.StringMap(&m.annotations)
		case "deletionTimestamp":
			m.deleted = r.Present()
		}
	}
}
