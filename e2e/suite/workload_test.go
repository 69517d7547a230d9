package suite_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// template is a pod as a workload makes it.
func template(pod *corev1.Pod) corev1.PodTemplateSpec {
	pod.Labels = map[string]string{"app": pod.Name}
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec}
}

func TestEveryKindOfWorkloadTakesPart(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	create(t, producer)
	awaitReady(t, producer)
	publish(t, producer, "rules", 3)

	// Each imports the module, so a pod without the share fails.
	const once = "import pricing; print('price', pricing.PRICE)"
	consumer := func(name, program string) (metav1.ObjectMeta, *metav1.LabelSelector, corev1.PodTemplateSpec) {
		pod := newPod(namespace, name, map[string]string{"consume": "rules"}, runs(program))
		return metav1.ObjectMeta{Namespace: namespace, Name: name}, &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, template(pod)
	}
	finite := func(pod corev1.PodTemplateSpec) corev1.PodTemplateSpec {
		pod.Spec.RestartPolicy = corev1.RestartPolicyNever
		return pod
	}
	t.Run("Deployment", func(t *testing.T) {
		t.Parallel()
		meta, selector, pod := consumer("deployment", following)
		create(t, &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: selector, Template: pod}})
		awaitImports(t, namespace, "deployment", 2)
	})
	t.Run("StatefulSet", func(t *testing.T) {
		t.Parallel()
		meta, selector, pod := consumer("statefulset", following)
		create(t, &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: new(int32(2)), Selector: selector, Template: pod}})
		awaitImports(t, namespace, "statefulset", 2)
	})
	t.Run("DaemonSet", func(t *testing.T) {
		t.Parallel()
		meta, selector, pod := consumer("daemonset", following)
		create(t, &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: pod}})
		awaitImports(t, namespace, "daemonset", len(schedulable(t)))
	})
	t.Run("Job, which ends with its sidecar", func(t *testing.T) {
		t.Parallel()
		meta, _, pod := consumer("job", once)
		job := &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: finite(pod), BackoffLimit: new(int32(0))}}
		create(t, job)
		awaitComplete(t, namespace, "job")
	})
	t.Run("CronJob", func(t *testing.T) {
		t.Parallel()
		meta, _, pod := consumer("cronjob", once)
		create(t, &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{
			Schedule:    "* * * * *",
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: finite(pod), BackoffLimit: new(int32(0))}},
		}})
		awaitComplete(t, namespace, "cronjob")
	})
	t.Run("a bare pod with a generated name", func(t *testing.T) {
		t.Parallel()
		pod := newPod(namespace, "", map[string]string{"consume": "rules"}, runs(following))
		pod.GenerateName = "bare-"
		create(t, pod)
		awaitReady(t, pod)
		awaitLog(t, pod, "app", "price 3")
	})
}

// awaitPods waits until as many pods of a workload are ready, and returns them.
func awaitPods(t *testing.T, namespace, app string, count int) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		if err := api.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app": app}); err != nil {
			return err
		}
		if len(list.Items) != count {
			return fmt.Errorf("%s has %d pods, and not %d", app, len(list.Items), count)
		}
		return nil
	}))
	for n := range list.Items {
		awaitReady(t, &list.Items[n])
	}
	return list.Items
}

// awaitImports waits until they have imported the module, too.
func awaitImports(t *testing.T, namespace, app string, count int) {
	t.Helper()
	for _, pod := range awaitPods(t, namespace, app, count) {
		awaitLog(t, &pod, "app", "price 3")
	}
}

// awaitComplete waits until a pod of a workload that ends has ended well.
func awaitComplete(t *testing.T, namespace, app string) {
	t.Helper()
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var list corev1.PodList
		if err := api.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app": app}); err != nil {
			return err
		}
		for _, pod := range list.Items {
			if pod.Status.Phase == corev1.PodSucceeded {
				return nil
			}
		}
		return fmt.Errorf("none of the %d pods of %s has succeeded", len(list.Items), app)
	}))
}
