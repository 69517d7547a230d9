//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/podshare/podshare/e2e/retry"
	"github.com/podshare/podshare/pkg/api"
)

const (
	// sharesPerNamespace is as many as a platform might allow.
	sharesPerNamespace = 20
	// claimsLimit bounds the wait for the last claim, many times what it may take; boundLimit until the claims have volumes, of which
	// kube-controller-manager makes three or four a second.
	claimsLimit = 5 * time.Minute
	boundLimit  = 30 * time.Minute
	// maxResident is the target for the controller's memory, in MiB.
	maxResident = 64
)

// newPod is a pod that is nobody's to schedule: there is no node, and a scheduler would only write that, at 50 requests a second. It
// has no token's volume, so that there is less of it.
func newPod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			Containers:                   []corev1.Container{{Name: "app", Image: "app"}},
			AutomountServiceAccountToken: new(false),
			SchedulerName:                "nobody",
		},
	}
}

// isWhole says what is missing for an annotated pod to be injected.
func (s *scale) isWhole(ctx context.Context) error {
	pod := newPod(metav1.NamespaceDefault, "probe")
	pod.Annotations = map[string]string{api.Consume: "probe"}
	pod, err := s.api.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil && pod.Labels[api.InjectedLabel] != "true" {
		err = errors.New("an annotated pod was accepted without its share")
	}
	return err
}

// makeNamespaces makes so many, named <prefix>-<n>, and returns when they can have pods.
func (s *scale) makeNamespaces(ctx context.Context, prefix string, count int) error {
	for n := range count {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", prefix, n)}}
		if _, err := s.api.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for n := range count {
		err := retry.Within(ctx, startLimit, tick, func(ctx context.Context) error {
			_, err := s.api.CoreV1().ServiceAccounts(fmt.Sprintf("%s-%d", prefix, n)).Get(ctx, "default", metav1.GetOptions{})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// create creates pods, some at a time and begun in their order. created is told of each, from several goroutines.
func (s *scale) create(ctx context.Context, from, to int, pod func(n int) *corev1.Pod, created func(n int)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.concurrency)
	for n := from; n < to && ctx.Err() == nil; n++ {
		group.Go(func() error {
			p := pod(n)
			if _, err := s.api.CoreV1().Pods(p.Namespace).Create(ctx, p, metav1.CreateOptions{}); err != nil {
				return err
			}
			created(n)
			return nil
		})
	}
	return group.Wait()
}

// moments are when something happened first, by the number of a share.
type moments struct {
	mu    sync.Mutex
	times map[int]time.Time
}

func (m *moments) note(share int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.times == nil {
		m.times = map[int]time.Time{}
	}
	if _, known := m.times[share]; !known {
		m.times[share] = time.Now()
	}
}

func (m *moments) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.times)
}

// measureShares creates the annotated pods, and measures until each share has its claim and the controller has nothing left to do.
func (s *scale) measureShares(ctx context.Context) error {
	namespaces := (s.shares + sharesPerNamespace - 1) / sharesPerNamespace
	if err := s.out.Step(fmt.Sprintf("%d namespaces can have pods", namespaces), func() error {
		return s.makeNamespaces(ctx, "shares", namespaces)
	}); err != nil {
		return err
	}
	var asked, answered moments // when a share's first pod was created, and when its claim was seen
	claims, stop, err := s.watchClaims(ctx, answered.note)
	if err != nil {
		return err
	}
	defer stop()
	pods := s.shares * s.podsPerShare
	begun := time.Now()
	if err := s.out.Step(fmt.Sprintf("%d annotated pods of %d shares are created", pods, s.shares), func() error {
		return s.create(ctx, 0, pods, s.annotatedPod, func(n int) { asked.note(n % s.shares) })
	}); err != nil {
		return err
	}
	s.figures.add("annotated pods created a second", float64(pods)/time.Since(begun).Seconds(), number, noTarget)
	if err := s.out.Step("each share has its claim", func() error {
		return retry.Within(ctx, claimsLimit, tick, func(context.Context) error {
			return complete("have a claim", answered.count(), s.shares)
		})
	}); err != nil {
		return err
	}
	s.addLags(asked.times, answered.times)
	if err := s.out.Step("each claim has its volume", func() error {
		return retry.Within(ctx, boundLimit, tick, func(context.Context) error { return complete("are Bound", bound(claims), s.shares) })
	}); err != nil {
		return err
	}
	return s.measureSettled(ctx)
}

// annotatedPod is the nth. The first pods of all shares come first, so that most claims are wanted at a time.
func (s *scale) annotatedPod(n int) *corev1.Pod {
	share, nth := n%s.shares, n/s.shares
	pod := newPod(fmt.Sprintf("shares-%d", share/sharesPerNamespace), fmt.Sprintf("pod-%d-%d", share, nth))
	role := api.Consume
	if nth == 0 {
		role = api.Produce
	}
	pod.Annotations = map[string]string{role: shareName(share)}
	return pod
}

const shareFormat = "share-%d"

func shareName(n int) string { return fmt.Sprintf(shareFormat, n) }

// watchClaims tells of each claim of a share that appears.
func (s *scale) watchClaims(ctx context.Context, seen func(share int)) (claims cache.Store, stop func(), err error) {
	factory := informers.NewSharedInformerFactoryWithOptions(s.api, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = api.ShareLabel }))
	informer := factory.Core().V1().PersistentVolumeClaims().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(object any) {
		var share int
		if _, err := fmt.Sscanf(object.(*corev1.PersistentVolumeClaim).Labels[api.ShareLabel], shareFormat, &share); err == nil {
			seen(share)
		}
	}})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop = func() {
		cancel()
		factory.Shutdown()
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		stop()
		return nil, nil, errors.New("claims cannot be watched")
	}
	return informer.GetStore(), stop, nil
}

func bound(claims cache.Store) int {
	count := 0
	for _, claim := range claims.List() {
		if claim.(*corev1.PersistentVolumeClaim).Status.Phase == corev1.ClaimBound {
			count++
		}
	}
	return count
}

// complete is an error as long as something is missing.
func complete(what string, count, wanted int) error {
	if count < wanted {
		return fmt.Errorf("%d of %d shares %s", count, wanted, what)
	}
	return nil
}

// addLags adds how long claims took. A claim may be seen before the answer about its share's first pod: less than 0.
func (s *scale) addLags(asked, answered map[int]time.Time) {
	lags := make([]float64, 0, s.shares)
	for share, first := range asked {
		lags = append(lags, answered[share].Sub(first).Seconds())
	}
	s.figures.add("a share's claim is there after its first pod: median", percentile(lags, 50), seconds, noTarget)
	s.figures.add("a share's claim is there after its first pod: 99 of 100", percentile(lags, 99), seconds, noTarget)
	s.figures.add("a share's claim is there after its first pod: the slowest", percentile(lags, 100), seconds, atMost(30))
}

// measureSettled adds what all of it has cost the controller.
func (s *scale) measureSettled(ctx context.Context) error {
	if err := s.out.Step("the controller has nothing left to do", func() error { return s.awaitSettled(ctx) }); err != nil {
		return err
	}
	c, err := s.costs(ctx)
	s.figures.add("write requests a share", c.writes/float64(s.shares), decimals, atMost(2).strictly())
	s.figures.add("resident memory", c.resident, mebibytes, atMost(maxResident))
	s.figures.add("its peak", c.peak, mebibytes, atMost(maxResident))
	return err
}
