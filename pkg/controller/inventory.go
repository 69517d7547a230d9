package controller

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
)

// inventory reports the claims and the pods of shares as they are at the moment of a scrape. It reads the caches, which
// every replica fills, so that it does not matter which one is asked; a sum over replicas would count twice.
type inventory struct {
	cache  client.Reader
	config *config.Config
	filled filled
}

const anyReplica = " Every replica reports the same: take the maximum over replicas, not the sum."

// claimLabels name a claim as the kubelet's metrics do.
var claimLabels = []string{"namespace", "persistentvolumeclaim", "share"}

var (
	claimsMetric = prometheus.NewDesc("podshare_claims",
		"Claims of shares, by phase."+anyReplica, []string{"phase"}, nil)
	claimInfoMetric = prometheus.NewDesc("podshare_claim_info",
		"1 for each claim of a share; joins the kubelet's volume statistics to shares."+anyReplica, append(claimLabels, "storageclass"), nil)
	claimPhaseMetric = prometheus.NewDesc("podshare_claim_status_phase",
		"1 for each claim of a share, with the phase that it is in."+anyReplica, append(claimLabels, "phase"), nil)
	claimCapacityMetric = prometheus.NewDesc("podshare_claim_capacity_bytes",
		"What a claim of a share says that its volume holds; storage that enforces no size has more or less than that."+anyReplica,
		claimLabels, nil)
	podsMetric = prometheus.NewDesc("podshare_pods",
		"Pods that name a share and have not ended, by role."+anyReplica, []string{"namespace", "share", "role"}, nil)
	unusedMetric = prometheus.NewDesc("podshare_shares_unused",
		"Shares whose claim exists and that no pod names: their data is kept until somebody deletes the claim."+anyReplica,
		nil, nil)
)

// Describe implements prometheus.Collector.
func (i *inventory) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{
		claimsMetric, claimInfoMetric, claimPhaseMetric, claimCapacityMetric, podsMetric, unusedMetric,
	} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector. Before the caches are filled it reports nothing, rather than zeros.
func (i *inventory) Collect(metrics chan<- prometheus.Metric) {
	if i.filled.check(nil) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // the caches answer from memory
	defer cancel()
	used, err := i.collectPods(ctx, metrics)
	if err == nil {
		err = i.collectClaims(ctx, metrics, used)
	}
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(claimsMetric, err)
	}
}

// uses counts the pods of a share, by role.
type uses map[types.NamespacedName]map[api.Role]int

// collectPods reports pods. One that is being deleted counts, and so does one with a mistake in its annotations: it
// may use the data.
func (i *inventory) collectPods(ctx context.Context, metrics chan<- prometheus.Metric) (uses, error) {
	var pods metav1.PartialObjectMetadataList
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	if err := i.cache.List(ctx, &pods, client.UnsafeDisableDeepCopy); err != nil { // they are only read
		return nil, err
	}
	used := uses{}
	for _, pod := range pods.Items {
		request, _ := share.Parse(pod.Annotations, i.config)
		for _, s := range request.Shares {
			key := types.NamespacedName{Namespace: pod.Namespace, Name: s.Name}
			if used[key] == nil {
				used[key] = map[api.Role]int{}
			}
			used[key][s.Role]++
		}
	}
	for key, roles := range used {
		for role, count := range roles {
			gauge(metrics, podsMetric, count, key.Namespace, key.Name, string(role))
		}
	}
	return used, nil
}

// collectClaims reports claims, and those whose share is not used.
func (i *inventory) collectClaims(ctx context.Context, metrics chan<- prometheus.Metric, used uses) error {
	var claims corev1.PersistentVolumeClaimList
	if err := i.cache.List(ctx, &claims, client.UnsafeDisableDeepCopy); err != nil { // they are only read
		return err
	}
	phases := map[corev1.PersistentVolumeClaimPhase]int{corev1.ClaimPending: 0, corev1.ClaimBound: 0, corev1.ClaimLost: 0}
	unused := 0
	for i := range claims.Items {
		claim := &claims.Items[i]
		name, ok := shareOf(claim)
		if !ok {
			continue
		}
		phases[claim.Status.Phase]++
		gauge(metrics, claimInfoMetric, 1, claim.Namespace, claim.Name, name, className(claim))
		gauge(metrics, claimPhaseMetric, 1, claim.Namespace, claim.Name, name, string(claim.Status.Phase))
		if capacity, ok := claim.Status.Capacity[corev1.ResourceStorage]; ok {
			gauge(metrics, claimCapacityMetric, capacity.Value(), claim.Namespace, claim.Name, name)
		}
		if used[types.NamespacedName{Namespace: claim.Namespace, Name: name}] == nil {
			unused++
		}
	}
	for phase, count := range phases {
		gauge(metrics, claimsMetric, count, string(phase))
	}
	gauge(metrics, unusedMetric, unused)
	return nil
}

func gauge[T int | int64](metrics chan<- prometheus.Metric, description *prometheus.Desc, value T, labels ...string) {
	metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, float64(value), labels...)
}
