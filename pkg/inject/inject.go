// Package inject computes what a pod's annotations add to it: a pure function of the pod and the platform's
// configuration, without a client, a clock or I/O.
package inject

import (
	"errors"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// Result is what injection makes of a pod.
type Result struct {
	// Patch turns the raw pod into the intended one. Empty: the pod is that already, or asks for nothing.
	Patch []jsonpatch.Operation
	// Warnings are for whoever creates the pod: each one line of at most 120 characters.
	Warnings []string
	// Report is what the pod says of its injection. Nil: it asks for nothing.
	Report *api.Report
}

// RefusedError is a pod whose annotations cannot be honoured. Nothing of it is injected.
type RefusedError struct {
	// Mistakes are all of them: of type Forbidden where policy is in the way, of another type where the pod is wrong.
	Mistakes field.ErrorList
}

func (e *RefusedError) Error() string { return e.Mistakes.ToAggregate().Error() }

// MalformedError is input that is no pod at all.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return e.Reason }

// Pod computes the injection of a pod, given as the JSON that its creator sent. The error is a *MalformedError or a *RefusedError.
func Pod(raw []byte, c *config.Config) (*Result, error) {
	return nil, errors.New("not yet")
}
