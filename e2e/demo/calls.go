package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

// requestsMetric is a line of the webhook's metrics: how many requests with these labels it answered.
var requestsMetric = regexp.MustCompile(`(?m)^podshare_webhook_requests_total\{.*role="(\w+)".*\} (\d+)$`)

// webhookCalls returns how often the webhook was called so far, by the role of the pods: producer, consumer, both, none.
func (s *servers) webhookCalls(ctx context.Context) (map[string]int, error) {
	metrics, err := get(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", s.webhookMetrics))
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
