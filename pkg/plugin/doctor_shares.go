package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/api"
)

func (d *doctor) checkStorage(ctx context.Context) []finding {
	var classes storagev1.StorageClassList
	if err := d.List(ctx, &classes); err != nil {
		return hidden("StorageClasses", err)
	}
	findings := []finding{judgeDefaultClass(classes.Items, d.settings.Defaults.StorageClass)}
	var able []string
	for i := range classes.Items {
		class := &classes.Items[i]
		known := driverOf(class.Provisioner)
		if known.shared == yes {
			able = append(able, class.Name)
			findings = append(findings, known.with(class.Parameters).late("StorageClass "+class.Name, optionsOf(class.MountOptions, class.Parameters))...)
		}
	}
	if len(able) > 0 {
		findings = append(findings, ok("StorageClasses that offer ReadWriteMany: %s", strings.Join(able, ", ")))
	}
	return findings
}

// judgeDefaultClass looks at the class of shares that name none: the platform's, else the cluster's.
func judgeDefaultClass(classes []storagev1.StorageClass, configured string) finding {
	which, wanted := "the class of new shares", func(c storagev1.StorageClass) bool { return c.Name == configured }
	if configured == "" {
		which, wanted = "the cluster's default class, which new shares get,", func(c storagev1.StorageClass) bool { return isDefault(&c) }
	}
	class := slices.IndexFunc(classes, wanted)
	const choose = "set defaults.storageClass in the platform's configuration to a class that offers ReadWriteMany"
	switch {
	case class < 0 && configured != "":
		return broken("defaults.storageClass is %s, and there is no such StorageClass: claims of new shares stay Pending", configured).mend(choose)
	case class < 0:
		return warn("there is no default StorageClass, and defaults.storageClass is not set: claims of new shares stay Pending, " +
			"unless somebody makes volumes for them").mend(choose)
	}
	name, known := classes[class].Name, driverOf(classes[class].Provisioner)
	text := fmt.Sprintf("%s is %s (%s): it %s", which, name, classes[class].Provisioner, known.describe())
	switch known.shared {
	case yes:
		return ok("%s", text)
	case no:
		return broken("%s", text).mend(choose)
	default:
		return warn("%s", text).mend("make sure that it does: the claims of new shares stay Pending otherwise")
	}
}

// patience is how long a claim may take before it is worth a word.
const patience = time.Minute

func (d *doctor) checkClaims(ctx context.Context) []finding {
	var findings []finding
	shares, err := d.shares(ctx, "")
	if err != nil {
		findings = append(findings, warn("only the shares of namespace %s are looked at: you may not list those of all", d.namespace))
		if shares, err = d.shares(ctx, d.namespace); err != nil {
			return hidden("claims and pods", err)
		}
	}
	for _, s := range shares {
		if f := s.judge(d.now); f != nil {
			findings = append(findings, *f)
		}
		findings = append(findings, d.lateVolume(ctx, s)...)
	}
	if len(findings) == 0 {
		return []finding{ok("shares: %d, none with a problem", len(shares))}
	}
	return findings
}

// judge is nil for a share that is well.
func (s *clusterShare) judge(now time.Time) *finding {
	var f finding
	wanted := s.tally(api.Producer).Wanted + s.tally(api.Consumer).Wanted
	look := fmt.Sprintf("kubectl podshare describe %s -n %s", s.Name, s.Namespace)
	switch {
	case s.claim == nil && wanted > 0 && now.Sub(s.pods[0].CreationTimestamp.Time) > patience:
		f = broken("share %s/%s has no claim, and waiting for it: %s", s.Namespace, s.Name, quantity(wanted, "pod")).mend("%s", look)
	case s.claim == nil:
		return nil
	case !slices.Contains(s.claim.Spec.AccessModes, corev1.ReadWriteMany):
		f = broken("claim %s/%s has a share's name and is %s, and a share needs ReadWriteMany",
			s.Namespace, s.claim.Name, accessModes(s.claim.Spec.AccessModes)).
			mend("delete the claim, and podshare makes one: its data is lost; or choose another name for the share")
		if len(s.pods) == 0 { // it may be about something else
			f.Level = doubt
		}
	case s.phase() == string(corev1.ClaimLost):
		f = broken("claim %s/%s has lost its volume", s.Namespace, s.claim.Name).mend("%s", look)
	case s.phase() == string(corev1.ClaimPending) && wanted > 0 && now.Sub(s.claim.CreationTimestamp.Time) > patience:
		f = broken("claim %s/%s is Pending for %s, and waiting for it: %s",
			s.Namespace, s.claim.Name, age(s.claim.CreationTimestamp.Time, now), quantity(wanted, "pod")).mend("%s", look)
	default:
		return nil
	}
	return &f
}

// lateVolume warns of a volume in use that was made with other mount options than its class has by now, or by hand.
func (d *doctor) lateVolume(ctx context.Context, s *clusterShare) []finding {
	if s.claim == nil || s.claim.Spec.VolumeName == "" || len(s.pods) == 0 {
		return nil
	}
	var volume corev1.PersistentVolume
	if found, err := d.read(ctx, client.ObjectKey{Name: s.claim.Spec.VolumeName}, &volume); err != nil || !found {
		return nil
	}
	return lateOf(&volume, fmt.Sprintf("share %s/%s", s.Namespace, s.Name))
}

// lateOf warns of a volume's mount options.
func lateOf(volume *corev1.PersistentVolume, what string) []finding {
	options := volume.Spec.MountOptions
	if csi := volume.Spec.CSI; csi != nil {
		options = optionsOf(options, csi.VolumeAttributes)
	}
	return driverOfVolume(volume).late(what, options)
}

// mostShown is how many pods are named before the rest is counted.
const mostShown = 5

// checkPods looks for pods that name shares and have not got them.
func (d *doctor) checkPods(ctx context.Context) []finding {
	var pods corev1.PodList
	if err := d.List(ctx, &pods); err != nil {
		if err = d.List(ctx, &pods, client.InNamespace(d.namespace)); err != nil {
			return hidden("pods", err)
		}
	}
	var findings []finding
	annotated, missed := 0, 0
	for i := range pods.Items {
		pod := &pods.Items[i]
		if len(ourKeys(pod.Annotations)) == 0 || hasEnded(pod) {
			continue
		}
		annotated++
		if isInjected(pod) {
			continue
		}
		if missed++; missed <= mostShown {
			findings = append(findings, warn("pod %s/%s has annotations of podshare's, and is not injected", pod.Namespace, pod.Name).
				mend("kubectl podshare explain pod/%s -n %s", pod.Name, pod.Namespace))
		}
	}
	switch {
	case missed == 0:
		return []finding{ok("pods with annotations of podshare's: %d, all injected", annotated)}
	case missed > mostShown:
		findings = append(findings, warn("%s more are not injected", quantity(missed-mostShown, "pod")))
	}
	return findings
}
