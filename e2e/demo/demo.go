package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/screen"
	"github.com/podshare/podshare/e2e/servers"
	"github.com/podshare/podshare/pkg/api"
)

const (
	programs     = "bin"
	assets       = "bin/assets"
	installation = "manifests/overlays/local"
)

// readyLimit bounds each wait: many times what it takes.
const readyLimit = 30 * time.Second

// demo is one run. Its parts are told in order: each uses what those before it left.
type demo struct {
	screen  *screen.Screen
	parts   int // that were begun
	cluster *cluster.Cluster
	servers *servers.Servers
	client  client.WithWatch

	calls      map[string]int // of the webhook, before the samples were applied
	samples    []sample
	node       bool // whether the pods run
	claim      corev1.PersistentVolumeClaim
	claimDelay time.Duration // from the first pod that named its share
}

// runDemo shows everything and removes it, whatever happens; with KEEP=1 it stays after success.
func runDemo(ctx context.Context) (err error) {
	begun := time.Now()
	keep := os.Getenv("KEEP") == "1"
	d := &demo{screen: screen.New(os.Stdout)}
	var lacking string
	d.node, lacking = canHaveNode()
	d.introduce(lacking)
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = errInterrupted // whatever was going on failed for that reason only
		}
		if d.cluster != nil && (err != nil || !keep) {
			err = errors.Join(err, d.screen.Step("everything stopped and removed", d.cluster.Stop))
		}
		if err == nil {
			d.conclude(keep, time.Since(begun))
		}
	}()
	for _, part := range []func(context.Context) error{
		func(ctx context.Context) error { return d.startCluster(ctx, keep) },
		d.installPodshare,
		d.applySamples,
		d.showClaim,
		d.showPress,
		d.showAdditions,
		d.showReadiness,
		d.showPlainPod,
		d.showRefusal,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	d.screen.Title("That was all")
	return nil
}

// title begins a part, which gets the next number.
func (d *demo) title(format string, arguments ...any) {
	d.parts++
	d.screen.Title("%d. "+format, append([]any{d.parts}, arguments...)...)
}

// introduce says what is to come. lacking is why there is no node, if there is none.
func (d *demo) introduce(lacking string) {
	d.screen.Say("%s", d.screen.Paint(screen.Bold, "podshare: one annotation, and pods share files."))
	if d.node {
		d.screen.Say("Here it runs on a real Kubernetes on this machine, with a node of its own: its pods run, and share files.")
		return
	}
	d.screen.Say("Here it runs on a real Kubernetes control plane on this machine, without nodes, Docker or root.\n"+
		"Without nodes pods are created and stay Pending; what podshare does to them is all there.\n"+
		"With a node their pods would run: %s.", lacking)
}

func (d *demo) startCluster(ctx context.Context, keep bool) error {
	title, what := "A control plane", "etcd, kube-apiserver, kube-controller-manager and kube-scheduler are ready"
	if d.node {
		title, what = "A cluster with a node", "etcd, Kubernetes' control plane, containerd, kubelet and kube-proxy are ready"
	}
	d.title("%s", title)
	leftovers, err := cluster.Clean(cluster.Root, false)
	if err != nil {
		return err
	}
	for _, leftover := range leftovers {
		d.screen.Say("  removed %s, which a run that was killed had left", leftover)
	}
	err = d.screen.Step(what, func() error {
		d.cluster, err = cluster.StartNew(ctx, "demo-", cluster.Options{Assets: assets, Keep: keep, Node: d.node})
		if err != nil {
			return err
		}
		config := d.cluster.Config()
		config.WarningHandler = rest.NoWarnings{} // they would stand in the middle of what is shown
		d.client, err = client.NewWithWatch(config, client.Options{})
		return err
	})
	if err != nil || !d.node {
		return err
	}
	return d.screen.Step("the node has podshare's agent, and Python made of the distribution's packages", func() error {
		return d.importImages(ctx)
	})
}

func (d *demo) installPodshare(ctx context.Context) error {
	d.title("podshare, from %s", installation)
	objects, err := install.Render(installation)
	if err != nil {
		return err
	}
	if d.servers, err = servers.New(d.cluster, programs, objects); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{
			fmt.Sprintf("%d objects applied; only the webhook's address differs from a user's installation", len(objects)),
			func() error { return install.Apply(ctx, d.cluster.Config(), objects) },
		},
		{
			"podshare-webhook is ready: it answers the API server, and holds no credentials",
			func() error { return d.servers.StartWebhook(ctx) },
		},
		{
			"podshare-controller is ready: it makes claims, and may do what its ServiceAccount may",
			func() error { return d.servers.StartController(ctx, "") },
		},
		{"a first annotated pod, as a dry run, gets its share", func() error { return d.awaitInjection(ctx) }},
	} {
		if err := d.screen.Step(step.what, step.do); err != nil {
			return err
		}
	}
	return nil
}

// awaitInjection waits until the API server has taken over the new webhook configuration: that takes it a moment, in
// which annotated pods would be refused. It asks by dry runs, which create nothing.
func (d *demo) awaitInjection(ctx context.Context) error {
	return d.servers.Webhook.Await(ctx, "an annotated pod to be injected", readyLimit, func(ctx context.Context) error {
		pod := newPod("probe", map[string]string{api.Consume: "rules"})
		if err := d.client.Create(ctx, pod, client.DryRunAll); err != nil {
			return err
		}
		if len(pod.Spec.Volumes) == 0 {
			return errors.New("it was created without its share")
		}
		return nil
	})
}

func newPod(name string, annotations map[string]string) *corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "python:3.14-slim"}}}}
	pod.Namespace, pod.Name, pod.Annotations = "default", name, annotations
	pod.Spec.AutomountServiceAccountToken = new(false) // its volume is not of interest here
	return pod
}

// conclude says how to go on.
func (d *demo) conclude(keep bool, took time.Duration) {
	d.screen.Say("\n%s", d.screen.Paint(screen.Bold, fmt.Sprintf("Done in %.0f s.", took.Seconds())))
	if !keep {
		d.screen.Say("To look around by yourself:  KEEP=1 make demo")
		return
	}
	here, err := os.Getwd()
	if err != nil {
		here = "."
	}
	d.screen.Say("It is left running. To look around:\n\n"+
		"  export KUBECONFIG=%s\n  export PATH=%s:%s:$PATH\n  kubectl -n %s get pods,persistentvolumeclaims\n  kubectl podshare -n %s list\n\n"+
		"Logs: %s\nTo stop and remove it: make clean-cluster",
		d.cluster.Kubeconfig(), filepath.Join(here, programs), filepath.Join(here, assets), samplesNamespace, samplesNamespace, d.cluster.Logs())
}
