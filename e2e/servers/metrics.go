package servers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Metrics is what a program says of itself, in the text format of Prometheus.
type Metrics string

// ControllerMetrics asks the controller. It has work of each answer: it goes through all pods and claims that it knows.
func (s *Servers) ControllerMetrics(ctx context.Context) (Metrics, error) {
	text, err := get(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", s.controllerMetrics))
	return Metrics(text), err
}

// sample is a line of metrics: a name, labels, a value.
var sample = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? (\S+)$`)

// Sum adds up what a metric says wherever it has these labels, each as `name="value"`. What was never counted is 0.
func (m Metrics) Sum(name string, labels ...string) (float64, error) {
	sum := 0.0
	for _, match := range sample.FindAllStringSubmatch(string(m), -1) {
		set := strings.Split(match[2], ",")
		lacks := func(label string) bool { return !slices.Contains(set, label) }
		if match[1] != name || slices.ContainsFunc(labels, lacks) {
			continue
		}
		value, err := strconv.ParseFloat(match[3], 64)
		if err != nil {
			return 0, fmt.Errorf("the metric %s: %w", name, err)
		}
		sum += value
	}
	return sum, nil
}

// MetricsAddresses are where the webhook and the controller tell their metrics.
func (s *Servers) MetricsAddresses() (webhook, controller string) {
	return fmt.Sprintf("127.0.0.1:%d", s.webhookMetrics), fmt.Sprintf("127.0.0.1:%d", s.controllerMetrics)
}
