package inject

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/share"
)

// selectContainers finds who takes part, and whether the pod can have shares at all.
func (i *injection) selectContainers() {
	if os := i.pod.spec.OS; os == "windows" {
		i.mistakes = append(i.mistakes, field.Invalid(field.NewPath("spec", "os", "name"), os,
			"shares are mounted in Linux containers only; remove the podshare.dev/ annotations"))
	}
	if len(i.request.Containers) == 0 {
		i.taking = i.pod.spec.Containers
		return
	}
	all := slices.Concat(i.pod.spec.InitContainers, i.pod.spec.Containers)
	there := names(all)
	for _, name := range i.request.Containers {
		if !slices.Contains(there, name) {
			i.mistakes = append(i.mistakes, share.Invalid(api.Containers, name,
				"is no container of this pod; it has "+enumerate(there)))
		}
	}
	for _, c := range all {
		if slices.Contains(i.request.Containers, c.Name) {
			i.taking = append(i.taking, c)
		}
	}
}

func names(containers []*container) []string {
	list := make([]string, len(containers))
	for n, c := range containers {
		list[n] = c.Name
	}
	return list
}

// maxNames is how many names a message lists: a pod may have hundreds of containers.
const maxNames = 16

// enumerate lists names for a message.
func enumerate(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	var quoted []string
	for _, name := range names[:min(len(names), maxNames)] {
		quoted = append(quoted, share.Quote(name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - maxNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
