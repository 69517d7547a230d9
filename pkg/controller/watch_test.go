package controller

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podshare/podshare/pkg/config"
)

func TestPodsMapToTheSharesThatTheyName(t *testing.T) {
	for name, test := range map[string]struct {
		annotations map[string]string
		want        []reconcile.Request
	}{
		"none": {},
		"both roles": {
			map[string]string{"podshare.dev/produce": "a", "podshare.dev/consume": "b:/data,c"},
			[]reconcile.Request{request("shop", "a"), request("shop", "b"), request("shop", "c")},
		},
		"a mistake beside a share": {
			map[string]string{"podshare.dev/produce": "a", "podshare.dev/size": "lots"},
			[]reconcile.Request{request("shop", "a"), request("shop", mistaken)},
		},
		"nothing but a mistake": {
			map[string]string{"podshare.dev/produce": "No Share"},
			[]reconcile.Request{request("shop", mistaken)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Annotations: test.annotations}}
			assert.Equal(t, test.want, podRequests(sharesOf(config.Default()))(t.Context(), pod))
		})
	}
}

func TestClaimsMapToTheirShare(t *testing.T) {
	for name, test := range map[string]struct {
		claim  string
		labels map[string]string
		want   []reconcile.Request
	}{
		"a share's": {
			"podshare-a", map[string]string{"podshare.dev/share": "a"}, []reconcile.Request{request("shop", "a")},
		},
		"no label":                         {"podshare-a", nil, nil},
		"a label on a claim of other name": {"mine", map[string]string{"podshare.dev/share": "a"}, nil},
		"an empty label":                   {"podshare-", map[string]string{"podshare.dev/share": ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			claim := &corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: test.claim, Labels: test.labels},
			}
			assert.Equal(t, test.want, claimRequests(t.Context(), claim))
		})
	}
}

func TestTheCacheKeepsOfAPodWhatIsRead(t *testing.T) {
	now := metav1.Now()
	kept := metav1.ObjectMeta{
		Namespace: "shop", Name: "a", UID: "1", ResourceVersion: "7", CreationTimestamp: now, DeletionTimestamp: &now,
		Annotations: map[string]string{"podshare.dev/produce": "a"},
	}
	pod := &metav1.PartialObjectMetadata{ObjectMeta: *kept.DeepCopy()}
	pod.Annotations["podshare.dev/status"] = "{}"
	pod.Annotations["example.com/large"] = "text"
	pod.Labels = map[string]string{"podshare.dev/injected": "true"}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	pod.OwnerReferences = []metav1.OwnerReference{{Name: "a"}}
	trimmed, err := trimPod(pod)
	require.NoError(t, err)
	assert.Equal(t, kept, trimmed.(*metav1.PartialObjectMetadata).ObjectMeta)
}

func TestWhichPodUpdatesMatter(t *testing.T) {
	pod := func(change func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
		p := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: "1", Annotations: map[string]string{"podshare.dev/produce": "a"},
		}}
		change(p)
		return p
	}
	for name, test := range map[string]struct {
		change func(*metav1.PartialObjectMetadata)
		want   bool
	}{
		"its status":      {func(p *metav1.PartialObjectMetadata) { p.ResourceVersion = "2" }, false},
		"its annotations": {func(p *metav1.PartialObjectMetadata) { p.Annotations["podshare.dev/size"] = "1Gi" }, true},
		"its end":         {func(p *metav1.PartialObjectMetadata) { p.DeletionTimestamp = new(metav1.Now()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := pod(func(*metav1.PartialObjectMetadata) {})
			assert.Equal(t, test.want, podChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: pod(test.change)}))
		})
	}
}

func TestAControllerThatEndsLeavesNothingAtTheInformers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	informer := toolscache.NewSharedIndexInformer(&toolscache.ListWatch{}, &corev1.PersistentVolumeClaim{}, 0, nil)
	registration, err := lentInformer{informer, ctx}.AddEventHandlerWithOptions(
		toolscache.ResourceEventHandlerFuncs{}, toolscache.HandlerOptions{})
	require.NoError(t, err)
	removed := registration.(interface{ ShutdownChan() <-chan struct{} }).ShutdownChan()
	cancel()
	select {
	case <-removed:
	case <-time.After(10 * time.Second):
		assert.Fail(t, "its event handler is still there")
	}
}
