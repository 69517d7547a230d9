package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// usage is what a volume holds, as its kubelet says. It says nothing of some kinds of volume, and of others what their whole server holds.
type usage struct {
	UsedBytes     int64 `json:"usedBytes"`
	CapacityBytes int64 `json:"capacityBytes"`
	// The inodes are 0 where the file system does not count them.
	InodesUsed int64  `json:"inodesUsed,omitempty"`
	Inodes     int64  `json:"inodes,omitempty"`
	Node       string `json:"node"`
}

func (u *usage) String() string {
	if u == nil || u.CapacityBytes <= 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%d%%)", shortBytes(u.UsedBytes), u.UsedBytes*100/u.CapacityBytes)
}

// shortBytes is how people write an amount: in the largest binary unit of which there is at least one.
func shortBytes(n int64) string {
	for _, unit := range []struct {
		suffix string
		bytes  int64
	}{{"Ti", 1 << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}} {
		if n >= unit.bytes {
			text := fmt.Sprintf("%.1f", float64(n)/float64(unit.bytes))
			if text[len(text)-2:] == ".0" {
				text = text[:len(text)-2]
			}
			return text + unit.suffix
		}
	}
	return resource.NewQuantity(n, resource.BinarySI).String()
}

const (
	nodesAtOnce = 8
	nodeTimeout = 5 * time.Second // a node that is away is not waited for
)

// addUsage asks the nodes on which pods have the shares mounted, through the API server. A node that does not answer leaves its shares
// without figures; the error says why, once.
func (c *cluster) addUsage(ctx context.Context, shares []*clusterShare) error {
	typed, err := c.typed()
	if err != nil {
		return err
	}
	nodes := map[string]bool{}
	for _, s := range shares {
		for _, p := range s.pods {
			if p.Spec.NodeName != "" && p.Status.Phase == corev1.PodRunning {
				nodes[p.Spec.NodeName] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(nodes))
	answers, problems := make([]map[types.NamespacedName]*usage, len(names)), make([]error, len(names))
	group := errgroup.Group{}
	group.SetLimit(nodesAtOnce)
	for i, node := range names {
		group.Go(func() error {
			answers[i], problems[i] = nodeUsage(ctx, typed, node)
			return nil // the others are asked all the same
		})
	}
	_ = group.Wait()
	for _, s := range shares {
		for _, answer := range answers {
			if found := answer[types.NamespacedName{Namespace: s.Namespace, Name: s.claimName()}]; found != nil {
				s.usage = found
			}
		}
	}
	return oneOf(problems)
}

// oneOf is the first of the nodes' problems, and says how many others there are: most often they are the same.
func oneOf(problems []error) error {
	problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return problems[0]
	default:
		return fmt.Errorf("%w (and %d other nodes)", problems[0], len(problems)-1)
	}
}

// nodeUsage is what a node says of the claims that it has mounted.
func nodeUsage(ctx context.Context, typed kubernetes.Interface, node string) (map[types.NamespacedName]*usage, error) {
	ctx, cancel := context.WithTimeout(ctx, nodeTimeout)
	defer cancel()
	raw, err := typed.CoreV1().RESTClient().Get().Resource("nodes").Name(node).SubResource("proxy").Suffix("stats/summary").DoRaw(ctx)
	if apierrors.IsForbidden(err) {
		err = errors.New("you may not get nodes/proxy")
	}
	if err != nil {
		return nil, fmt.Errorf("asking node %s how full its volumes are: %w", node, err)
	}
	return readSummary(raw, node)
}

// readSummary reads the few fields of kubelet's summary that are about claims (k8s.io/kubelet, pkg/apis/stats/v1alpha1).
func readSummary(raw []byte, node string) (map[types.NamespacedName]*usage, error) {
	var summary struct {
		Pods []struct {
			Volume []struct {
				PVCRef                                       *types.NamespacedName
				UsedBytes, CapacityBytes, InodesUsed, Inodes *int64
			}
		}
	}
	if err := json.Unmarshal(raw, &summary); err != nil {
		return nil, fmt.Errorf("node %s answers what is no summary: %w", node, err)
	}
	value := func(n *int64) int64 {
		if n == nil {
			return 0
		}
		return *n
	}
	found := map[types.NamespacedName]*usage{}
	for _, pod := range summary.Pods {
		for _, v := range pod.Volume {
			if v.PVCRef != nil && v.UsedBytes != nil && value(v.CapacityBytes) > 0 {
				found[*v.PVCRef] = &usage{*v.UsedBytes, *v.CapacityBytes, value(v.InodesUsed), value(v.Inodes), node}
			}
		}
	}
	return found, nil
}
