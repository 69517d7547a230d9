package manifests_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/webhook"
)

// newPod is a pod with annotations, given without our prefix, in the namespace default.
func newPod(name string, annotations map[string]string, changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			Containers:                   []corev1.Container{{Name: "app", Image: "shop/app"}},
			AutomountServiceAccountToken: new(false), // its volume is of interest to one test
		},
	}
	for key, value := range annotations {
		pod.Annotations["podshare.dev/"+key] = value
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

var consumesRules = map[string]string{"consume": "rules", "image-python-path": "/srv"}

// create creates the pod for real, and takes it away when the test ends.
func create(t *testing.T, pod *corev1.Pod) error {
	t.Helper()
	err := api.Create(t.Context(), pod)
	if err == nil {
		t.Cleanup(func() {
			require.NoError(t, api.Delete(context.Background(), pod, client.GracePeriodSeconds(0)))
		})
	}
	return err
}

func dryRun(t *testing.T, pod *corev1.Pod) error {
	return api.Create(t.Context(), pod.DeepCopy(), client.DryRunAll)
}

// eventually waits until an annotated pod gets an answer that contains a text: the API server learns of a changed
// configuration after a moment. An empty text waits until it is accepted.
func eventually(t *testing.T, text string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		err := dryRun(t, newPod("probe", consumesRules))
		if text == "" {
			assert.NoError(c, err)
			return
		}
		assert.ErrorContains(c, err, text)
	}, limit, tick)
}

// registerWebhooks points the installed configurations to a port of this machine.
func registerWebhooks(t *testing.T, port int, ca []byte) {
	t.Helper()
	objects, err := install.Render(filepath.Join(manifests, "base"))
	require.NoError(t, err)
	require.NoError(t, install.PointWebhooks(objects, "127.0.0.1", port, ca))
	var configurations []*unstructured.Unstructured
	for _, kind := range install.WebhookKinds {
		configuration, err := install.Find(objects, kind, "podshare")
		require.NoError(t, err)
		configurations = append(configurations, configuration)
	}
	require.NoError(t, install.Apply(t.Context(), administrator, configurations))
}

// startWebhook runs the real server until the test ends, and waits until the API server calls it.
func startWebhook(t *testing.T, changes ...func(*webhook.Options)) {
	t.Helper()
	server := startServer(t, changes...)
	registerWebhooks(t, server.port, server.ca)
	eventually(t, "")
	mistaken := workloads(newPod("web", map[string]string{"consume": "Team_A"}), nil)["Deployment"]
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.ErrorContains(c, api.Create(t.Context(), mistaken, client.DryRunAll), "workloads.podshare.dev")
	}, limit, tick)
}

// server is a webhook that runs: where, and whose certificate it has (PEM).
type server struct {
	port int
	ca   []byte
}

func startServer(t *testing.T, changes ...func(*webhook.Options)) server {
	t.Helper()
	options := webhook.DefaultOptions()
	options.BindAddress, options.MetricsAddress, options.DrainDelay = "127.0.0.1:0", "0", 0
	options.CertDir = t.TempDir()
	ca, err := install.WriteServingCertificate(options.CertDir, "127.0.0.1")
	require.NoError(t, err)
	for _, change := range changes {
		change(&options)
	}
	running, err := webhook.Listen(options, func(pod *inject.Pod, namespace string) (*inject.Result, error) {
		return pod.Inject(namespace, config.Default())
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	_, port, err := net.SplitHostPort(running.Address())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	return server{number, ca}
}

// closedPort is one of this machine's that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	return port
}

func TestAnAnnotatedPodComesOutInjected(t *testing.T) {
	startWebhook(t)
	pod := newPod("consumer", consumesRules)
	require.NoError(t, create(t, pod))
	assert.Equal(t, "true", pod.Labels["podshare.dev/injected"])
	assert.JSONEq(t, `{"shares":[{"name":"rules","role":"consumer","claim":"podshare-rules","path":"/podshare/rules"}],"containers":["app"],"readiness":"sidecar"}`,
		pod.Annotations["podshare.dev/status"])
	assert.Equal(t, []corev1.Volume{{Name: "podshare-rules", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "podshare-rules", ReadOnly: true},
	}}}, pod.Spec.Volumes)
	assert.Equal(t, []corev1.VolumeMount{{Name: "podshare-rules", MountPath: "/podshare/rules", ReadOnly: true}},
		pod.Spec.Containers[0].VolumeMounts)
	assert.Equal(t, []corev1.EnvVar{
		{Name: "PODSHARE_RULES_DIR", Value: "/podshare/rules"}, {Name: "PYTHONPATH", Value: "/srv:/podshare/rules"},
	}, pod.Spec.Containers[0].Env)

	t.Run("and again when it is created from its own output", func(t *testing.T) {
		again := newPod("copy", nil)
		again.Labels, again.Annotations, again.Spec = pod.Labels, pod.Annotations, *pod.Spec.DeepCopy()
		require.NoError(t, create(t, again))
		assert.Equal(t, pod.Spec, again.Spec)
	})
	t.Run("an annotation that is added later is let through and does nothing", func(t *testing.T) {
		plain := newPod("plain", nil)
		require.NoError(t, create(t, plain))
		plain.Annotations = map[string]string{"podshare.dev/consume": "rules"}
		require.NoError(t, api.Update(t.Context(), plain))
		assert.Empty(t, plain.Spec.Volumes)
	})
}

