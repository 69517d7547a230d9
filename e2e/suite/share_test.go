package suite_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestConsumersOnAllNodesImportWhatAProducerWrites(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	workers := schedulable(t)
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"}, on(workers[0]))
	create(t, producer)
	var consumers []*corev1.Pod
	for _, worker := range workers {
		consumer := newPod(namespace, "consumer-"+worker, map[string]string{"consume": "rules"}, on(worker), runs(following))
		create(t, consumer)
		consumers = append(consumers, consumer)
	}
	awaitReady(t, append(consumers, producer)...)
	for price := range 3 {
		publish(t, producer, "rules", price)
		begun := time.Now()
		for _, consumer := range consumers {
			awaitLog(t, consumer, "app", fmt.Sprintf("price %d", price))
		}
		t.Logf("price %d was imported on %d nodes within %s", price, len(workers), time.Since(begun).Round(time.Millisecond))
	}
}

func TestAPodProducesOneShareAndConsumesAnother(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	source := newPod(namespace, "source", map[string]string{"produce": "rules"})
	middle := newPod(namespace, "middle", map[string]string{"consume": "rules", "produce": "results"})
	sink := newPod(namespace, "sink", map[string]string{"consume": "results"}, runs(following))
	create(t, source, middle, sink)
	awaitReady(t, source, middle, sink)
	publish(t, source, "rules", 7)
	assert.Equal(t, "7", must(t, middle, "import pricing; print(pricing.PRICE)"))
	publish(t, middle, "results", 8)
	awaitLog(t, sink, "app", "price 8")
}

const readOnly = "Read-only file system"

// attempt prints why something cannot be done, or that it can.
func attempt(what string) string {
	return "import os\ntry:\n    " + what + "\n    print('done')\nexcept OSError as error:\n    print(error.strerror)"
}

func TestAConsumerCannotWriteByAnyMeans(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	consumer := newPod(namespace, "consumer", map[string]string{"consume": "rules"})
	create(t, producer, consumer)
	awaitReady(t, producer, consumer)
	publish(t, producer, "rules", 1)

	const file = "'/podshare/rules/pricing.py'"
	assert.Equal(t, readOnly, must(t, consumer, attempt("open("+file+", 'a')")))
	assert.Equal(t, readOnly, must(t, consumer, attempt("os.remove("+file+")")))

	t.Run("a debugging container that asks for a writable mount neither", func(t *testing.T) {
		debugger := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon(pythonContainer("debugger", sleeping))}
		debugger.Resources = corev1.ResourceRequirements{} // it may have none
		debugger.VolumeMounts = []corev1.VolumeMount{{Name: "podshare-rules", MountPath: "/podshare/rules"}}
		debugger.TargetContainerName = "app"
		require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(consumer), consumer))
		consumer.Spec.EphemeralContainers = []corev1.EphemeralContainer{debugger}
		_, err := nodes.CoreV1().Pods(namespace).UpdateEphemeralContainers(t.Context(), consumer.Name, consumer, metav1.UpdateOptions{})
		require.NoError(t, err)
		require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
			if err := api.Get(ctx, client.ObjectKeyFromObject(consumer), consumer); err != nil {
				return err
			}
			statuses := consumer.Status.EphemeralContainerStatuses
			if len(statuses) == 0 || statuses[0].State.Running == nil {
				return fmt.Errorf("the debugger does not run: %+v", statuses)
			}
			return nil
		}))
		assert.Equal(t, readOnly, mustIn(t, consumer, "debugger", attempt("open("+file+", 'a')")))
	})
	assert.Equal(t, "1", must(t, consumer, "import pricing; print(pricing.PRICE)"), "nothing was changed")
}

func TestAnInitContainerTakesPartWhenItIsNamed(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	withInit := func(program string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{pythonContainer("prepare", program)}
		}
	}
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules", "containers": "prepare,app"},
		withInit(`import os; open(os.environ["PODSHARE_RULES_DIR"] + "/pricing.py", "w").write("PRICE = 5\n")`))
	create(t, producer)
	awaitReady(t, producer)
	consumer := newPod(namespace, "consumer", map[string]string{"consume": "rules", "containers": "prepare,app"},
		withInit("import pricing; print('init', pricing.PRICE)"))
	stranger := newPod(namespace, "stranger", map[string]string{"consume": "rules"},
		withInit("import os; print('without', os.path.exists('/podshare/rules'))"))
	create(t, consumer, stranger)
	awaitReady(t, consumer, stranger)
	awaitLog(t, consumer, "prepare", "init 5")
	awaitLog(t, stranger, "prepare", "without False")
}

func TestAContainerWithoutAShellTakesPart(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	for _, readiness := range []string{"sidecar", "container"} {
		t.Run(readiness, func(t *testing.T) {
			pod := newPod(namespace, "static-"+readiness, map[string]string{"consume": "rules", "readiness": readiness}, func(pod *corev1.Pod) {
				app := &pod.Spec.Containers[0] // an image of one static program; it happens to be the agent's
				app.Image = agentImage
				app.Command = []string{"/podshare-agent", "run", "--consume=rules:/podshare/rules", "--socket=@app"}
			})
			create(t, pod)
			awaitReady(t, pod)
		})
	}
}

func TestManyPodsAtOnceGetOneClaim(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	const pods = 50
	for n := range pods {
		create(t, newPod(namespace, fmt.Sprintf("pod-%d", n), map[string]string{"consume": "rules", "readiness": "none"}, func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Image = agentImage
			pod.Spec.Containers[0].Command = []string{"/podshare-agent", "run", "--consume=rules:/podshare/rules", "--interval=1h"}
		}))
	}
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var list corev1.PodList
		if err := api.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, pod := range list.Items {
			if pod.Status.Phase != corev1.PodRunning {
				return fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
			}
		}
		return nil
	}))
	var claims corev1.PersistentVolumeClaimList
	require.NoError(t, api.List(t.Context(), &claims, client.InNamespace(namespace)))
	require.Len(t, claims.Items, 1)
	claim := claims.Items[0]
	assert.Equal(t, corev1.ClaimBound, claim.Status.Phase)
	for _, event := range events(t, &claim) {
		assert.False(t, strings.HasPrefix(event, "Claim"), "podshare complains: %s", event)
	}
}
