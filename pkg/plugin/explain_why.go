package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/share"
	"github.com/podshare/podshare/pkg/workload"
)

// whyNot says why nothing of podshare's, or not all of it, is in a pod.
func (c *podCase) whyNot() []finding {
	if len(ourKeys(c.Annotations)) == 0 {
		return c.whyNotAsked()
	}
	findings := c.gate.whyNotCalled(c.Namespace, c.namespace, c.Labels)
	if _, mirror := c.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return []finding{broken("the pod is the mirror of a static pod, which runs already: podshare leaves those alone").
			mend("run it as a Deployment or a DaemonSet")}
	}
	if _, err := c.inject(); err != nil {
		findings = append(findings, mistakesOf(err, "", "mend it in "+c.templateOf())...)
	}
	if g := c.gate.configuration; g != nil && c.CreationTimestamp.Before(&g.CreationTimestamp) {
		findings = append(findings, broken("the pod was created %s before podshare was registered: pods are injected when they are created",
			between(c.CreationTimestamp.Time, g.CreationTimestamp.Time)).mend("%s", c.again()))
	} else if late, found := c.annotatedLater(); found {
		findings = append(findings, late.mend("%s", c.again()))
	}
	if len(findings) > 0 {
		return findings
	}
	return []finding{c.lastGuess().mend("%s", c.again()).mend("kubectl podshare doctor")}
}

// lastGuess is for a pod that nothing is wrong with: podshare was not asked, or was undone.
func (c *podCase) lastGuess() finding {
	switch w := c.gate.webhook(); {
	case w != nil && w.FailurePolicy != nil && *w.FailurePolicy == admissionv1.Ignore:
		return broken("the webhook's failurePolicy is Ignore: a pod that is created while podshare does not answer goes without its shares")
	case w == nil:
		return broken("whether the API server asks podshare cannot be seen, and nothing else explains it")
	default:
		return broken("podshare was not asked when the pod was created, or another webhook has removed what it added")
	}
}

// again is how to create a pod anew.
func (c *podCase) again() string {
	if len(c.owners) > 0 {
		top := c.owners[len(c.owners)-1]
		if slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, top.GetKind()) {
			return fmt.Sprintf("kubectl -n %s rollout restart %s %s", c.Namespace, strings.ToLower(top.GetKind()), top.GetName())
		}
		return fmt.Sprintf("kubectl -n %s delete pod %s    (%s %s makes another one)", c.Namespace, c.Name, c.owners[0].GetKind(), c.owners[0].GetName())
	}
	return fmt.Sprintf("delete the pod and create it again: kubectl -n %s replace --force -f FILE", c.Namespace)
}

// whyNotAsked is for a pod without an annotation of podshare's.
func (c *podCase) whyNotAsked() []finding {
	findings := unread(c.templateOf(), c.Annotations, c.Labels)
	for _, owner := range c.owners {
		findings = append(findings, c.inOwner(owner)...)
	}
	if len(findings) > 0 {
		return findings
	}
	return []finding{ok("neither the pod nor what made it has an annotation of podshare's: it asks for no share").
		mend("to give it one, add %s or %s to %s", api.Consume, api.Produce, c.templateOf())}
}

// inOwner is what stands on one of the objects above a pod, or in its template, and has not come to the pod.
func (c *podCase) inOwner(owner *unstructured.Unstructured) []finding {
	kind, name, namespace := owner.GetKind(), owner.GetName(), owner.GetNamespace()
	w := readWorkload(owner)
	if w == nil { // a kind that podshare does not know: what it copies to its pods is its own matter
		return misplaced(kind, name, "the metadata of its pod template", edit(kind, namespace, name), ourKeys(owner.GetAnnotations()))
	}
	if metav1.GetControllerOf(owner) != nil {
		return nil // it has the template of what made it, which is looked at too
	}
	findings := misplaced(kind, name, annotationsIn(w), edit(kind, namespace, name), w.Misplaced())
	findings = append(findings, unread(kind+" "+name, owner.GetAnnotations(), owner.GetLabels())...)
	if keys := ourKeys(w.Pod.Metadata().Annotations); len(keys) > 0 {
		f := broken("the template of %s %s has %s by now; the pod was made before, from an older one", kind, name, strings.Join(keys, ", "))
		findings = append(findings, f.mend("%s", c.again()))
	}
	return findings
}