func TestMistakesAndPoliciesAreTold(t *testing.T) {
	startWebhook(t)
	const denied = `admission webhook "pods.podshare.dev" denied the request: podshare: `
	err := dryRun(t, newPod("app", map[string]string{"produce": "Team_A", "size": "10GB"}))
	require.ErrorContains(t, err, denied)
	assert.ErrorContains(t, err, `metadata.annotations[podshare.dev/produce]: Invalid value: "Team_A": a share's name has `)
	assert.ErrorContains(t, err, `metadata.annotations[podshare.dev/size]: Invalid value: "10GB": must be a whole number of bytes`)
	assert.True(t, apierrors.IsInvalid(err), "422")
	assert.NotContains(t, err.Error(), "app")

	shares := make([]string, 17)
	for i := range shares {
		shares[i] = fmt.Sprintf("s%d", i)
	}
	err = dryRun(t, newPod("app", map[string]string{"consume": strings.Join(shares, ",")}))
	require.ErrorContains(t, err, denied)
	assert.ErrorContains(t, err, "the pod names 17 shares; this platform allows at most 16 in a pod")
	assert.True(t, apierrors.IsForbidden(err), "403")

	err = dryRun(t, newPod("app", map[string]string{"consum": "rules"}))
	assert.ErrorContains(t, err, `"podshare.dev/consum": is not an annotation of podshare; the nearest is "podshare.dev/consume"`)

	warnings.take()
	require.NoError(t, dryRun(t, newPod("app", map[string]string{"consume": "rules"})))
	assert.Equal(t, []string{
		`podshare: PYTHONPATH hides one that the image may set; podshare.dev/image-python-path would keep it: "app"`,
	}, warnings.take())
}

func TestAManyContainersPodIsWithinTheCostOfThePolicy(t *testing.T) {
	startWebhook(t)
	shares := make([]string, 16)
	for i := range shares {
		shares[i] = fmt.Sprintf("%s-%d", strings.Repeat("s", 50), i)
	}
	start := time.Now()
	err := dryRun(t, newPod("app", map[string]string{
		"consume": strings.Join(shares, ","), "image-python-path": "/srv",
	}, func(pod *corev1.Pod) {
		for i := range 499 {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: fmt.Sprintf("c%d", i), Image: "shop/app"})
		}
	}))
	require.NoError(t, err)
	t.Logf("500 containers with 16 shares took %s", time.Since(start).Round(time.Millisecond))
}

func TestWithTheWebhookDownOnlyAnnotatedPodsAreRefused(t *testing.T) {
	registerWebhooks(t, closedPort(t), nil)
	eventually(t, `failed calling webhook "pods.podshare.dev"`)

	for name, pod := range map[string]*corev1.Pod{
		"a consumer":       newPod("app", consumesRules),
		"a misspelt key":   newPod("app", map[string]string{"consum": "rules"}),
		"a generated name": newPod("", consumesRules, func(pod *corev1.Pod) { pod.GenerateName = "app-" }),
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			assert.ErrorContains(t, dryRun(t, pod), `failed calling webhook "pods.podshare.dev": failed to call webhook: Post "https://127.0.0.1:`)
		})
	}
	for name, pod := range map[string]*corev1.Pod{
		"a pod without annotations": newPod("app", nil, func(pod *corev1.Pod) { pod.Annotations = nil }),
		"a pod with annotations of others": newPod("app", nil, func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{"example.com/podshare.dev": "x"}
		}),
		"a pod in kube-system": newPod("app", consumesRules, func(pod *corev1.Pod) { pod.Namespace = "kube-system" }),
		"a mirror pod": newPod("app", consumesRules, func(pod *corev1.Pod) {
			pod.Annotations[corev1.MirrorPodAnnotationKey] = "x"
			pod.Spec.NodeName = "node"
		}),
	} {
		t.Run(name+" is created as before", func(t *testing.T) {
			assert.NoError(t, dryRun(t, pod))
		})
	}
}

