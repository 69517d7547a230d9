package inject_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
)

// TestTheReferenceShowsWhatHappens runs every example of docs/annotations.md.
func TestTheReferenceShowsWhatHappens(t *testing.T) {
	reference, err := os.ReadFile("../../docs/annotations.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```\n\n```text\n(.*?)```").FindAllSubmatch(reference, -1)
	require.NotEmpty(t, examples)
	shown := map[string]bool{}
	for _, example := range examples {
		var annotations map[string]string
		require.NoError(t, yaml.UnmarshalStrict(example[1], &annotations))
		for key := range annotations {
			shown[key] = true
		}
		assert.Equal(t, string(example[2]), outcome(t, annotations), "of\n%s", example[1])
	}
	for _, key := range api.Annotations {
		assert.True(t, shown[key], "%s has no example", key)
	}
}

// outcome is what the container app of a pod gets from annotations, or what the pod's creator is told.
func outcome(t *testing.T, annotations map[string]string) string {
	raw, err := json.Marshal(corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "example", Annotations: annotations},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "migrate"}},
			Containers:     []corev1.Container{{Name: "app"}, {Name: "worker"}},
		},
	})
	require.NoError(t, err)
	text := ""
	result, err := injectJSON(raw, "shop", config.Default())
	if refused := (*inject.RefusedError)(nil); errors.As(err, &refused) {
		for _, mistake := range refused.Mistakes {
			text += mistake.Error() + "\n"
		}
		return text
	}
	require.NoError(t, err)
	var pod corev1.Pod
	require.NoError(t, json.Unmarshal(apply(t, raw, result), &pod))
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		mode := "writable"
		if mount.ReadOnly {
			mode = "read-only"
		}
		text += fmt.Sprintf("mount %s (%s)\n", mount.MountPath, mode)
	}
	for _, variable := range pod.Spec.Containers[0].Env {
		text += variable.Name + "=" + variable.Value + "\n"
	}
	for _, warning := range result.Warnings {
		text += "warning: " + warning + "\n"
	}
	return text
}
