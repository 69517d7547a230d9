package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/workload"
)

// workloadCase is a workload with all that explains what its pods get.
type workloadCase struct {
	*workload.Workload
	object    *unstructured.Unstructured
	settings  settings
	gate      gate
	namespace *corev1.Namespace // nil: it could not be read
	claims    map[string]*corev1.PersistentVolumeClaim
	// pods that it, or what it made, has made; the oldest first.
	pods []corev1.Pod
	// events of the pods and of what makes them, the oldest first.
	events  []corev1.Event
	now     time.Time
	notRead notes
	// file is where the workload is written, such as "app.yaml:12"; then there are no pods, and claims are not known. Empty: in the cluster.
	file string
}

// workload reads what belongs to a workload. What cannot be read is noted, since the rest may explain it all the same.
func (e *explainer) workload(ctx context.Context, object *unstructured.Unstructured, w *workload.Workload) *workloadCase {
	c := &workloadCase{Workload: w, object: object, settings: e.settings, gate: e.gate, now: time.Now()}
	c.notRead.add("MutatingWebhookConfiguration "+configurationName, e.gate.err)
	var err error
	c.namespace, err = e.namespace(ctx, object.GetNamespace())
	c.notRead.add("namespace "+object.GetNamespace(), err)
	c.claims, err = e.claimsOf(ctx, object.GetNamespace(), named(w.Pod.Metadata().Annotations))
	c.notRead.add("claims", err)
	makers, err := e.makers(ctx, object)
	c.notRead.add("what makes its pods", err)
	c.notRead.add("pods", e.addPods(ctx, c, makers))
	return c
}

// makes are the kinds that make no pods themselves, and what they make.
var makes = map[string]schema.GroupVersionKind{
	"Deployment": appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"),
	"CronJob":    batchv1.SchemeGroupVersion.WithKind("JobList"),
}

// makers are the object and what it made that makes pods.
func (c *cluster) makers(ctx context.Context, object *unstructured.Unstructured) (map[types.UID]bool, error) {
	makers := map[types.UID]bool{object.GetUID(): true}
	kind, has := makes[object.GetKind()]
	if !has {
		return makers, nil
	}
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(kind)
	err := c.List(ctx, &list, client.InNamespace(object.GetNamespace()))
	for i := range list.Items {
		if owner := metav1.GetControllerOf(&list.Items[i]); owner != nil && owner.UID == object.GetUID() {
			makers[list.Items[i].UID] = true
		}
	}
	return makers, err
}

// addPods adds the pods of the makers, and the Events of both.
func (c *cluster) addPods(ctx context.Context, to *workloadCase, makers map[types.UID]bool) error {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(to.object.GetNamespace())); err != nil {
		return err
	}
	concerned := makers
	for _, pod := range pods.Items {
		if owner := metav1.GetControllerOf(&pod); owner != nil && makers[owner.UID] {
			to.pods = append(to.pods, pod)
		}
	}
	for _, pod := range to.pods {
		concerned[pod.UID] = true
	}
	slices.SortFunc(to.pods, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	var err error
	to.events, err = c.eventsAbout(ctx, to.object.GetNamespace(), concerned)
	return err
}

func (c *workloadCase) explain() *explanation {
	namespace, name := c.object.GetNamespace(), c.object.GetName()
	e := &explanation{object: fmt.Sprintf("%s %s/%s", c.Kind, namespace, name)}
	template, whose, pods := c.Pod.Metadata().Annotations, "the template of "+c.Kind+" "+name, "its pods are"
	if c.Path == "" { // it is a pod
		whose, pods = c.Kind+" "+name, "is"
	}
	asks := len(ourKeys(template)) > 0
	if asks {
		e.findings = c.gate.whyNotCalled(namespace, c.namespace, c.templateLabels())
	}
	e.findings = append(e.findings, misplaced(c.Kind, name, annotationsIn(c.Workload), c.mend(), c.Misplaced())...)
	if c.Path != "" {
		e.findings = append(e.findings, unread(c.Kind+" "+name, c.object.GetAnnotations(), c.object.GetLabels())...)
	}
	e.findings = append(e.findings, unread(whose, template, c.templateLabels())...)
	result, err := c.Pod.Inject(namespace, c.settings.Config)
	switch {
	case !asks:
		e.verdict = "asks for no share"
		if len(e.findings) == 0 {
			e.findings = []finding{ok("there is no annotation of podshare's on it or its template").
				mend("to give its pods a share, add %s or %s to %s", api.Consume, api.Produce, annotationsIn(c.Workload))}
		}
	case err != nil:
		e.verdict = pods + " refused"
		e.findings = append(e.findings, mistakesOf(err, c.Path, c.mend())...)
		e.details.field("Judged By", "%s", c.settings.from)
	default:
		e.verdict = c.explainInjection(e, result, pods+" injected")
	}
	if c.file == "" {
		c.showPods(e)
	}
	c.notRead.show(&e.details)
	return e
}

