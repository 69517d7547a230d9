// Package inject computes what a pod's annotations add to it: a pure function of the pod and the platform's
// configuration, without a client, a clock or I/O.
package inject

import (
	"cmp"
	"fmt"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
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

// Metadata is how people know a pod.
type Metadata struct {
	// Name is the pod's, or what it will begin with when the API server is to make one up.
	Name string
	// OwnerKind and OwnerName say who makes it, such as the ReplicaSet web-6d4cf56db6: where its user finds a refusal in Events.
	OwnerKind, OwnerName string
	Annotations          map[string]string
}

// RefusedError is a pod whose annotations cannot be honoured. Nothing of it is injected.
type RefusedError struct {
	// Mistakes are all of them: of type Forbidden where policy is in the way, of another type where the pod is wrong.
	Mistakes field.ErrorList
}

// In are the mistakes with the fields of an object that has the pod at a path, such as "spec.template". An empty one is the pod itself.
func (e *RefusedError) In(path string) field.ErrorList {
	if path == "" {
		return e.Mistakes
	}
	mistakes := make(field.ErrorList, len(e.Mistakes))
	for i, m := range e.Mistakes {
		there := *m
		there.Field = path + "." + m.Field
		mistakes[i] = &there
	}
	return mistakes
}

func (e *RefusedError) Error() string { return e.Mistakes.ToAggregate().Error() }

// Inject computes the injection of a pod in the namespace of the request: pods that controllers make may not say theirs. A pod that is
// injected already gives an empty patch, one that is injected in part gets the missing parts. The error is a *RefusedError.
func (p *Pod) Inject(namespace string, c *config.Config) (*Result, error) {
	if p.isMirror() {
		return &Result{}, nil // it only shows a static pod, which runs already
	}
	request, mistakes := share.Parse(p.metadata.Annotations, c)
	const most = 16 // operations, for most pods
	i := &injection{patch: make([]jsonpatch.Operation, 0, most), pod: p, namespace: namespace, config: c, request: request, mistakes: mistakes}
	if len(request.Shares) > 0 || len(mistakes) > 0 {
		i.run()
	}
	switch {
	case len(i.mistakes) > 0:
		return nil, &RefusedError{i.mistakes}
	case len(i.taking) == 0:
		return &Result{}, nil // no shares, or no containers: then the API server refuses the pod itself
	}
	return &Result{Patch: i.patch, Warnings: i.warnings.render(), Report: i.report}, nil
}

// injection is the state of computing one. The mistakes and the patch are collected by its steps side by side, so that
// a pod's conflicts are reported together with its annotations' mistakes.
type injection struct {
	pod       *Pod
	namespace string
	config    *config.Config
	request   *share.Request
	taking    []*container // the containers that take part

	patch    []jsonpatch.Operation
	created  []string // the lists that the patch begins, by their paths
	mistakes field.ErrorList
	warnings notes
	report   *api.Report
}

// steps are what injection does, in the order of the patch. Each leaves alone what is there in the right form.
var steps = []func(*injection){
	(*injection).checkProducer,
	(*injection).selectContainers,
	(*injection).addVolumes,
	(*injection).addMounts,
	(*injection).addDirectories,
	(*injection).addPythonPath,
	(*injection).warnOfIsolation,
	(*injection).addBytecodeSwitch,
	(*injection).addReadiness,
	(*injection).addMetadata,
}

func (i *injection) run() {
	for _, step := range steps {
		step(i)
	}
}

// checkProducer asks the platform's policy. The pod's service account is asked about, not who makes the pod: that is a controller.
func (i *injection) checkProducer() {
	if len(i.request.Of(api.Producer)) == 0 {
		return
	}
	account := cmp.Or(i.pod.spec.ServiceAccount, "default") // as the API server fills it in
	if i.config.AllowsProducer(i.namespace, account) {
		return
	}
	i.mistakes = append(i.mistakes, share.Forbidden(api.Produce, i.pod.metadata.Annotations[api.Produce], fmt.Sprintf(
		"this platform lets only some pods produce, by namespace/service account: %s; this pod's is %s",
		strings.Join(i.config.Limits.Producers, ", "), share.Quote(i.namespace+"/"+account))))
}

// conflict is something in the pod that keeps a share from being injected.
func (i *injection) conflict(s share.Share, detail string) {
	i.mistakes = append(i.mistakes, share.Invalid(share.Annotation(s.Role), s.Name, detail))
}
