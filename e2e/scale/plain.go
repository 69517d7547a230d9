//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// plainNamespaces share the pods without annotations.
const plainNamespaces = 10

// measurePlainPods creates pods that are none of podshare's business, and looks at its memory at two numbers of them.
func (s *scale) measurePlainPods(ctx context.Context) error {
	if err := s.out.Step(fmt.Sprintf("%d namespaces can have pods", plainNamespaces), func() error {
		return s.makeNamespaces(ctx, "plain", plainNamespaces)
	}); err != nil {
		return err
	}
	calls, err := s.webhookCalls(ctx)
	if err != nil {
		return err
	}
	if err := s.awaitRest(ctx); err != nil { // or what the start left behind would hide what is added
		return err
	}
	before, _, err := s.memory(ctx)
	if err != nil {
		return err
	}
	s.figures.add("resident memory at rest, before there are pods without annotations", before, mebibytes, noTarget)
	var created time.Duration
	made := 0
	for _, count := range []int{s.plain / 2, s.plain} {
		if err := s.out.Step(fmt.Sprintf("%d pods without annotations are there", count), func() error {
			begun := time.Now()
			defer func() { created += time.Since(begun) }()
			return s.create(ctx, made, count, plainPod, func(int) {})
		}); err != nil {
			return err
		}
		made = count
		resident, _, err := s.memory(ctx)
		if err != nil {
			return err
		}
		with := fmt.Sprintf("resident memory with %d pods without annotations", count)
		s.figures.add(with, resident, mebibytes, atMost(before).within(noise))
	}
	s.figures.add("pods without annotations created a second", float64(made)/created.Seconds(), number, noTarget)
	after, err := s.webhookCalls(ctx)
	s.figures.add("calls of the webhook about pods without annotations", float64(after-calls), number, atMost(0).strictly())
	return err
}

func plainPod(n int) *corev1.Pod {
	return newPod(fmt.Sprintf("plain-%d", n%plainNamespaces), fmt.Sprintf("pod-%d", n))
}

// webhookCalls is how often the webhook was called about pods, whatever they were.
func (s *scale) webhookCalls(ctx context.Context) (int, error) {
	calls, err := s.podshare.WebhookCalls(ctx)
	sum := 0
	for _, count := range calls {
		sum += count
	}
	return sum, err
}