func TestThePolicyRefusesWhatWasNotInjected(t *testing.T) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "podshare"}}
	require.NoError(t, client.IgnoreNotFound(api.Delete(t.Context(), configuration)))
	eventually(t, "podshare did not inject")

	injected := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := newPod("app", map[string]string{"consume": "rules", "produce": "models"})
		pod.Labels = map[string]string{"podshare.dev/injected": "true"}
		for _, name := range []string{"podshare-rules", "podshare-models"} {
			readOnly := name == "podshare-rules"
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name, ReadOnly: readOnly},
			}})
			pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts,
				corev1.VolumeMount{Name: name, MountPath: "/podshare/" + name, ReadOnly: readOnly})
		}
		change(pod)
		return pod
	}
	require.NoError(t, dryRun(t, injected(func(*corev1.Pod) {})))
	require.NoError(t, dryRun(t, injected(func(pod *corev1.Pod) { // it installs the agent, and ends
		pod.Spec.InitContainers = []corev1.Container{{Name: "podshare-agent", Image: "shop/agent", Args: []string{"install"}}}
	})))

	const advice = " into this pod. Ask the platform team whether MutatingWebhookConfiguration podshare exists, and whether " +
		"another webhook adds podshare.dev/ annotations after it or removes its volumes; then create the pod again."
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"a pod that nobody injected": {
			newPod("app", map[string]string{"consume": "rules", "produce": "models:/data/models"}),
			"podshare did not inject shares models, rules" + advice,
		},
		"a volume that is missing": {
			injected(func(pod *corev1.Pod) {
				pod.Spec.Volumes = pod.Spec.Volumes[:1]
				pod.Spec.Containers[0].VolumeMounts = pod.Spec.Containers[0].VolumeMounts[:1]
			}),
			"podshare did not inject share models" + advice,
		},
		"a consumer's volume that is writable": {
			injected(func(pod *corev1.Pod) { pod.Spec.Volumes[0].PersistentVolumeClaim.ReadOnly = false }),
			"podshare did not inject share rules" + advice,
		},
		"a volume that nobody mounts": {
			injected(func(pod *corev1.Pod) { pod.Spec.Containers[0].VolumeMounts = nil }),
			"podshare did not inject shares models, rules" + advice,
		},
		"a volume of the name with another claim": {
			injected(func(pod *corev1.Pod) { pod.Spec.Volumes[0].PersistentVolumeClaim.ClaimName = "other" }),
			"podshare did not inject share rules" + advice,
		},
		"a sidecar that lost its restartPolicy": {
			injected(func(pod *corev1.Pod) {
				pod.Spec.InitContainers = []corev1.Container{{Name: "podshare-agent", Image: "shop/agent", Args: []string{"run"}}}
			}),
			"the init container podshare-agent has lost its restartPolicy: Always, so the pod would wait for its end for ever.",
		},
		"mounts in the sidecar alone": {
			injected(func(pod *corev1.Pod) {
				pod.Spec.InitContainers = []corev1.Container{{
					Name: "podshare-agent", Image: "shop/agent", Args: []string{"run"}, VolumeMounts: pod.Spec.Containers[0].VolumeMounts,
					RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
				}}
				pod.Spec.Containers[0].VolumeMounts = nil
			}),
			"podshare did not inject shares models, rules" + advice,
		},
		"the label that is missing": {
			injected(func(pod *corev1.Pod) { pod.Labels = nil }),
			`this pod has its shares but not the label podshare.dev/injected: "true", which podshare's webhook adds.`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := dryRun(t, test.pod)
			require.ErrorContains(t, err, "ValidatingAdmissionPolicy 'podshare-injected'")
			assert.ErrorContains(t, err, test.want)
			assert.True(t, apierrors.IsForbidden(err))
		})
	}
}
