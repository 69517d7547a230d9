//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/images"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/retry"
	"github.com/podshare/podshare/e2e/servers"
	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

const (
	assets       = "bin/assets"
	programs     = "bin"
	installation = "manifests/overlays/local"

	namespace = "default"
	idleImage = "localhost/idle:e2e"
	appLabel  = "app"
	consumer  = "consumer"
	producer  = "producer"

	// injectLimit bounds the wait for the webhook, podsLimit that for all pods: many times what either takes.
	injectLimit = 30 * time.Second
	podsLimit   = 15 * time.Minute
	tick        = time.Second
	// settled is how long the pods are left alone before they are measured: three probes of each.
	settled = 30 * time.Second
)

// run is one run. Its steps are done in order: each uses what those before it left.
type run struct {
	options options
	cluster *cluster.Cluster
	client  client.Client
	pods    map[string][]corev1.Pod // by their label app
	agents  map[string][]*measured  // likewise
	node    []nodeProgram
}

func (r *run) start(ctx context.Context) (err error) {
	r.cluster, err = cluster.StartNew(ctx, "agents-", cluster.Options{Assets: assets, Node: true})
	if err != nil {
		return err
	}
	access := r.cluster.Config()
	access.WarningHandler = rest.NoWarnings{}
	r.client, err = client.New(access, client.Options{})
	return err
}

// importImages gives the agent the name that the configuration gives it by default: the node cannot pull it.
func (r *run) importImages(ctx context.Context) error {
	dir := filepath.Join(filepath.Dir(r.cluster.Kubeconfig()), "images") // removed with the cluster
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	agent, idle := filepath.Join(dir, "agent.tar"), filepath.Join(dir, "idle.tar")
	return errors.Join(
		images.Program(config.Default().Agent.Image, filepath.Join(programs, api.AgentContainer), agent),
		images.Program(idleImage, filepath.Join(programs, "pause"), idle),
		r.cluster.Import(ctx, agent, idle),
	)
}

// install runs podshare's servers beside the control plane: on the node they would be measured with the agents.
func (r *run) install(ctx context.Context) error {
	objects, err := install.Render(installation)
	if err != nil {
		return err
	}
	const line = "  probe: %s\n"
	if err := install.ChangeConfig(objects, fmt.Sprintf(line, config.ProbeExec), fmt.Sprintf(line, r.options.probe)); err != nil {
		return err
	}
	s, err := servers.New(r.cluster, programs, objects)
	if err != nil {
		return err
	}
	if err := install.Apply(ctx, r.cluster.Config(), objects); err != nil {
		return err
	}
	if err := s.StartWebhook(ctx); err != nil {
		return err
	}
	if err := s.StartController(ctx, ""); err != nil {
		return err
	}
	// The API server takes a moment to know the webhook, in which it would refuse annotated pods.
	return s.Webhook.Await(ctx, "an annotated pod to get an agent", injectLimit, func(ctx context.Context) error {
		template := newTemplate(consumer, api.Consume)
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.Name = namespace, "trial"
		if err := r.client.Create(ctx, pod, client.DryRunAll); err != nil {
			return err
		}
		if len(pod.Spec.InitContainers) == 0 {
			return errors.New("it was created without one")
		}
		return nil
	})
}

// newTemplate is of pods whose own program does nothing, and which are otherwise as a user's who takes care: without requests, or
// without saying its user, a pod would get an agent that may use more or that looks at less.
func newTemplate(app, role string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{appLabel: app}, Annotations: map[string]string{role: "rules"}},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(10001)), RunAsGroup: new(int64(10001)), FSGroup: new(int64(10001)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "idle", Image: idleImage,
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m")}},
			}},
		},
	}
}

// runPods makes a Deployment of each role, and waits until their pods are ready.
func (r *run) runPods(ctx context.Context) error {
	for _, d := range []struct {
		app, role string
		replicas  int
	}{{producer, api.Produce, 1}, {consumer, api.Consume, r.options.pods}} {
		deployment := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: d.app},
			Spec: appsv1.DeploymentSpec{
				Replicas: new(int32(d.replicas)), //nolint:gosec // a number of pods
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{appLabel: d.app}},
				Template: newTemplate(d.app, d.role),
			},
		}
		if err := r.client.Create(ctx, deployment); err != nil {
			return err
		}
	}
	return retry.Within(ctx, podsLimit, tick, func(ctx context.Context) error {
		if _, err := r.readPods(ctx); err != nil {
			return err
		}
		for app, want := range map[string]int{producer: 1, consumer: r.options.pods} {
			if have := len(r.pods[app]); have != want {
				return fmt.Errorf("there are %d pods of %s and not %d", have, app, want)
			}
		}
		return nil
	})
}

// settle waits until the pods have been ready for a while: what their start costs is not measured.
func (r *run) settle(ctx context.Context) error {
	return retry.Within(ctx, podsLimit, tick, func(ctx context.Context) error {
		last, err := r.readPods(ctx)
		if rest := settled - time.Since(last); err == nil && rest > 0 {
			err = fmt.Errorf("the last pod still has to be ready for %s", rest)
		}
		return err
	})
}

// readPods reads the pods, and says since when all are ready, or which is not.
func (r *run) readPods(ctx context.Context) (since time.Time, err error) {
	var list corev1.PodList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return since, err
	}
	r.pods = map[string][]corev1.Pod{}
	for _, pod := range list.Items {
		ready, problem := readySince(&pod)
		if problem != nil {
			return since, problem
		}
		if ready.After(since) {
			since = ready
		}
		app := pod.Labels[appLabel]
		r.pods[app] = append(r.pods[app], pod)
	}
	return since, nil
}

// readySince is when a pod became ready; the error has what its conditions say when it is not.
func readySince(pod *corev1.Pod) (since time.Time, err error) {
	var messages []string
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time, nil
		}
		if condition.Message != "" {
			messages = append(messages, condition.Message)
		}
	}
	return since, fmt.Errorf("pod %s is %s and not ready: %s", pod.Name, pod.Status.Phase, strings.Join(messages, "; "))
}
