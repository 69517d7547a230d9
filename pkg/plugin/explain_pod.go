package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/share"
)

// podCase is a pod with all that explains it.
type podCase struct {
	*corev1.Pod
	settings settings
	gate     gate
	// namespace has its labels; nil: it could not be read.
	namespace *corev1.Namespace
	// owners are what made the pod, the nearest first.
	owners []*unstructured.Unstructured
	// claims by the names of their shares; a share that has none is not in it.
	claims map[string]*corev1.PersistentVolumeClaim
	// events of the pod, the oldest first.
	events  []corev1.Event
	notRead notes
}

// pod reads what belongs to a pod. What cannot be read is noted, since the rest may explain it all the same.
func (e *explainer) pod(ctx context.Context, pod *corev1.Pod) *podCase {
	c := &podCase{Pod: pod, settings: e.settings, gate: e.gate}
	c.notRead.add("MutatingWebhookConfiguration "+configurationName, e.gate.err)
	var err error
	c.owners, err = e.ownersOf(ctx, pod)
	c.notRead.add("what made the pod", err)
	c.events, err = e.eventsOn(ctx, pod.Namespace, pod.UID)
	c.notRead.add("Events", err)
	c.namespace, err = e.namespace(ctx, pod.Namespace)
	c.notRead.add("namespace "+pod.Namespace, err)
	c.claims, err = e.claimsOf(ctx, pod.Namespace, named(pod.Annotations))
	c.notRead.add("claims", err)
	return c
}

// namespace is nil where it could not be read.
func (c *cluster) namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	var namespace corev1.Namespace
	if err := c.Get(ctx, client.ObjectKey{Name: name}, &namespace); err != nil {
		return nil, err
	}
	return &namespace, nil
}

func (c *cluster) claimsOf(ctx context.Context, namespace string, shares []share.Share) (map[string]*corev1.PersistentVolumeClaim, error) {
	claims := map[string]*corev1.PersistentVolumeClaim{}
	for _, s := range shares {
		var claim corev1.PersistentVolumeClaim
		found, err := c.read(ctx, client.ObjectKey{Namespace: namespace, Name: api.ClaimName(s.Name)}, &claim)
		if err != nil {
			return claims, err
		}
		if found {
			claims[s.Name] = &claim
		}
	}
	return claims, nil
}

// isInjected says that the pod has what its annotations ask for, as the policy podshare-injected does.
func isInjected(pod *corev1.Pod) bool {
	shares := named(pod.Annotations)
	if len(shares) == 0 || pod.Labels[api.InjectedLabel] != "true" {
		return false
	}
	return !slices.ContainsFunc(shares, func(s share.Share) bool {
		return !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
			return v.Name == api.VolumeName(s.Name) && v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == api.ClaimName(s.Name)
		})
	})
}

func (c *podCase) explain() *explanation {
	e := &explanation{object: fmt.Sprintf("Pod %s/%s", c.Namespace, c.Name)}
	if isInjected(c.Pod) {
		e.verdict = "injected"
		c.explainInjected(e)
	} else {
		e.verdict = "not injected"
		e.findings = c.whyNot()
	}
	c.notRead.show(&e.details)
	return e
}

func (c *podCase) explainInjected(e *explanation) {
	switch said := complaint(c.Pod, c.events); {
	case hasEnded(c.Pod):
		e.verdict += ", and has ended"
	case said == "":
		e.verdict += ", and ready"
	default:
		e.verdict += ", and not ready"
		e.findings = append(e.findings, advise(said, c.Namespace))
	}
	report := c.report()
	if report == nil {
		return
	}
	e.findings = append(e.findings, claimFindings(c.Namespace, report, c.claims)...)
	showReport(&e.details, report, c.Annotations, c.claims)
	c.showContainers(&e.details, report)
	showReadiness(&e.details, report, c.Annotations)
	showLeftAlone(&e.details, report)
}

// report is what the webhook wrote on the pod, or what it would write today where somebody removed that. Nil: neither can be had.
func (c *podCase) report() *api.Report {
	var report api.Report
	if json.Unmarshal([]byte(c.Annotations[api.Status]), &report) == nil && len(report.Shares) > 0 {
		return &report
	}
	if result, err := c.inject(); err == nil {
		return result.Report
	}
	return nil
}

// inject is what the webhook would make of the pod today.
func (c *podCase) inject() (*inject.Result, error) {
	typed := c.DeepCopy()
	typed.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	raw, err := json.Marshal(typed)
	if err != nil {
		return nil, err
	}
	pod, err := inject.Parse(raw)
	if err != nil {
		return nil, err
	}
	return pod.Inject(c.Namespace, c.settings.Config)
}

