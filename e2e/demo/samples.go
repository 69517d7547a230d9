package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/images"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/pkg/api"
)

const (
	samples          = "manifests/samples"
	samplesNamespace = "podshare-samples"
)

// sample is a Deployment and the pod that its controllers made of its template.
type sample struct {
	name     string
	template corev1.PodTemplateSpec
	pod      corev1.Pod
}

// annotation is what the template says to podshare, "" when it says nothing.
func (s *sample) annotation() string {
	for _, role := range api.Roles {
		if shares, ok := s.template.Annotations[role]; ok {
			return role + ": " + shares
		}
	}
	return ""
}

// applySamples applies the four Deployments, waits for their pods and for the claim, and notes when they appeared.
func (d *demo) applySamples(ctx context.Context) error {
	d.title("Four Deployments, from %s", samples)
	objects, err := install.Render(samples)
	if err != nil {
		return err
	}
	if d.node {
		if err := useImage(objects, images.PythonImage); err != nil {
			return err
		}
		d.screen.Say("  (their image is %s here, as this node cannot pull any)", images.PythonImage)
	}
	if d.calls, err = d.servers.WebhookCalls(ctx); err != nil {
		return err
	}
	seeing, stop := context.WithCancel(ctx)
	defer stop()
	pod, err := d.firstSeen(seeing, &corev1.PodList{}, api.InjectedLabel)
	if err != nil {
		return err
	}
	claim, err := d.firstSeen(seeing, &corev1.PersistentVolumeClaimList{}, api.ShareLabel)
	if err != nil {
		return err
	}
	err = d.screen.Step("applied; each has its pod, and the claim is there", func() error {
		if err := install.Apply(ctx, d.cluster.Config(), objects); err != nil {
			return err
		}
		if err := d.servers.Controller.Await(ctx, "a pod of each Deployment", readyLimit, d.readSamples); err != nil {
			return err
		}
		return d.servers.Controller.Await(ctx, "the claim", readyLimit, func(ctx context.Context) error {
			return d.client.Get(ctx, client.ObjectKey{Namespace: samplesNamespace, Name: "podshare-rules"}, &d.claim)
		})
	})
	if err != nil {
		return err
	}
	d.claimDelay = (<-claim).Sub(<-pod)
	d.screen.Say("")
	for _, s := range d.samples {
		d.screen.Say("    %-15s %s", s.name, cmp.Or(s.annotation(), "no annotation"))
	}
	return nil
}

// firstSeen watches for objects with a label in the samples' namespace, and sends when the first one appears. The
// channel is closed without that when ctx ends before.
func (d *demo) firstSeen(ctx context.Context, kind client.ObjectList, label string) (<-chan time.Time, error) {
	watcher, err := d.client.Watch(ctx, kind, client.InNamespace(samplesNamespace), client.HasLabels{label})
	if err != nil {
		return nil, err
	}
	seen := make(chan time.Time, 1)
	go func() {
		defer close(seen)
		defer watcher.Stop()
		select {
		case <-watcher.ResultChan():
			seen <- time.Now()
		case <-ctx.Done():
		}
	}()
	return seen, nil
}

// readSamples reads the Deployments and their pods. The error names one that has no pod yet.
func (d *demo) readSamples(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	if err := d.client.List(ctx, &deployments, client.InNamespace(samplesNamespace)); err != nil {
		return err
	}
	d.samples = nil
	for _, deployment := range deployments.Items {
		var pods corev1.PodList
		selector := client.MatchingLabels(deployment.Spec.Selector.MatchLabels)
		if err := d.client.List(ctx, &pods, client.InNamespace(samplesNamespace), selector); err != nil {
			return err
		}
		if len(pods.Items) == 0 {
			return fmt.Errorf("the Deployment %s has no pod", deployment.Name)
		}
		d.samples = append(d.samples, sample{deployment.Name, deployment.Spec.Template, pods.Items[0]})
	}
	slices.SortFunc(d.samples, func(a, b sample) int { // producers, consumers, others
		return cmp.Or(cmp.Compare(b.annotation(), a.annotation()), cmp.Compare(a.name, b.name))
	})
	return nil
}
