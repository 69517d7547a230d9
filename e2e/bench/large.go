//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// large measures pods that are far larger than ordinary ones.
func (b *bench) large(ctx context.Context) error {
	const requests = 400
	return b.part(fmt.Sprintf("%d requests of each large pod, one at a time", requests), func() (string, error) {
		w := find(b.webhooks, podshareName)
		t := newTable("podshare's answer to", "review", "median", "p99", "the longest", "resident before and after")
		for _, pod := range []struct {
			name string
			grow func(pod map[string]any)
		}{
			{"a pod of 500 containers", func(pod map[string]any) { growContainers(pod, 500) }},
			{"a pod with 256 KiB of annotations", func(pod map[string]any) { growAnnotations(pod, 256<<10) }},
		} {
			review, err := grown(b.review, pod.grow)
			if err != nil {
				return "", err
			}
			before, err := w.resident()
			if err != nil {
				return "", err
			}
			latencies, err := w.load(ctx, review, requests, 1)
			if err != nil {
				return "", fmt.Errorf("%s: %w", pod.name, err)
			}
			after, err := w.resident()
			if err != nil {
				return "", err
			}
			t.row(pod.name, fmt.Sprintf("%d KiB", len(review)>>10), milliseconds(quantile(latencies, 0.5)), milliseconds(quantile(latencies, 0.99)),
				milliseconds(quantile(latencies, 1)), fmt.Sprintf("%.1f MiB, %.1f MiB", before, after))
		}
		return t.String(), nil
	})
}

// grown is a review whose pod is changed.
func grown(review []byte, grow func(pod map[string]any)) ([]byte, error) {
	var body map[string]any
	if err := json.Unmarshal(review, &body); err != nil {
		return nil, err
	}
	grow(body["request"].(map[string]any)["object"].(map[string]any))
	return json.Marshal(body)
}

// growContainers repeats the first container of a pod.
func growContainers(pod map[string]any, count int) {
	spec := pod["spec"].(map[string]any)
	first := spec["containers"].([]any)[0].(map[string]any)
	var containers []any
	for n := range count {
		c := map[string]any{}
		for key, value := range first {
			c[key] = value
		}
		c["name"] = fmt.Sprintf("container-%d", n)
		containers = append(containers, c)
	}
	spec["containers"] = containers
}

// growAnnotations gives a pod as many bytes of annotations as the API server takes: 256 KiB.
func growAnnotations(pod map[string]any, size int) {
	const each = 1 << 10
	annotations := pod["metadata"].(map[string]any)["annotations"].(map[string]any)
	for n := range size / each {
		annotations[fmt.Sprintf("example.com/note-%d", n)] = strings.Repeat("x", each-len("example.com/note-000"))
	}
}