// claimFindings are about the claims of shares: without them pods wait.
func claimFindings(namespace string, report *api.Report, claims map[string]*corev1.PersistentVolumeClaim) []finding {
	var findings []finding
	for _, s := range report.Shares {
		claim := claims[s.Name]
		switch {
		case claim == nil:
			findings = append(findings, warn("share %s has no claim: podshare's controller has not made %s", s.Name, s.Claim).
				mend("kubectl podshare doctor"))
		case claim.DeletionTimestamp != nil:
			findings = append(findings, warn("claim %s is being deleted; pods that use it keep it until they end", s.Claim))
		case !slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteMany):
			findings = append(findings, warn("claim %s is %s, and a share needs ReadWriteMany", s.Claim, accessModes(claim.Spec.AccessModes)).
				mend("delete the claim, and podshare makes one: its data is lost; or choose another name for the share"))
		case claim.Status.Phase != corev1.ClaimBound:
			findings = append(findings, warn("claim %s is %s", s.Claim, dash(string(claim.Status.Phase))).
				mend("kubectl -n %s describe pvc %s", namespace, s.Claim))
		}
	}
	return findings
}

// showReport shows the shares. claims are nil where they are not known.
func showReport(p *page, report *api.Report, annotations map[string]string, claims map[string]*corev1.PersistentVolumeClaim) {
	p.line("Shares:")
	p.head("Name", "Role", "Path", "Access", "Claim", "Phase", "Because Of")
	for _, s := range report.Shares {
		phase, access := "Missing", "read-only"
		if claims == nil {
			phase = "<unknown>"
		} else if claim := claims[s.Name]; claim != nil {
			phase = dash(string(claim.Status.Phase))
		}
		if s.Role == api.Producer {
			access = "read-write"
		}
		key := share.Annotation(s.Role)
		p.row(s.Name, string(s.Role), s.Path, access, s.Claim, phase, key+": "+oneLine(annotations[key]))
	}
}

// showContainers shows what the containers that take part have of podshare.
func (c *podCase) showContainers(p *page, report *api.Report) {
	p.line("Containers:")
	p.head("Name", "Mounts", "Variables")
	for _, container := range slices.Concat(c.Spec.InitContainers, c.Spec.Containers) {
		if !slices.Contains(report.Containers, container.Name) {
			continue
		}
		var mounts, variables []string
		for _, m := range container.VolumeMounts {
			if slices.ContainsFunc(report.Shares, func(s api.ShareStatus) bool { return m.Name == api.VolumeName(s.Name) }) {
				mounts = append(mounts, m.MountPath)
			}
		}
		for _, v := range container.Env {
			if isOurVariable(v.Name, report) {
				variables = append(variables, v.Name+"="+oneLine(v.Value))
			}
		}
		p.row(container.Name, none(strings.Join(mounts, " ")), none(strings.Join(variables, " ")))
	}
}

// isOurVariable says whether podshare sets or changes an environment variable of a pod.
func isOurVariable(name string, report *api.Report) bool {
	for _, s := range report.Shares {
		switch name {
		case api.DirEnv(s.Name):
			return true
		case api.EnvPythonPath:
			return slices.ContainsFunc(report.Shares, func(s api.ShareStatus) bool { return s.Role == api.Consumer })
		case api.EnvDontWriteBytecode:
			return slices.ContainsFunc(report.Shares, func(s api.ShareStatus) bool { return s.Role == api.Producer })
		}
	}
	return false
}

// readers say who looks at the shares, by the mode.
var readers = map[api.ReadinessMode]string{
	api.ReadinessSidecar:   "container " + api.AgentContainer + " looks at the shares",
	api.ReadinessContainer: "the readinessProbe of each container that brought none looks at the shares",
	api.ReadinessNone:      "nobody looks at the shares",
}

func showReadiness(p *page, report *api.Report, annotations map[string]string) {
	why := "by default"
	if _, said := annotations[api.Readiness]; said {
		why = api.Readiness
	}
	p.field("Readiness", "%s (%s): %s", report.Readiness, why, readers[report.Readiness])
	if files, awaits := annotations[api.Await]; awaits {
		p.field("Awaited", "%s", oneLine(files))
	}
}

func showLeftAlone(p *page, report *api.Report) {
	for i, left := range report.LeftAlone {
		if i == 0 {
			p.line("Left Alone:")
		}
		p.line("  %s: %s", left.What, left.Why)
	}
}
