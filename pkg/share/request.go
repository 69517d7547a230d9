// Package share reads a pod's annotations, once, into a Request, and makes the claim that a share is. Both the webhook
// that mounts the claim and the controller that creates it go by what is here.
package share

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/api"
)

// Request is what a pod's annotations ask for.
type Request struct {
	// Shares are those that the pod produces, then those that it consumes, each as written.
	Shares []Share
	// Containers take part. Empty: all of spec.containers.
	Containers []string
	// PythonPath says where consumed shares go in PYTHONPATH.
	PythonPath api.PythonPathMode
	// ImagePythonPath is the PYTHONPATH of the image; empty: unknown.
	ImagePythonPath string
	// Readiness says who checks the shares.
	Readiness api.ReadinessMode
	// Await are the files without which the pod is not ready.
	Await []File
	// Size is what the annotation asks for, in bytes. Nil: it asks for nothing.
	Size *resource.Quantity
	// StorageClass is what the annotation asks for. Empty: it asks for nothing.
	StorageClass string
}

// Share is one share as one pod uses it.
type Share struct {
	Name string
	Role api.Role
	// Path is where it is mounted: clean and absolute.
	Path string
}

// File is a file on a share.
type File struct {
	Share string
	// Path is relative to the share.
	Path string
}

// Of are the shares that the pod uses in a role.
func (r *Request) Of(role api.Role) []Share {
	var shares []Share
	for _, s := range r.Shares {
		if s.Role == role {
			shares = append(shares, s)
		}
	}
	return shares
}

// Annotation is the key that names a share of this role.
func Annotation(role api.Role) string {
	if role == api.Producer {
		return api.Produce
	}
	return api.Consume
}
