package servers

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// requestsMetric is a line of the webhook's metrics: how many requests with these labels it answered.
var requestsMetric = regexp.MustCompile(`(?m)^podshare_webhook_requests_total\{.*role="(\w+)",webhook="pods"\} (\d+)$`)

// WebhookCalls returns how often the webhook was called about pods so far, by the role of the pods: producer, consumer, both, none.
func (s *Servers) WebhookCalls(ctx context.Context) (map[string]int, error) {
	metrics, err := s.readWebhookMetrics(ctx)
	if err != nil {
		return nil, err
	}
	calls := map[string]int{}
	for _, match := range requestsMetric.FindAllStringSubmatch(metrics, -1) {
		count, err := strconv.Atoi(match[2])
		if err != nil {
			return nil, fmt.Errorf("the webhook's metrics: %w", err)
		}
		calls[match[1]] += count
	}
	return calls, nil
}

// WebhookMetric returns one of the webhook's metrics, which has no labels.
func (s *Servers) WebhookMetric(ctx context.Context, name string) (float64, error) {
	metrics, err := s.readWebhookMetrics(ctx)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(metrics) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("the webhook has no metric %s", name)
}

func (s *Servers) readWebhookMetrics(ctx context.Context) (string, error) {
	return get(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", s.webhookMetrics))
}
