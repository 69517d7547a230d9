package manifests_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/pkg/plugin"
)

// A pod that the plugin has injected is the one that the API server makes of the raw pod by the webhook, which finds nothing left to do.
func TestThePluginInjectsWhatTheWebhookInjects(t *testing.T) {
	startWebhook(t)
	pods, err := filepath.Glob("../../../pkg/inject/testdata/*.yaml")
	require.NoError(t, err)
	compared := 0
	for _, file := range pods {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			if !bytes.Contains(text, []byte("automountServiceAccountToken")) { // the token's volume has another name each time
				text = regexp.MustCompile(`(?m)^spec:$`).ReplaceAll(text, []byte("spec:\n  automountServiceAccountToken: false"))
			}
			byWebhook, webhookErr := created(t, text)
			injected, pluginErr := injectedByPlugin(t, text)
			if pluginErr != nil {
				require.ErrorContains(t, webhookErr, "podshare: ", "refused by both")
				return
			}
			if apierrors.IsInvalid(webhookErr) && !strings.Contains(webhookErr.Error(), "admission webhook") {
				t.Skipf("this cluster takes no such pod, with podshare or without: %v", webhookErr)
			}
			require.NoError(t, webhookErr)
			byPlugin, err := created(t, injected)
			require.NoError(t, err)
			assert.Equal(t, byWebhook, byPlugin)
			compared++
		})
	}
	assert.Greater(t, compared, len(pods)/2, "most pods were compared")
}

// created is what the API server would store of a pod, without what is different each time.
func created(t *testing.T, text []byte) (*corev1.Pod, error) {
	t.Helper()
	pod := &corev1.Pod{}
	require.NoError(t, yaml.Unmarshal(text, pod))
	pod.Namespace, pod.Name, pod.GenerateName, pod.OwnerReferences = "default", "app", "", nil
	err := api.Create(t.Context(), pod, client.DryRunAll)
	pod.UID, pod.CreationTimestamp, pod.ManagedFields = "", metav1.Time{}, nil
	return pod, err
}

func injectedByPlugin(t *testing.T, text []byte) ([]byte, error) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out, told bytes.Buffer
	command := plugin.Command(genericiooptions.IOStreams{In: bytes.NewReader(text), Out: &out, ErrOut: &told})
	command.SetArgs([]string{"inject", "-f", "-", "-n", "default"})
	err := command.ExecuteContext(t.Context())
	return out.Bytes(), err
}