// annotationsIn is where a workload's pods have their annotations from.
func annotationsIn(w *workload.Workload) string {
	return strings.TrimPrefix(w.Path+".metadata.annotations", ".")
}

// templateOf says where a pod's annotations are written: in the template of what made it.
func (c *podCase) templateOf() string {
	if len(c.owners) == 0 {
		return "metadata.annotations of the pod"
	}
	top := c.owners[len(c.owners)-1]
	if w := readWorkload(top); w != nil {
		return fmt.Sprintf("%s of %s %s", annotationsIn(w), top.GetKind(), top.GetName())
	}
	return fmt.Sprintf("the pod template of %s %s", top.GetKind(), top.GetName())
}

// mistakesOf are what the webhook says to annotations, below a path.
func mistakesOf(err error, path, remedy string) []finding {
	refusal, is := errors.AsType[*inject.RefusedError](err)
	if !is {
		return []finding{broken("%v", err)}
	}
	var findings []finding
	for _, mistake := range refusal.In(path) {
		findings = append(findings, broken("%v", mistake).mend("%s", remedy))
	}
	return findings
}

// systemNamespaces are left out by the configurations that podshare comes with.
var systemNamespaces = []string{metav1.NamespaceSystem, systemNamespace}

// whyNotCalled says why the API server does not ask podshare about new pods of a namespace with some labels.
func (g gate) whyNotCalled(name string, namespace *corev1.Namespace, podLabels map[string]string) []finding {
	excluded := broken("namespace %s is excluded: the API server does not ask podshare about its pods", name).
		mend("run the pod in another namespace, or ask the platform team about the namespaceSelector of MutatingWebhookConfiguration %s", configurationName)
	w := g.webhook()
	switch {
	case w == nil && slices.Contains(systemNamespaces, name):
		return []finding{excluded}
	case g.err != nil:
		return nil
	case w == nil:
		return []finding{broken("MutatingWebhookConfiguration %s does not exist: the API server asks nobody about annotated pods", configurationName).
			mend("kubectl podshare doctor")}
	case namespace != nil && !passes(w.NamespaceSelector, namespace.Labels):
		return []finding{excluded}
	case len(w.ClientConfig.CABundle) == 0:
		return []finding{broken("MutatingWebhookConfiguration %s has no caBundle: the API server trusts nobody's answer, and refuses annotated pods",
			configurationName).mend("kubectl podshare doctor")}
	case !passes(w.ObjectSelector, podLabels):
		return []finding{broken("the objectSelector of MutatingWebhookConfiguration %s does not match the pod's labels", configurationName).
			mend("ask the platform team which labels it wants: %s", metav1.FormatLabelSelector(w.ObjectSelector))}
	}
	return nil
}

// annotatedLater finds that our annotations were written when the pod was there already: by kubectl annotate, for one.
func (c *podCase) annotatedLater() (finding, bool) {
	for _, entry := range c.ManagedFields {
		if entry.Time == nil || entry.FieldsV1 == nil || !entry.Time.After(c.CreationTimestamp.Time) {
			continue
		}
		var fields struct {
			Metadata struct {
				Annotations map[string]json.RawMessage `json:"f:annotations"`
			} `json:"f:metadata"`
		}
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		for _, key := range ourKeys(c.Annotations) {
			if _, owned := fields.Metadata.Annotations["f:"+key]; owned {
				return broken("%s was written by %s, which changed the pod %s after it was created: pods are injected when they are created",
					key, share.Quote(entry.Manager), between(c.CreationTimestamp.Time, entry.Time.Time)), true
			}
		}
	}
	return finding{}, false
}

// between is how long it is from one moment to another, as kubectl writes ages.
func between(from, to time.Time) string { return duration.HumanDuration(to.Sub(from)) }
