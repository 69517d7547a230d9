package suite_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
)

// The sample with which users measure their storage, as it is but for the image and the number of rounds.
func TestFreshnessIsMeasuredOnTheClustersStorage(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	objects, err := install.Render(repositoryPath("manifests", "samples", "freshness"))
	require.NoError(t, err)
	for _, object := range objects {
		object.SetNamespace(namespace)
		if object.GetKind() != "Job" {
			create(t, object)
			continue
		}
		var job batchv1.Job
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &job))
		container := &job.Spec.Template.Spec.Containers[0]
		container.Image, container.Command[0] = pythonImage, "python3"
		container.Env = append(container.Env, corev1.EnvVar{Name: "ROUNDS", Value: "3"})
		create(t, &job)
	}

	key := client.ObjectKey{Namespace: namespace, Name: "freshness"}
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var job batchv1.Job
		if err := api.Get(ctx, key, &job); err != nil {
			return err
		}
		if job.Status.Succeeded < 2 {
			return fmt.Errorf("of the Job's 2 pods %d have succeeded, %d failed", job.Status.Succeeded, job.Status.Failed)
		}
		return nil
	}))
	var pods corev1.PodList
	require.NoError(t, api.List(t.Context(), &pods, client.InNamespace(namespace)))
	require.Len(t, pods.Items, 2)
	var said string
	used := map[string]bool{}
	for _, pod := range pods.Items {
		used[pod.Spec.NodeName] = true
		if pod.Labels[batchv1.JobCompletionIndexAnnotation] == "0" {
			said, err = readLog(t.Context(), &pod, "freshness")
			require.NoError(t, err)
		}
	}
	t.Log(said)
	assert.Equal(t, len(used) == 1, strings.Contains(said, "Both pods ran on one node"), "whether it says that it was one node")
	report := regexp.MustCompile(`(?m)^  .*: \d+\.\d{3} s \(median\), never more than \d+\.\d{3} s$`)
	assert.Len(t, report.FindAllString(said, -1), 4, "what it has measured")
}
