package manifests_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// workloads are one of each kind, whose template has the annotations of a pod that newPod makes.
func workloads(template *corev1.Pod, own map[string]string) map[string]client.Object {
	meta := metav1.ObjectMeta{Namespace: template.Namespace, Name: "web", Annotations: own}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	pods := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector.MatchLabels, Annotations: template.Annotations}, Spec: template.Spec}
	job := *pods.DeepCopy()
	job.Spec.RestartPolicy = corev1.RestartPolicyNever
	return map[string]client.Object{
		"Deployment":  &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: pods}},
		"StatefulSet": &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: pods}},
		"DaemonSet":   &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: pods}},
		"ReplicaSet":  &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: pods}},
		"Job":         &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: job}},
		"CronJob": &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: job}},
		}},
	}
}

func TestWhoeverAppliesAWorkloadIsToldOfItsMistakes(t *testing.T) {
	startWebhook(t)
	for kind, object := range workloads(newPod("web", map[string]string{"consume": "Team_A"}), nil) {
		path := "spec.template"
		if kind == "CronJob" {
			path = "spec.jobTemplate.spec.template"
		}
		assert.ErrorContains(t, api.Create(t.Context(), object, client.DryRunAll), `admission webhook "workloads.podshare.dev" denied the request: `+
			`podshare: `+path+`.metadata.annotations[podshare.dev/consume]: Invalid value: "Team_A": a share's name has lower case letters`, kind)
	}
	for kind, object := range workloads(newPod("web", nil), map[string]string{"podshare.dev/consume": "rules"}) {
		warnings.take()
		require.NoError(t, api.Create(t.Context(), object, client.DryRunAll), kind)
		path := "spec.template"
		if kind == "CronJob" {
			path = "spec.jobTemplate.spec.template"
		}
		assert.Equal(t, []string{"podshare: podshare.dev/consume does nothing on the " + kind + "; move it to " + path + ".metadata"}, warnings.take())
	}
}

func TestAWorkloadThatIsRightIsWarnedOfWhatItsPodsWouldBe(t *testing.T) {
	startWebhook(t)
	for kind, object := range workloads(newPod("web", map[string]string{"consume": "rules"}), nil) {
		warnings.take()
		require.NoError(t, api.Create(t.Context(), object, client.DryRunAll), kind)
		assert.Equal(t, []string{`podshare: PYTHONPATH hides one that the image may set; podshare.dev/image-python-path would keep it: "app"`},
			warnings.take(), kind)
	}
}

func TestAWorkloadThatHadAMistakeBeforeCanBeChanged(t *testing.T) {
	deployment := workloads(newPod("web", map[string]string{"consume": "Team_A"}), nil)["Deployment"].(*appsv1.Deployment)
	deployment.GenerateName, deployment.Name = "old-", ""
	registerWebhooks(t, closedPort(t), nil)
	require.NoError(t, api.Create(t.Context(), deployment), "podshare is down, and keeps nobody from applying a workload")
	t.Cleanup(func() { require.NoError(t, api.Delete(context.Background(), deployment)) })

	startWebhook(t)
	warnings.take()
	patch := func(change map[string]any) error {
		raw, err := json.Marshal(change)
		require.NoError(t, err)
		return api.Patch(t.Context(), deployment, client.RawPatch("application/merge-patch+json", raw))
	}
	require.NoError(t, patch(map[string]any{"spec": map[string]any{"replicas": 3}}))
	told := warnings.take()
	require.Len(t, told, 1)
	assert.Contains(t, told[0], "podshare: its pods are refused: spec.template.metadata.annotations[podshare.dev/consume]: Invalid value: ")
	annotate := func(value string) map[string]any {
		return map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]any{"podshare.dev/consume": value},
		}}}}
	}
	require.ErrorContains(t, patch(annotate("Team_B")), `Invalid value: "Team_B"`, "another mistake is a new one")
	require.NoError(t, patch(annotate("rules")))
}

// The webhook's answer would be a refusal: that there is none shows that it was not called.
func TestWorkloadsThatAreNotAskedAbout(t *testing.T) {
	startWebhook(t)
	warnings.take()
	for kind, object := range workloads(newPod("web", nil), map[string]string{"example.com/podshare.dev": "x"}) {
		require.NoError(t, api.Create(t.Context(), object, client.DryRunAll), kind)
	}
	mistaken := newPod("web", map[string]string{"consume": "Team_A"})
	for kind, object := range workloads(mistaken, nil) {
		object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "App", Name: "app", UID: "1", Controller: new(true)}})
		require.NoError(t, api.Create(t.Context(), object, client.DryRunAll), "%s of a controller", kind)
	}
	mistaken.Namespace = "kube-system"
	for kind, object := range workloads(mistaken, nil) {
		require.NoError(t, api.Create(t.Context(), object, client.DryRunAll), "%s in kube-system", kind)
	}
	assert.Empty(t, warnings.take())
}
