// Package api is podshare's contract with its users: annotations, labels and names. It holds no logic beyond them.
package api

// Prefix is what every annotation and label of podshare begins with. Any key under it that is not in Annotations is
// a mistake, never ignored.
const Prefix = "podshare.dev/"

// The annotations that a pod (in a workload: its pod template) may carry. docs/annotations.md shows each in use.
const (
	// Produce names the shares that the pod writes: "share[:path]", comma separated.
	Produce = Prefix + "produce"
	// Consume names the shares that the pod reads: "share[:path]", comma separated.
	Consume = Prefix + "consume"
	// Containers names the containers that take part, comma separated. Without it all of spec.containers do; an init
	// container takes part only when it is named.
	Containers = Prefix + "containers"
	// PythonPath says where consumed shares go in PYTHONPATH: one of PythonPathModes.
	PythonPath = Prefix + "python-path"
	// ImagePythonPath is the PYTHONPATH that the image bakes in, which admission cannot see: absolute paths, colon separated.
	ImagePythonPath = Prefix + "image-python-path"
	// Readiness says who checks the share for the pod's readiness: one of ReadinessModes.
	Readiness = Prefix + "readiness"
	// Await names files without which the pod is not ready: "share/relative/path", comma separated.
	Await = Prefix + "await"
	// Size is a quantity of bytes: of a claim to be created, or to grow to.
	Size = Prefix + "size"
	// StorageClass is the class of a claim to be created.
	StorageClass = Prefix + "storage-class"

	// Status is written by podshare and never read back: a Report of what was injected.
	Status = Prefix + "status"
)

// Roles are the annotations that name shares; the others are options that mean nothing without one of them.
var Roles = []string{Produce, Consume}

// Annotations are all keys that users may set, in the order of the documentation.
var Annotations = []string{
	Produce, Consume, Containers, PythonPath, ImagePythonPath, Readiness, Await, Size, StorageClass,
}

// MaxAnnotationBytes bounds the value of each annotation: far above any real list, and small enough that reading one
// costs nothing.
const MaxAnnotationBytes = 4096

// Role is what a pod does with a share.
type Role string

// The two roles: a producer's mount is writable, a consumer's read-only.
const (
	Producer Role = "producer"
	Consumer Role = "consumer"
)

// PythonPathMode is a value of the annotation PythonPath.
type PythonPathMode string

// Appending is the default: a module on a share then shadows none of the user's own.
const (
	PythonPathAppend  PythonPathMode = "append"
	PythonPathPrepend PythonPathMode = "prepend"
	PythonPathNone    PythonPathMode = "none"
)

// PythonPathModes are the allowed values of the annotation PythonPath, the default first.
var PythonPathModes = []PythonPathMode{PythonPathAppend, PythonPathPrepend, PythonPathNone}

// ReadinessMode is a value of the annotation Readiness.
type ReadinessMode string

// The sidecar is the default: it leaves the user's containers and their probes alone.
const (
	ReadinessSidecar   ReadinessMode = "sidecar"
	ReadinessContainer ReadinessMode = "container"
	ReadinessNone      ReadinessMode = "none"
)

// ReadinessModes are the allowed values of the annotation Readiness, the default first.
var ReadinessModes = []ReadinessMode{ReadinessSidecar, ReadinessContainer, ReadinessNone}
