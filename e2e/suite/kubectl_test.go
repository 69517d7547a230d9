package suite_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var kubectlPage = repositoryPath("docs", "injected-pod.md")

func TestKubectlShowsAnInjectedPodAsTheDocumentationDoes(t *testing.T) {
	t.Parallel()
	if os.Getenv("KUBECTL") == "" {
		t.Skip("KUBECTL is not set: on a cluster of somebody else's more than podshare may be seen")
	}
	namespace := newNamespace(t)
	producer := newPod(namespace, "rule-editor", map[string]string{"produce": "rules"})
	create(t, producer)
	awaitReady(t, producer) // so that the other one does not wait for a volume
	pod := newPod(namespace, "price-service", map[string]string{"consume": "rules", "await": "rules/pricing.py"})
	pod.Spec.DNSPolicy = corev1.DNSDefault // a local cluster has no DNS, and says so in an event
	create(t, pod)
	awaitEvent(t, pod, "waiting for rules/pricing.py")
	replace := replacements(t, pod)
	waiting := console(t, replace, pod, "get") + "\n" + console(t, replace, pod, "describe")
	publish(t, producer, "rules", 20)
	awaitReady(t, pod)
	blocks := []string{waiting, console(t, replace, pod, "get")}

	page, err := os.ReadFile(kubectlPage)
	require.NoError(t, err)
	n := -1
	seen := regexp.MustCompile("(?s)```console\n.*?```").ReplaceAllStringFunc(string(page), func(string) string {
		n++
		return "```console\n" + blocks[min(n, len(blocks)-1)] + "```"
	})
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.WriteFile(kubectlPage, []byte(seen), 0o644))
		return
	}
	assert.Equal(t, string(page), seen, "UPDATE=1 writes the page anew")
}

// console is a command and what it says.
func console(t *testing.T, replace func(string) string, pod *corev1.Pod, verb string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Getenv("KUBECTL"), "--namespace", pod.Namespace, verb, "pod", pod.Name)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	said, err := command.Output()
	require.NoError(t, err, stderr.String())
	return fmt.Sprintf("$ kubectl --namespace shop %s pod %s\n%s", verb, pod.Name, replace(string(said)))
}

// replacements takes what is another one each time out of kubectl's output. The columns stay columns.
func replacements(t *testing.T, pod *corev1.Pod) func(string) string {
	t.Helper()
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	require.NotEmpty(t, pod.Status.PodIP)
	return func(said string) string {
		said = alignEvents(said)
		for _, r := range []struct{ pattern, by string }{
			{regexp.QuoteMeta(pod.Namespace), "shop"},
			{regexp.QuoteMeta(agentImage), "ghcr.io/podshare/podshare-agent:v0.1.0"},
			{regexp.QuoteMeta(pythonImage), "python:3.14-slim"},
			{`(?m)^(Node: +).*`, "${1}worker/192.168.1.20"},
			{regexp.QuoteMeta(pod.Spec.NodeName), "worker"},
			{regexp.QuoteMeta(pod.Status.PodIP), "10.244.1.7"},
			{`(containerd://|sha256:)[0-9a-f]+`, "${1}0123456789ab…"},
			{`(?m)^( *Image ID: +).*`, "${1}sha256:0123456789ab…"},
			{`kube-api-access-[a-z0-9]{5}`, "kube-api-access-x7k2p"},
			{`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}`, "Wed, 25 Nov 2026 09:00:00 +0000"},
			{`(?m)^(price-service .* )\w+$`, "${1}12s"}, // its age
			{`(?m) +$`, ""},
		} {
			said = regexp.MustCompile(r.pattern).ReplaceAllString(said, r.by)
		}
		return said
	}
}

// event is a line of kubectl's events: type, reason, age, from, message.
var event = regexp.MustCompile(`^  (Normal|Warning) +(\S+) +(\S+(?: \(.*?\))?) +(\S+) +(.*)$`)

// alignEvents gives all events one age and one column each, whatever their ages were. Those of one second have no order: here the
// warnings are the last.
func alignEvents(said string) string {
	var out strings.Builder
	writer := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0) // as kubectl's
	before, events, found := strings.Cut(said, "Events:\n")
	if !found {
		return said
	}
	var warnings []string
	for line := range strings.Lines(events) {
		parts := event.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case parts == nil:
			_, _ = fmt.Fprintf(writer, "  %s\n", strings.Join(strings.Fields(line), "\t"))
		case parts[1] == corev1.EventTypeWarning:
			warnings = append(warnings, eventLine(parts))
		default:
			_, _ = io.WriteString(writer, eventLine(parts))
		}
	}
	_, _ = io.WriteString(writer, strings.Join(warnings, ""))
	_ = writer.Flush()
	return before + "Events:\n" + out.String()
}

func eventLine(parts []string) string {
	return fmt.Sprintf("  %s\t%s\t%s\t%s\t%s\n", parts[1], parts[2], "12s", parts[4], parts[5])
}