// mend is how to change the template.
func (c *workloadCase) mend() string {
	if c.file != "" {
		return "mend it in " + c.file
	}
	return edit(c.Kind, c.object.GetNamespace(), c.object.GetName())
}

// explainInjection is for a template that is right, and returns the verdict: the one given, if all is well.
func (c *workloadCase) explainInjection(e *explanation, result *inject.Result, injected string) string {
	report := result.Report
	if report == nil {
		return "gets nothing: it has no containers"
	}
	for _, w := range result.Warnings {
		e.findings = append(e.findings, warn("%s", w))
	}
	e.findings = append(e.findings, c.refusals()...)
	if len(c.pods) > 0 { // no claim is made without one
		e.findings = append(e.findings, claimFindings(c.object.GetNamespace(), report, c.claims)...)
	}
	showReport(&e.details, report, c.Pod.Metadata().Annotations, c.claims)
	e.details.field("Containers", "%s", strings.Join(report.Containers, ", "))
	showReadiness(&e.details, report, c.Pod.Metadata().Annotations)
	showLeftAlone(&e.details, report)
	e.details.field("Judged By", "%s", c.settings.from)
	if count(e.findings, trouble) > 0 {
		return "asks for shares, and does not get them"
	}
	return injected
}

// refusals are the last that a maker of pods was told, when no pod has been made since.
func (c *workloadCase) refusals() []finding {
	e := last(c.events, func(e *corev1.Event) bool { return e.Reason == "FailedCreate" })
	if e == nil || !strings.Contains(e.Message, "podshare") {
		return nil
	}
	if n := len(c.pods); n > 0 && c.pods[n-1].CreationTimestamp.After(lastSeen(e)) {
		return nil
	}
	f := broken("%s %s could not make a pod %s ago: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, age(lastSeen(e), c.now), oneLine(e.Message))
	return []finding{f.mend("%s", meaning(e.Message))}
}

func (c *workloadCase) templateLabels() map[string]string {
	if c.Path == "" {
		return c.object.GetLabels()
	}
	labels, _, _ := unstructured.NestedStringMap(c.object.Object, append(strings.Split(c.Path, "."), "metadata", "labels")...)
	return labels
}

// showPods shows the pods, and finds those that have not what the template asks for.
func (c *workloadCase) showPods(e *explanation) {
	asks := len(ourKeys(c.Pod.Metadata().Annotations)) > 0
	if len(c.pods) == 0 {
		e.details.field("Pods", "<none>")
		return
	}
	e.details.line("Pods:")
	e.details.head("Name", "Injected", "Ready", "Age", "Node", "Message")
	for i := range c.pods {
		pod := &c.pods[i]
		injected := "yes"
		if !isInjected(pod) {
			injected = "no"
		}
		if asks && !isInjected(pod) && !hasEnded(pod) {
			e.findings = append(e.findings, broken("pod %s is not injected", pod.Name).
				mend("kubectl podshare explain pod/%s -n %s", pod.Name, pod.Namespace))
		}
		e.details.row(pod.Name, injected, readiness(pod), age(pod.CreationTimestamp.Time, c.now), none(pod.Spec.NodeName), oneLine(complaint(pod, of(c.events, pod.UID))))
	}
}
