package plugin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
)

// clusterShare is a share as a cluster has it: its claim, and the pods that use it.
type clusterShare struct {
	types.NamespacedName
	// claim is nil where pods name a share that has none.
	claim *corev1.PersistentVolumeClaim
	// pods are the injected ones that name it, the oldest first.
	pods []podUse
	// usage is what a node says of its volume. Nil: no node says anything.
	usage *usage
}

// podUse is a pod and what it does with one share.
type podUse struct {
	*corev1.Pod
	role api.Role
}

// shares are those of a namespace, of all namespaces where that is empty, sorted.
func (c *cluster) shares(ctx context.Context, namespace string) ([]*clusterShare, error) {
	var claims corev1.PersistentVolumeClaimList
	if err := c.List(ctx, &claims, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{api.InjectedLabel: "true"}); err != nil {
		return nil, err
	}
	return sharesOf(claims.Items, pods.Items), nil
}

// sharesOf puts claims and pods together. A claim that somebody else made under a share's name counts too: podshare uses it.
func sharesOf(claims []corev1.PersistentVolumeClaim, pods []corev1.Pod) []*clusterShare {
	all := map[types.NamespacedName]*clusterShare{}
	of := func(namespace, name string) *clusterShare {
		key := types.NamespacedName{Namespace: namespace, Name: name}
		if all[key] == nil {
			all[key] = &clusterShare{NamespacedName: key}
		}
		return all[key]
	}
	for i := range claims {
		if name, is := shareOf(&claims[i]); is {
			of(claims[i].Namespace, name).claim = &claims[i]
		}
	}
	for i := range pods {
		for _, s := range named(pods[i].Annotations) {
			to := of(pods[i].Namespace, s.Name)
			to.pods = append(to.pods, podUse{&pods[i], s.Role})
		}
	}
	list := make([]*clusterShare, 0, len(all))
	for _, s := range all {
		slices.SortFunc(s.pods, func(a, b podUse) int {
			return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
		})
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *clusterShare) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// named are the shares of a pod's annotations, whatever the platform's policy is by now.
func named(annotations map[string]string) []share.Share {
	request, _ := share.Parse(annotations, config.Default())
	return request.Shares
}

// shareOf is the share whose name a claim has.
func shareOf(claim *corev1.PersistentVolumeClaim) (string, bool) {
	name, is := strings.CutPrefix(claim.Name, api.ClaimName(""))
	return name, is && name != "" && len(name) <= api.MaxShareNameLength
}

// phase is the claim's, or that there is none.
func (s *clusterShare) phase() string {
	switch {
	case s.claim == nil:
		return "Missing"
	case s.claim.DeletionTimestamp != nil:
		return "Terminating"
	default:
		return cmp.Or(string(s.claim.Status.Phase), string(corev1.ClaimPending))
	}
}

// className is empty where the claim names none.
func (s *clusterShare) className() string {
	if s.claim == nil || s.claim.Spec.StorageClassName == nil {
		return ""
	}
	return *s.claim.Spec.StorageClassName
}

// size is the volume's, or what the claim asks for as long as it has none. Nil: there is no claim.
func (s *clusterShare) size() *resource.Quantity {
	if s.claim == nil {
		return nil
	}
	if has, there := s.claim.Status.Capacity[corev1.ResourceStorage]; there {
		return &has
	}
	return s.claim.Spec.Resources.Requests.Storage()
}

// tally is how many pods of a role are ready, of those that have not ended.
type tally struct {
	Ready  int `json:"ready"`
	Wanted int `json:"wanted"`
}

func (s *clusterShare) tally(role api.Role) (t tally) {
	for _, p := range s.pods {
		if p.role != role || hasEnded(p.Pod) {
			continue
		}
		t.Wanted++
		if isReady(p.Pod) {
			t.Ready++
		}
	}
	return t
}

// lastPod is when the youngest pod was created. Zero: no pod uses the share.
func (s *clusterShare) lastPod() time.Time {
	if len(s.pods) == 0 {
		return time.Time{}
	}
	return s.pods[len(s.pods)-1].CreationTimestamp.Time
}

func hasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func isReady(pod *corev1.Pod) bool {
	condition := podCondition(pod, corev1.PodReady)
	return condition != nil && condition.Status == corev1.ConditionTrue
}

// podCondition is nil where the pod does not have it.
func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
