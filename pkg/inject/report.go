package inject

import (
	"encoding/json"
	"slices"

	"github.com/podshare/podshare/pkg/api"
)

// addMetadata marks the pod for the controller, and says on it what was done.
func (i *injection) addMetadata() {
	i.setKey("/metadata/labels", i.pod.metadata.Labels, api.InjectedLabel, "true")
	i.report = &api.Report{Containers: names(i.taking), Readiness: i.request.Readiness, LeftAlone: i.leftAlone()}
	for _, s := range i.request.Shares {
		i.report.Shares = append(i.report.Shares,
			api.ShareStatus{Name: s.Name, Role: s.Role, Claim: api.ClaimName(s.Name), Path: s.Path})
	}
	status, _ := json.Marshal(i.report) // strings and lists of them: cannot fail
	i.setKey("/metadata/annotations", i.pod.metadata.Annotations, api.Status, string(status))
}

// leftAlone lists what injection could have changed. It looks at the pod and not at the patch, so that a second
// injection says the same.
func (i *injection) leftAlone() []api.LeftAlone {
	var list []api.LeftAlone
	add := func(what string, names []string, why string) {
		if len(names) > 0 {
			list = append(list, api.LeftAlone{What: what + " " + enumerate(names), Why: why})
		}
	}
	add("containers", names(i.notTaking(i.pod.spec.Containers)), api.Containers+" does not name them")
	add("init containers", names(i.notTaking(i.pod.spec.InitContainers)),
		"an init container takes part only when "+api.Containers+" names it")
	if i.request.PythonPath == api.PythonPathNone && len(i.request.Of(api.Consumer)) > 0 {
		list = append(list, api.LeftAlone{What: api.EnvPythonPath, Why: api.PythonPath + " is none"})
	}
	if len(i.request.Of(api.Producer)) > 0 {
		add(api.EnvDontWriteBytecode+" in", names(i.writingBytecode()), "the pod sets it, to something other than 1")
	}
	add("volumes", i.volumesOfTheirOwn(), "the pod's own volumes on a share's claim")
	switch i.request.Readiness {
	case api.ReadinessContainer:
		add("readinessProbe of", names(filter(i.taking, (*container).keepsProbe)), "a container has one, and this one is the pod's own")
	case api.ReadinessSidecar:
		if !i.identity().judged && len(i.request.Of(api.Producer)) > 0 {
			list = append(list, api.LeftAlone{What: "the test whether shares can be written", Why: "the pod does not say one user other " +
				"than root, and a group, for its containers"})
		}
	}
	return list
}

func (i *injection) notTaking(containers []*container) []*container {
	return filter(containers, func(c *container) bool { return !slices.Contains(i.taking, c) })
}

func (i *injection) writingBytecode() []*container {
	return filter(i.taking, func(c *container) bool {
		n, found := c.last(api.EnvDontWriteBytecode)
		return found && c.Env[n].Value != "1"
	})
}

// volumesOfTheirOwn are volumes of the user's on the claim of one of the shares.
func (i *injection) volumesOfTheirOwn() []string {
	var names []string
	for _, v := range i.pod.spec.Volumes {
		for _, s := range i.request.Shares {
			if v.Claim != nil && v.Claim.ClaimName == api.ClaimName(s.Name) && v.Name != api.VolumeName(s.Name) {
				names = append(names, v.Name)
			}
		}
	}
	return names
}

func filter(containers []*container, keep func(*container) bool) []*container {
	var kept []*container
	for _, c := range containers {
		if keep(c) {
			kept = append(kept, c)
		}
	}
	return kept
}
