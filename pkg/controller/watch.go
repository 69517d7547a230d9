package controller

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
)

// cacheOptions limits the caches to pods that share and to claims of shares, and those to what is read of them: memory
// grows with the shared pods and not with the cluster.
func cacheOptions(log logr.Logger) cache.Options {
	labelled, err := labels.NewRequirement(api.ShareLabel, selection.Exists, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	return cache.Options{
		// An informer that nobody set up is a mistake: it would cache, and need permission to list, a whole kind.
		ReaderFailOnMissingInformer: true,
		NewInformer: func(from toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers,
		) toolscache.SharedIndexInformer {
			return toolscache.NewSharedIndexInformer(patient(from, log), object, resync, indexers)
		},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}: {
				Label:     labels.SelectorFromSet(labels.Set{api.InjectedLabel: "true"}),
				Field:     fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed"), // these use nothing
				Transform: trimPod,
			},
			&corev1.PersistentVolumeClaim{}: {
				Label:     labels.NewSelector().Add(*labelled),
				Transform: trimClaim,
			},
		},
	}
}

// trimPod leaves of a pod's metadata what is read here: who it is, its times and our annotations.
func trimPod(object any) (any, error) {
	if pod, ok := object.(*metav1.PartialObjectMetadata); ok {
		pod.ObjectMeta = metav1.ObjectMeta{
			Namespace:         pod.Namespace,
			Name:              pod.Name,
			UID:               pod.UID,
			ResourceVersion:   pod.ResourceVersion,
			CreationTimestamp: pod.CreationTimestamp,
			DeletionTimestamp: pod.DeletionTimestamp,
			Annotations:       ours(pod.Annotations),
		}
	}
	return object, nil
}

// ours are the annotations that share.Parse reads, which the report about an injection is not one of.
func ours(annotations map[string]string) map[string]string {
	kept := map[string]string{}
	for key, value := range annotations {
		if strings.HasPrefix(key, api.Prefix) && key != api.Status {
			kept[key] = value
		}
	}
	return kept
}

// trimClaim drops what is large and not read here. Growing patches the difference of two trimmed claims, so what is
// dropped stays as it is.
func trimClaim(object any) (any, error) {
	if claim, ok := object.(*corev1.PersistentVolumeClaim); ok {
		claim.ManagedFields, claim.Annotations = nil, nil
	}
	return object, nil
}

// podMetadata names the kind of which only metadata is read.
func podMetadata() *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
}

// shareIndex finds pods by the shares that they name.
const shareIndex = "shares"

// mistaken stands in the place of a share's name for the pods of a namespace whose annotations have mistakes: such a
// pod may name no share at all that it could be found by.
const mistaken = ""

// sharesOf returns the names of the shares of a pod, and mistaken when something in its annotations is wrong.
func sharesOf(c *config.Config) client.IndexerFunc {
	return func(pod client.Object) []string {
		request, mistakes := share.Parse(pod.GetAnnotations(), c)
		var names []string
		for _, s := range request.Shares {
			names = append(names, s.Name)
		}
		if len(mistakes) > 0 {
			names = append(names, mistaken)
		}
		return names
	}
}

// podRequests maps a pod to its shares.
func podRequests(shares client.IndexerFunc) handler.MapFunc {
	return func(_ context.Context, pod client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, name := range shares(pod) {
			requests = append(requests, request(pod.GetNamespace(), name))
		}
		return requests
	}
}

// claimRequests maps a claim to its share.
func claimRequests(_ context.Context, claim client.Object) []reconcile.Request {
	if name, ok := shareOf(claim); ok {
		return []reconcile.Request{request(claim.GetNamespace(), name)}
	}
	return nil
}

// shareOf is the share that a claim is labelled with, unless another claim is that share's.
func shareOf(claim client.Object) (string, bool) {
	name := claim.GetLabels()[api.ShareLabel]
	return name, name != "" && claim.GetName() == api.ClaimName(name)
}

func request(namespace, share string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: share}}
}

// podChanged passes the updates of a pod that matter to its shares: a pod's status changes many times while it starts.
func podChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !maps.Equal(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()) ||
			!e.ObjectOld.GetDeletionTimestamp().Equal(e.ObjectNew.GetDeletionTimestamp())
	}}
}

// lentCache is the cache as a controller gets it that ends before the cache does: source.Kind would leave its event handlers there.
type lentCache struct {
	cache.Cache
	until context.Context
}

// GetInformer implements cache.Informers.
func (c lentCache) GetInformer(ctx context.Context, object client.Object, options ...cache.InformerGetOption) (cache.Informer, error) {
	informer, err := c.Cache.GetInformer(ctx, object, options...)
	return lentInformer{informer, c.until}, err
}

type lentInformer struct {
	cache.Informer
	until context.Context
}

// AddEventHandlerWithOptions implements cache.Informer.
func (i lentInformer) AddEventHandlerWithOptions(handler toolscache.ResourceEventHandler, options toolscache.HandlerOptions,
) (toolscache.ResourceEventHandlerRegistration, error) {
	registration, err := i.Informer.AddEventHandlerWithOptions(handler, options)
	if err == nil {
		context.AfterFunc(i.until, func() { _ = i.RemoveEventHandler(registration) }) // it fails when there is nothing to remove
	}
	return registration, err
}
