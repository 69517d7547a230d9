package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/screen"
	"github.com/podshare/podshare/pkg/api"
)

// bindLimit is how long the demo waits for the claim's volume: that is the storage's work, not podshare's.
const bindLimit = 5 * time.Second

// showClaim shows the claim that nobody wrote, and how soon it was there.
func (d *demo) showClaim(ctx context.Context) error {
	d.title("Nobody wrote a claim: podshare created it")
	claim := &d.claim
	err := d.servers.Controller.Await(ctx, "the claim's volume", bindLimit, func(ctx context.Context) error {
		if err := d.client.Get(ctx, client.ObjectKeyFromObject(claim), claim); err != nil {
			return err
		}
		if claim.Status.Phase != corev1.ClaimBound {
			return fmt.Errorf("it is %s", claim.Status.Phase)
		}
		return nil
	})
	if ctx.Err() != nil {
		return err // without a volume, the claim's phase says so
	}
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	d.screen.Say("    %s  %s  %s  %s", claim.Name, size.String(), claim.Spec.AccessModes[0], claim.Status.Phase)
	d.screen.Say("\n    It appeared %s after the first pod that names the share.",
		d.screen.Paint(screen.Bold, fmt.Sprintf("%d ms", d.claimDelay.Milliseconds())))
	return nil
}

// showAdditions shows what podshare added to the annotated pods.
func (d *demo) showAdditions(ctx context.Context) error {
	d.title("Nobody wrote a volume, a mount or a variable: podshare added these to the pods")
	return d.eachAddition(ctx, func(_ *sample, added additions) error {
		d.screen.Diff(added.shares)
		return nil
	})
}

// showReadiness shows what makes the pods' readiness depend on the share.
func (d *demo) showReadiness(ctx context.Context) error {
	d.title("Nobody wrote a check: a pod is ready when its share is")
	return d.eachAddition(ctx, func(s *sample, added additions) error {
		d.screen.Diff(added.readiness)
		own := s.template.Spec.Containers[0].ReadinessProbe
		if own == nil {
			return nil
		}
		if !equality.Semantic.DeepEqual(own, s.pod.Spec.Containers[0].ReadinessProbe) {
			return fmt.Errorf("the readinessProbe of pod %s was changed", s.pod.Name)
		}
		d.screen.Say("\n    The readinessProbe that it brought is left alone.")
		return nil
	})
}

// eachAddition shows something of each annotated pod.
func (d *demo) eachAddition(ctx context.Context, show func(*sample, additions) error) error {
	for _, s := range d.samples {
		if s.annotation() == "" {
			continue
		}
		added, err := d.additionsTo(ctx, &s)
		if err != nil {
			return err
		}
		if len(added.shares) == 0 || len(added.readiness) == 0 {
			return fmt.Errorf("pod %s is annotated %q but its share, or its readiness, was not added", s.pod.Name, s.annotation())
		}
		d.screen.Say("    %s\n", d.screen.Paint(screen.Bold, s.name+" ("+s.annotation()+")"))
		if err := show(&s, added); err != nil {
			return err
		}
		d.screen.Say("")
	}
	return nil
}

// showPlainPod shows that podshare had nothing to do with the pod without annotations.
func (d *demo) showPlainPod(ctx context.Context) error {
	d.title("A pod without annotations is not podshare's business")
	annotated := 0
	for _, s := range d.samples {
		if s.annotation() != "" {
			annotated++
			continue
		}
		added, err := d.additionsTo(ctx, &s)
		if err != nil {
			return err
		}
		if changes := slices.Concat(added.shares, added.readiness); len(changes) > 0 {
			return fmt.Errorf("pod %s has no annotation, but was changed:\n%s", s.pod.Name, strings.Join(changes, "\n"))
		}
		d.screen.Say("    %s: nothing was added.", s.name)
	}
	calls, err := d.servers.WebhookCalls(ctx)
	if err != nil {
		return err
	}
	producers, consumers := calls["producer"]-d.calls["producer"], calls["consumer"]-d.calls["consumer"]
	if others := calls["none"] - d.calls["none"]; others > 0 {
		return fmt.Errorf("the webhook was called %d times for pods without annotations", others)
	}
	d.screen.Say("    For these %d pods the API server called the webhook %d times, its metrics say: for %d producer, for %d "+
		"consumers,\n    and never for a pod without annotations.", len(d.samples), producers+consumers, producers, consumers)
	return nil
}

// showRefusal shows how somebody learns of mistakes: all of them, at once, when the pod is created.
func (d *demo) showRefusal(ctx context.Context) error {
	d.title("Mistakes are refused, all at once, with what is right")
	const misspelt = api.Prefix + "pyton-path"
	annotations := map[string]string{api.Consume: "rules:/etc/rules", misspelt: "prepend"}
	d.screen.Say("    A pod with these annotations:\n")
	for _, key := range []string{api.Consume, misspelt} {
		d.screen.Say("    %s: %s", key, d.screen.Paint(screen.Red, annotations[key]))
	}
	err := d.client.Create(ctx, newPod("mistaken", annotations))
	if err == nil {
		return errors.New("the API server accepted a pod with these annotations")
	}
	if !apierrors.IsInvalid(err) {
		return fmt.Errorf("a pod with these annotations was not called invalid: %w", err)
	}
	d.screen.Say("\n    The API server's answer:\n")
	d.screen.Quote(err.Error())
	return nil
}
