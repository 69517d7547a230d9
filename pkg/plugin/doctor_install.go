package plugin

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/program"
)

// oldest is the first version of Kubernetes in which all that podshare needs is stable: docs/platform.md.
var oldest = version.MustParseSemantic("1.33.0")

func (d *doctor) checkKubernetes(context.Context) []finding {
	typed, err := d.typed()
	if err != nil {
		return hidden("the version of Kubernetes", err)
	}
	info, err := typed.Discovery().ServerVersion()
	if err != nil {
		return hidden("the version of Kubernetes", err)
	}
	return judgeKubernetes(info.GitVersion)
}

func judgeKubernetes(written string) []finding {
	v, err := version.ParseGeneric(written)
	switch {
	case err != nil:
		return hidden("the version of Kubernetes", err)
	case v.LessThan(oldest):
		return []finding{broken("Kubernetes is %s, and podshare needs 1.33 or later", written).mend("upgrade the cluster: native sidecars and " +
			"matchConditions are not stable in this version")}
	default:
		return []finding{ok("Kubernetes is %s", written)}
	}
}

// deployments are podshare's two, with what happens without them.
var deployments = []struct{ name, without string }{
	{webhookName, "annotated pods are refused until it answers"},
	{controllerName, "new shares get no claims, so their pods wait"},
}

func (d *doctor) checkInstallation(ctx context.Context) []finding {
	switch found, err := d.read(ctx, client.ObjectKey{Name: systemNamespace}, &corev1.Namespace{}); {
	case err != nil:
		return hidden("namespace "+systemNamespace, err)
	case !found:
		return []finding{broken("namespace %s does not exist: podshare is not installed", systemNamespace).
			mend("%s", reapply)}
	}
	var findings []finding
	for _, known := range deployments {
		what := fmt.Sprintf("Deployment %s/%s", systemNamespace, known.name)
		var deployment appsv1.Deployment
		switch found, err := d.read(ctx, client.ObjectKey{Namespace: systemNamespace, Name: known.name}, &deployment); {
		case err != nil:
			findings = append(findings, hidden(what, err)...)
		case !found:
			findings = append(findings, broken("%s does not exist: %s", what, known.without).mend("%s", reapply))
		default:
			findings = append(findings, judgeDeployment(&deployment, known.without))
		}
	}
	return findings
}

func judgeDeployment(deployment *appsv1.Deployment, without string) finding {
	wanted, available := int32(1), deployment.Status.AvailableReplicas
	if deployment.Spec.Replicas != nil {
		wanted = *deployment.Spec.Replicas
	}
	what := fmt.Sprintf("Deployment %s/%s", deployment.Namespace, deployment.Name)
	look := fmt.Sprintf("kubectl -n %s describe pods -l app.kubernetes.io/component=%s", deployment.Namespace,
		deployment.Spec.Template.Labels["app.kubernetes.io/component"])
	switch {
	case wanted == 0:
		return warn("%s is scaled to 0: something else has to do its work, or %s", what, without).
			mend("kubectl -n %s scale deployment %s --replicas 2", deployment.Namespace, deployment.Name)
	case available == 0:
		return broken("%s has none of its %s available: %s", what, quantity(int(wanted), "pod"), without).mend("%s", look)
	case available < wanted:
		return warn("%s has %d of its %s available", what, available, quantity(int(wanted), "pod")).mend("%s", look)
	default:
		return ok("%s has %d of %s available", what, available, quantity(int(wanted), "pod"))
	}
}

// release is what versions of podshare look like.
var release = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)

func (d *doctor) checkVersions(ctx context.Context) []finding {
	running, order := map[string]string{"this plugin": program.Version}, []string{"this plugin"}
	if d.settings.read {
		running["agent.image"] = tag(d.settings.Agent.Image)
		order = append(order, "agent.image")
	}
	for _, known := range deployments {
		var deployment appsv1.Deployment
		found, err := d.read(ctx, client.ObjectKey{Namespace: systemNamespace, Name: known.name}, &deployment)
		if containers := deployment.Spec.Template.Spec.Containers; err == nil && found && len(containers) > 0 {
			running[known.name] = tag(containers[0].Image)
			order = append(order, known.name)
		}
	}
	return judgeVersions(order, running)
}

// judgeVersions compares those that are releases: what somebody built is called as they like.
func judgeVersions(order []string, running map[string]string) []finding {
	var texts []string
	releases := map[string]bool{}
	for _, name := range order {
		texts = append(texts, name+" "+dash(running[name]))
		if release.MatchString(running[name]) {
			releases[running[name]] = true
		}
	}
	text := strings.Join(texts, ", ")
	if len(releases) > 1 {
		return []finding{warn("versions differ: %s", text).mend("install one version of the manifests, of agent.image and of this plugin")}
	}
	return []finding{ok("versions: %s", text)}
}

// tag is that of an image's reference; empty where it has none, or a digest.
func tag(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		return name[colon+1:]
	}
	return ""
}

func (d *doctor) checkPolicy(ctx context.Context) []finding {
	const without = "an annotated pod that the webhook was not asked about starts without its shares"
	var policy admissionv1.ValidatingAdmissionPolicy
	switch found, err := d.read(ctx, client.ObjectKey{Name: policyName}, &policy); {
	case err != nil:
		return hidden("ValidatingAdmissionPolicy "+policyName, err)
	case !found:
		return []finding{broken("ValidatingAdmissionPolicy %s does not exist: %s", policyName, without).mend("%s", reapply)}
	}
	var bindings admissionv1.ValidatingAdmissionPolicyBindingList
	if err := d.List(ctx, &bindings); err != nil {
		return hidden("ValidatingAdmissionPolicyBindings", err)
	}
	for _, binding := range bindings.Items {
		for _, action := range binding.Spec.ValidationActions {
			if binding.Spec.PolicyName == policyName && action == admissionv1.Deny {
				return []finding{ok("ValidatingAdmissionPolicy %s is bound, and denies", policyName)}
			}
		}
	}
	return []finding{broken("ValidatingAdmissionPolicy %s has no binding that denies: %s", policyName, without).mend("%s", reapply)}
}

func (d *doctor) checkController(ctx context.Context) []finding {
	var lease coordinationv1.Lease
	switch found, err := d.read(ctx, client.ObjectKey{Namespace: systemNamespace, Name: controllerName}, &lease); {
	case err != nil:
		return hidden("the controller's lease", err)
	case !found:
		return []finding{broken("the controller has no lease: it has never worked here, so no claims are made").
			mend("kubectl -n %s logs deployment/%s", systemNamespace, controllerName)}
	}
	return []finding{d.judgeLease(&lease)}
}

func (d *doctor) judgeLease(lease *coordinationv1.Lease) finding {
	logs := fmt.Sprintf("kubectl -n %s logs deployment/%s", systemNamespace, controllerName)
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" || lease.Spec.RenewTime == nil {
		return broken("nobody holds the controller's lease: no claims are made").mend("%s", logs)
	}
	seconds := int32(10)
	if lease.Spec.LeaseDurationSeconds != nil {
		seconds = *lease.Spec.LeaseDurationSeconds
	}
	if late := d.now.Sub(lease.Spec.RenewTime.Time); late.Seconds() > float64(2*seconds) {
		return broken("the controller's lease was renewed %s ago, and is valid for %d s: no claims are made",
			between(lease.Spec.RenewTime.Time, d.now), seconds).mend("%s", logs)
	}
	return ok("the controller's lease is fresh, held by %s", *lease.Spec.HolderIdentity)
}
