package inject

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/podshare/podshare/pkg/config"
)

// resources are those of a container, as they are read and as they are written.
type resources struct {
	Requests amounts `json:"requests,omitempty"`
	Limits   amounts `json:"limits,omitempty"`
}

// any says whether there is an amount of anything.
func (r *resources) any() bool { return len(r.Requests)+len(r.Limits) > 0 }

// amounts are quantities as they are written: in JSON each a string or a number.
type amounts map[string]string

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
	return amounts{"cpu": r.CPU.String(), "memory": r.Memory.String()}
}

func (i *injection) anyContainer(is func(*resources) bool) bool {
	return slices.ContainsFunc(slices.Concat(i.pod.spec.InitContainers, i.pod.spec.Containers), func(c *container) bool {
		return is(&c.Resources)
	})
}

func asksForSomething(r *resources) bool {
	for _, name := range []string{"cpu", "memory"} {
		if r.Requests.positive(name) || r.Limits.positive(name) {
			return true
		}
	}
	return false
}

func isNotGuaranteed(r *resources) bool {
	for _, name := range []string{"cpu", "memory"} {
		limit, ok := r.Limits.get(name)
		if !ok || limit.Sign() <= 0 {
			return true
		}
		if request, ok := r.Requests[name]; ok { // without one, the limit is the request
			if quantity, err := config.ParseQuantity(request); err != nil || quantity.Cmp(limit) != 0 {
				return true
			}
		}
	}
	return false
}

func (a amounts) positive(name string) bool {
	quantity, ok := a.get(name)
	return ok && quantity.Sign() > 0
}

// get reads an amount; what cannot be read is none: the API server refuses it.
func (a amounts) get(name string) (resource.Quantity, bool) {
	text, ok := a[name]
	if !ok {
		return resource.Quantity{}, false
	}
	quantity, err := config.ParseQuantity(text)
	return quantity, err == nil
}
