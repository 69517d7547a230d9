package inject

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/config"
)

// resources are those of a container, as they are read and as they are written.
type resources struct {
	Requests amounts `json:"requests"`
	Limits   amounts `json:"limits"`
}

// any says whether there is an amount of anything.
func (r *resources) any() bool { return r.Requests.any() || r.Limits.any() }

// amounts are quantities as they are written: in JSON each a string or a number.
type amounts struct {
	CPU    string `json:"cpu"`
	Memory string `json:"memory"`
	// others says that there are amounts of something else.
	others bool
}

func (a *amounts) any() bool { return a.others || a.CPU != "" || a.Memory != "" }

// agentResources are the platform's, but for what the pod's quality of service asks, which they would change (Kubernetes,
// "Pod Quality of Service Classes"): a pod without any requests stays without, and in one whose requests are all its
// limits the agent's are too.
func (i *injection) agentResources() *resources {
	agent := i.config.Agent
	requests, limits := amountsOf(agent.Requests), amountsOf(agent.Limits)
	switch {
	case i.pod.spec.Resources.any(): // the pod's own resources decide; what a container asks for has to fit into them
		return nil
	case !i.anyContainer(asksForSomething):
		return nil
	case !i.anyContainer(isNotGuaranteed):
		return &resources{limits, limits}
	default:
		return &resources{requests, limits}
	}
}

func amountsOf(r config.Resources) amounts {
	return amounts{CPU: r.CPU.String(), Memory: r.Memory.String()}
}

func (i *injection) anyContainer(is func(*resources) bool) bool {
	of := func(c *container) bool { return is(&c.Resources) }
	return slices.ContainsFunc(i.pod.spec.InitContainers, of) || slices.ContainsFunc(i.pod.spec.Containers, of)
}

func asksForSomething(r *resources) bool {
	return slices.ContainsFunc([]string{r.Requests.CPU, r.Requests.Memory, r.Limits.CPU, r.Limits.Memory}, func(amount string) bool {
		quantity, ok := parse(amount)
		return ok && quantity.Sign() > 0
	})
}

func isNotGuaranteed(r *resources) bool {
	return differs(r.Requests.CPU, r.Limits.CPU) || differs(r.Requests.Memory, r.Limits.Memory)
}

// differs says that a request is not its limit, or that there is no limit. Without a request, the limit is that.
func differs(request, limit string) bool {
	most, ok := parse(limit)
	if !ok || most.Sign() <= 0 {
		return true
	}
	if request == "" {
		return false
	}
	quantity, ok := parse(request)
	return !ok || quantity.Cmp(most) != 0
}

// parse reads an amount; what cannot be read is none: the API server refuses it.
func parse(amount string) (resource.Quantity, bool) {
	if amount == "" {
		return resource.Quantity{}, false
	}
	quantity, err := config.ParseQuantity(amount)
	return quantity, err == nil
}
