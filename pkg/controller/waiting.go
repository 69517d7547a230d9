package controller

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

var waitingMetric = prometheus.NewDesc("podshare_pods_waiting",
	"Pods that name a share whose claim cannot be made or used, by the reason of the Event that tells them. Only the leader knows.",
	[]string{"namespace", "share", "reason"}, nil)

// waitingPods are those of shares that a claim cannot be made for, or whose claim cannot be used. A share is here from when that was found
// out until a later look at it finds otherwise: what the caches show does not tell, since a claim without podshare's label may serve it.
type waitingPods struct {
	mu     sync.Mutex
	shares map[types.NamespacedName]waitingShare
}

type waitingShare struct {
	reason string
	pods   int
}

func newWaitingPods() *waitingPods {
	return &waitingPods{shares: map[types.NamespacedName]waitingShare{}}
}

// note says why the pods of a share wait.
func (w *waitingPods) note(share types.NamespacedName, reason string, pods int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shares[share] = waitingShare{reason, pods}
}

// forget is for a share that nobody waits for.
func (w *waitingPods) forget(share types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.shares, share)
}

// forgetAll is for a replica that leads no longer: another one knows now.
func (w *waitingPods) forgetAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.shares)
}

// Describe implements prometheus.Collector.
func (w *waitingPods) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- waitingMetric }

// Collect implements prometheus.Collector.
func (w *waitingPods) Collect(metrics chan<- prometheus.Metric) {
	w.mu.Lock()
	shares := maps.Clone(w.shares) // nobody waits here for whoever reads the metrics
	w.mu.Unlock()
	for share, waits := range shares {
		gauge(metrics, waitingMetric, waits.pods, share.Namespace, share.Name, waits.reason)
	}
}
