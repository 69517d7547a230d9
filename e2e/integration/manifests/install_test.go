package manifests_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/pkg/config"
)

func TestPodsOfOursPassTheRestrictedNamespace(t *testing.T) {
	var deployments appsv1.DeploymentList
	require.NoError(t, api.List(t.Context(), &deployments, client.InNamespace("podshare-system")))
	require.Len(t, deployments.Items, 2)
	for _, deployment := range deployments.Items {
		t.Run(deployment.Name, func(t *testing.T) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: deployment.Namespace, Name: deployment.Name, Labels: deployment.Spec.Template.Labels,
				},
				Spec: deployment.Spec.Template.Spec,
			}
			warnings.take()
			require.NoError(t, api.Create(t.Context(), pod, client.DryRunAll))
			assert.Empty(t, warnings.take())

			pod.Spec.Containers[0].SecurityContext = nil
			pod.ResourceVersion = ""
			err := api.Create(t.Context(), pod, client.DryRunAll)
			assert.ErrorContains(t, err, `violates PodSecurity "restricted:latest"`, "the namespace does look")
		})
	}
}

func TestOnlyTheControllerGetsAToken(t *testing.T) {
	for name, want := range map[string]bool{"podshare-webhook": false, "podshare-controller": true} {
		var deployment appsv1.Deployment
		key := client.ObjectKey{Namespace: "podshare-system", Name: name}
		require.NoError(t, api.Get(t.Context(), key, &deployment))
		assert.Equal(t, want, *deployment.Spec.Template.Spec.AutomountServiceAccountToken, name)
		assert.Equal(t, name, deployment.Spec.Template.Spec.ServiceAccountName)
	}
}

func TestTheConfigurationThatIsInstalledIsTheDefault(t *testing.T) {
	file := filepath.Join(manifests, "base", "config.yaml")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	installed, err := config.Parse(file, content)
	require.NoError(t, err)
	assert.Equal(t, config.Default(), installed, "its comments call them defaults")
}

func TestTheLocalOverlayDiffersInTheWebhooksAddressAndRunsNoPods(t *testing.T) {
	base, err := install.Render(filepath.Join(manifests, "base"))
	require.NoError(t, err)
	local, err := install.Render(filepath.Join(manifests, "overlays", "local"))
	require.NoError(t, err)
	require.Len(t, local, len(base))
	for i := range base {
		switch base[i].GetKind() {
		case "Deployment":
			delete(base[i].Object["spec"].(map[string]any), "replicas")
			delete(local[i].Object["spec"].(map[string]any), "replicas")
		case "MutatingWebhookConfiguration":
			require.NoError(t, install.PointWebhooks(base, "127.0.0.1", 9443, nil))
			require.NoError(t, install.PointWebhooks(local, "127.0.0.1", 9443, nil))
		}
		assert.Equal(t, base[i], local[i])
	}
}

func TestAllImagesAreOfOneVersion(t *testing.T) {
	_, version, _ := strings.Cut(config.Default().Agent.Image, ":")
	var deployments appsv1.DeploymentList
	require.NoError(t, api.List(t.Context(), &deployments, client.InNamespace("podshare-system")))
	for _, deployment := range deployments.Items {
		assert.Equal(t, "ghcr.io/podshare/podshare:"+version, deployment.Spec.Template.Spec.Containers[0].Image, deployment.Name)
	}
}
