package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestSidecarsTellHowMuchOfAShareIsUsed changes the platform's configuration, so it does not run beside another test.
func TestSidecarsTellHowMuchOfAShareIsUsed(t *testing.T) {
	turnMetricsOn(t)
	namespace := newNamespace(t)
	scraper := newPod(namespace, "scraper", nil) // Prometheus is another pod too
	producer := newPod(namespace, "producer", map[string]string{"produce": "rules"})
	consumer := newPod(namespace, "consumer", map[string]string{"consume": "rules"})
	create(t, scraper, producer, consumer)
	awaitReady(t, scraper, producer, consumer)
	const written = 64 << 20
	must(t, producer, fmt.Sprintf(`import os
with open("/podshare/rules/big", "wb") as f:
    f.write(bytes(%d))
    os.fsync(f.fileno())`, written))

	require.NoError(t, within(t.Context(), limit, func(context.Context) error {
		told, there := scrape(t, scraper, consumer), statfs(t, consumer)
		const inodes = 1000 // the node writes to the same file system all the time
		return errors.Join(
			told.near("capacity_bytes", there.Blocks*there.Size, 0),
			told.near("used_bytes", (there.Blocks-there.Free)*there.Size, written/4),
			told.near("available_bytes", there.Available*there.Size, written/4),
			told.near("inodes", there.Inodes, 0),
			told.near("inodes_used", there.Inodes-there.InodesFree, inodes),
			told.near("inodes_free", there.InodesFree, inodes),
		)
	}))
	told := scrape(t, scraper, consumer)
	t.Logf("the consumer tells:\n%s", told)
	assert.Equal(t, "1", told.of("ready"))
	assert.Equal(t, "0", told.of("unanswered_seconds"))

	t.Run("and that it hangs, at once", func(t *testing.T) {
		b := newBreaker(t)
		b.share(t, namespace, "hung", "hanging")
		pod := newPod(namespace, "hung", map[string]string{"consume": "hung"}, on(b.pod.Spec.NodeName))
		create(t, pod)
		awaitReady(t, pod)
		before := scrape(t, scraper, pod)
		b.do(t, "hang")
		defer b.do(t, "resume")
		require.NoError(t, within(t.Context(), limit, func(context.Context) error {
			told := scrape(t, scraper, pod)
			if told.of("ready") != "0" || asNumber(told.of("unanswered_seconds")) < 10 {
				return fmt.Errorf("it does not tell that it hangs:\n%s", told)
			}
			if told.of("capacity_bytes") != before.of("capacity_bytes") {
				return fmt.Errorf("the last figures are not told:\n%s", told)
			}
			return nil
		}))
	})
}

// turnMetricsOn installs podshare with them, and as it was when the test ends.
func turnMetricsOn(t *testing.T) {
	t.Helper()
	with := overlay
	with.AgentMetrics = true
	require.NoError(t, installPodshare(t.Context(), with))
	t.Cleanup(func() { require.NoError(t, installPodshare(context.Background(), overlay)) })
	// A webhook that is going may still answer.
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		for _, pod := range podsOf(t, "webhook") {
			if pod.DeletionTimestamp != nil {
				return errors.New(pod.Name + " is still there")
			}
		}
		pod := newPod("default", "probe", map[string]string{"consume": "probe"})
		if err := api.Create(ctx, pod, client.DryRunAll); err != nil {
			return err
		}
		if metricsPort(pod) == 0 {
			return errors.New("a new pod has no port for metrics")
		}
		return nil
	}))
}

// metricsPort is where a PodMonitor finds the metrics of a pod: at the port of that name.
func metricsPort(pod *corev1.Pod) int32 {
	for _, c := range pod.Spec.InitContainers {
		if n := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == "podshare" }); n >= 0 {
			return c.Ports[n].ContainerPort
		}
	}
	return 0
}

// exposition is what a pod tells Prometheus.
type exposition string

// scrape asks a pod from another one. It has to be answered at once.
func scrape(t *testing.T, scraper, pod *corev1.Pod) exposition {
	t.Helper()
	return exposition(must(t, scraper, fmt.Sprintf(`import urllib.request
with urllib.request.urlopen("http://%s:%d/metrics", timeout=2) as answer:
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", answer.headers
    print(answer.read().decode())`, pod.Status.PodIP, metricsPort(pod))))
}

// of is the value of a metric of the pod's one share, "" when it is not told.
func (e exposition) of(metric string) string {
	match := regexp.MustCompile(`(?m)^podshare_share_` + metric + `\{share="\w+",role="consumer"\} (\S+)$`).FindStringSubmatch(string(e))
	if match == nil {
		return ""
	}
	return match[1]
}

// near says how a metric differs from what it should be, but for some slack. What a file system does not report is 0, and not told.
func (e exposition) near(metric string, want uint64, slack float64) error {
	text := e.of(metric)
	if text == "" && want == 0 || text != "" && math.Abs(asNumber(text)-float64(want)) <= slack {
		return nil
	}
	return fmt.Errorf("%s is %q, and statfs says %d", metric, text, want)
}

// asNumber is -1 for what is none.
func asNumber(text string) float64 {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return -1
	}
	return number
}

// fileSystem is what the system says of one, as df shows it.
type fileSystem struct {
	Size, Blocks, Free, Available, Inodes, InodesFree uint64
}

func statfs(t *testing.T, pod *corev1.Pod) (fs fileSystem) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(must(t, pod, `import json, os
s = os.statvfs("/podshare/rules")
print(json.dumps(dict(size=s.f_frsize, blocks=s.f_blocks, free=s.f_bfree, available=s.f_bavail, inodes=s.f_files, inodesFree=s.f_ffree)))`)), &fs))
	return fs
}
