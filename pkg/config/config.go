// Package config is the platform team's file: what applies to every pod and share of a cluster. It is read once, at
// start, and a process does not start with a file that has a mistake.
package config

import (
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/api"
)

// APIVersion is the only version of the file that there is.
const APIVersion = "config.podshare.dev/v1alpha1"

// Kind may stand in the file, as in any manifest.
const Kind = "PodshareConfig"

// Config is a valid configuration: Default, or what Parse made of a file. Nobody changes it afterwards.
type Config struct {
	Mounts   Mounts
	Defaults Defaults
	Limits   Limits
	Agent    Agent
}

// Mounts says where shares are mounted.
type Mounts struct {
	// Root is the directory below which a share without a path of its own is mounted: at <root>/<share>.
	Root string
	// Allowed are further directories below which annotations may place shares. Empty: anywhere that CheckMountPath permits.
	Allowed []string
}

// Defaults apply where a pod's annotations say nothing.
type Defaults struct {
	// Size of a claim to be created, in bytes.
	Size resource.Quantity
	// StorageClass of a claim to be created. Empty: the cluster's default class.
	StorageClass string
	// Readiness says who checks the shares of a pod.
	Readiness api.ReadinessMode
}

// Limits are the platform's policy: what exceeds one is forbidden, not mistaken.
type Limits struct {
	// SharesPerPod is the most shares that one pod may name.
	SharesPerPod int
	// MaxSize is the largest size that an annotation may ask for, in bytes. Nil: no limit.
	MaxSize *resource.Quantity
	// StorageClasses are the classes that annotations may name. Empty: any.
	StorageClasses []string
	// SharesPerNamespace is the most claims that podshare makes in a namespace. 0: no limit.
	SharesPerNamespace int
	// Producers are patterns of the pods that may produce: "namespace/service-account", with * and ? in either. Empty: all may. Whoever
	// produces runs code in its consumers.
	Producers []string
}

// Agent is who checks shares for a pod's readiness, in the pod itself.
type Agent struct {
	Image           string
	ImagePullPolicy string
	// Probe is how the kubelet asks the sidecar: one of ProbeKinds.
	Probe ProbeKind
	// Port is where the sidecar answers httpGet, and tells metrics.
	Port int
	// Metrics says that the sidecar tells how much of each share is used.
	Metrics bool
	// Requests and Limits are the sidecar's. A pod's quality of service may ask for less, or for limits alone.
	Requests, Limits Resources
	// MinFree says when a share is full, and its producers unready: when less is free than a percentage of it, and less than a number
	// too. The same holds for its inodes.
	MinFree MinFree
}

// Resources are those of a container.
type Resources struct {
	CPU, Memory resource.Quantity
}

// MinFree is the least that a share must have free, see Agent.
type MinFree struct {
	Percent int
	Bytes   resource.Quantity
	Inodes  int
}

// ProbeKind is how the kubelet asks for readiness.
type ProbeKind string

// The kinds are named as in a pod's probe.
const (
	ProbeExec    ProbeKind = "exec"
	ProbeHTTPGet ProbeKind = "httpGet"
)

// ProbeKinds are the allowed kinds, the default first.
var ProbeKinds = []ProbeKind{ProbeExec, ProbeHTTPGet}

// PullPolicies are those of Kubernetes, the default first.
var PullPolicies = []string{"IfNotPresent", "Always", "Never"}

// Default is the configuration without a file.
func Default() *Config {
	return &Config{
		Mounts:   Mounts{Root: "/podshare"},
		Defaults: Defaults{Size: resource.MustParse("1Gi"), Readiness: api.ReadinessModes[0]},
		Limits:   Limits{SharesPerPod: 16},
		Agent: Agent{
			Image:           "ghcr.io/podshare/podshare-agent:v0.1.0",
			ImagePullPolicy: PullPolicies[0],
			Probe:           ProbeKinds[0],
			Port:            9472,
			Requests:        Resources{CPU: resource.MustParse("10m"), Memory: resource.MustParse("16Mi")},
			Limits:          Resources{CPU: resource.MustParse("100m"), Memory: resource.MustParse("32Mi")},
			MinFree:         MinFree{Percent: 5, Bytes: resource.MustParse("1Gi"), Inodes: 10_000},
		},
	}
}

// MountPath is where a share is mounted whose annotation gives no path.
func (c *Config) MountPath(share string) string { return c.Mounts.Root + "/" + share }

// MountDirs are the directories below which shares may be mounted; none means anywhere.
func (c *Config) MountDirs() []string {
	if len(c.Mounts.Allowed) == 0 {
		return nil
	}
	return append([]string{c.Mounts.Root}, c.Mounts.Allowed...)
}

// AllowsPath reports whether policy lets an annotation place a share at a path.
func (c *Config) AllowsPath(path string) bool {
	dirs := c.MountDirs()
	return len(dirs) == 0 || slices.ContainsFunc(dirs, func(dir string) bool { return Within(path, dir) })
}

// AllowsSize reports whether policy lets an annotation ask for a size.
func (c *Config) AllowsSize(size resource.Quantity) bool {
	return c.Limits.MaxSize == nil || size.Cmp(*c.Limits.MaxSize) <= 0
}

// AllowsStorageClass reports whether policy lets an annotation name a class.
func (c *Config) AllowsStorageClass(class string) bool {
	return len(c.Limits.StorageClasses) == 0 || slices.Contains(c.Limits.StorageClasses, class)
}

// AllowsProducer reports whether policy lets pods of a namespace with a service account write to shares.
func (c *Config) AllowsProducer(namespace, serviceAccount string) bool {
	return len(c.Limits.Producers) == 0 || slices.ContainsFunc(c.Limits.Producers, func(pattern string) bool {
		matches, _ := path.Match(pattern, namespace+"/"+serviceAccount) // what Parse takes cannot be wrong
		return matches
	})
}

// Within reports whether a clean absolute path is a directory or lies below it.
func Within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
