package config

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/podshare/podshare/pkg/api"
)

// The rules for values that both the platform's file and the annotations hold. Each returns an error that says what is
// allowed and leaves it to the caller to show the value.

// pathPattern keeps out what a shell, a YAML file, kubelet's $(NAME) expansion or PYTHONPATH's colon would read as more than a name.
var pathPattern = regexp.MustCompile(`^(/[A-Za-z0-9._+@-]{1,255})+$`)

// systemDirs are where a container keeps what it cannot run without: a share mounted there, below or above would
// hide it or let its producer replace it; and where podshare puts the agent. The aliases are where merged-/usr systems and
// /var/run really point.
var systemDirs = []string{
	"/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sys", "/dev",
	"/run/secrets/kubernetes.io/serviceaccount", "/var/run/secrets/kubernetes.io/serviceaccount",
	api.AgentProgram, api.AgentDir, "/var" + api.AgentDir,
}

// CheckMountPath says whether a share can be mounted at a path. Kubernetes itself only asks that it is not empty.
func CheckMountPath(p string) error {
	if err := CheckAbsolutePath(p); err != nil {
		return err
	}
	for _, dir := range systemDirs {
		if Within(p, dir) || Within(dir, p) {
			return fmt.Errorf("lies in, or over, %s: a share is mounted outside the system's directories (%s)",
				dir, strings.Join(systemDirs, ", "))
		}
	}
	return nil
}

// CheckAbsolutePath says whether a path is absolute, in its shortest form and made of harmless characters.
func CheckAbsolutePath(p string) error {
	const allowed = `must be an absolute path of letters, digits and . _ - + @ between slashes, such as "/data/rules"`
	switch {
	case p == "/":
		return errors.New("must not be the root directory; " + allowed)
	case !pathPattern.MatchString(p):
		return errors.New(allowed)
	case path.Clean(p) != p:
		return fmt.Errorf(`must be in its shortest form, which is %q`, path.Clean(p))
	}
	return nil
}

// sizePattern is the part of Kubernetes' quantities that sizes use. It also bounds the exponent: comparing 1e999999999
// with anything takes resource.Quantity more than ten minutes.
var sizePattern = regexp.MustCompile(`^[0-9]{1,19}(\.[0-9]{1,9})?([KMGTPE]i|[kMGTPE]|[eE][0-9]{1,2})?$`)

// ParseSize reads a number of bytes that a claim can ask for: whole, more than 0, at most what 63 bits hold.
func ParseSize(s string) (resource.Quantity, error) {
	const allowed = `must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"`
	if !sizePattern.MatchString(s) {
		return resource.Quantity{}, errors.New(allowed)
	}
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Sign() <= 0 {
		return resource.Quantity{}, errors.New(allowed)
	}
	if q.Cmp(*resource.NewQuantity(math.MaxInt64, resource.BinarySI)) >= 0 { // ParseQuantity cuts 8Ei and above to this
		return resource.Quantity{}, errors.New(`must be less than 8Ei`)
	}
	if q.Cmp(*resource.NewQuantity(q.Value(), resource.BinarySI)) != 0 { // Value rounds up
		return resource.Quantity{}, errors.New(allowed)
	}
	return q, nil
}

// quantityPattern is like sizePattern, with the suffixes of what is less than one.
var quantityPattern = regexp.MustCompile(`^[+-]?[0-9]{1,19}(\.[0-9]{1,9})?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$`)

// ParseQuantity reads an amount of CPU time or memory. It takes none that would take long to compare.
func ParseQuantity(s string) (resource.Quantity, error) {
	if !quantityPattern.MatchString(s) {
		return resource.Quantity{}, errors.New(`must be a quantity, such as "100m", "1.5" or "64Mi"`)
	}
	return resource.ParseQuantity(s)
}

// parseNumber reads a whole number within bounds.
func parseNumber(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
	}
	return n, nil
}

// producersPattern has neither the brackets nor the backslash of path.Match, so that no pattern can be malformed.
var producersPattern = regexp.MustCompile(`^[a-z0-9*?-]{1,63}/[a-z0-9*?.-]{1,253}$`)

// checkProducers says whether a text is a pattern of namespaces and of the service accounts in them.
func checkProducers(pattern string) error {
	if !producersPattern.MatchString(pattern) {
		return errors.New(`must be "namespace/service-account", where * stands for any characters and ? for one, such as "shop/*" or "*/rule-editor"`)
	}
	return nil
}

// CheckStorageClass says whether a string can be the name of a StorageClass.
func CheckStorageClass(name string) error {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return errors.New(`must be the name of a StorageClass: lower case letters, digits, "-" and ".", ` +
			`beginning and ending with a letter or digit, at most 253 characters`)
	}
	return nil
}
