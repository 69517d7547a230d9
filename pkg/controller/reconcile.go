package controller

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/share"
)

// reconciler looks at a share, decides and acts. A request's name is the share's.
type reconciler struct {
	config   *config.Config
	client   client.Client // reads from the cache
	live     client.Reader // asks the API server
	recorder recorder
	known    knownClaims
	places   places
	errors   *prometheus.CounterVec
	waiting  *waitingPods
}

// Reconcile implements reconcile.Reconciler. An error is tried again, later each time.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	result, err := r.reconcile(ctx, request.NamespacedName)
	if err != nil {
		r.errors.WithLabelValues(errorReason(err)).Inc()
	}
	return result, err
}

func (r *reconciler) reconcile(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	pods, err := r.podsNaming(ctx, key)
	if err != nil {
		return reconcile.Result{}, err
	}
	if key.Name == mistaken {
		r.tellMistakes(pods)
		return reconcile.Result{}, nil
	}
	users := usersAmong(pods, r.config)
	if len(users) == 0 {
		r.waiting.forget(key)
		return reconcile.Result{}, r.rest(ctx, key)
	}
	o, err := r.observe(ctx, key, users)
	if err != nil {
		return reconcile.Result{}, err
	}
	return r.act(ctx, o, decide(o, r.config))
}

// rest leaves a share without pods as it is, since data outlives pods. It forgets the claim, which may be deleted on
// purpose from now on, unless it is going or gone already: that hits the next pods, which are told.
func (r *reconciler) rest(ctx context.Context, key types.NamespacedName) error {
	if r.known.of(key) == "" {
		return nil
	}
	claim, _, err := r.findClaim(ctx, key)
	switch {
	case err != nil:
		return err
	case claim == nil || claim.DeletionTimestamp != nil:
		r.known.forgetSoon(key)
	default:
		r.known.forget(key)
	}
	return nil
}

// podsNaming reads, from the cache, the pods that name a share.
func (r *reconciler) podsNaming(ctx context.Context, key types.NamespacedName) ([]metav1.PartialObjectMetadata, error) {
	var pods metav1.PartialObjectMetadataList
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	err := r.client.List(ctx, &pods, client.InNamespace(key.Namespace), client.MatchingFields{shareIndex: key.Name},
		client.UnsafeDisableDeepCopy) // they are only read
	return pods.Items, err
}

// tellMistakes tells each pod of those that have mistakes in their annotations.
func (r *reconciler) tellMistakes(pods []metav1.PartialObjectMetadata) {
	for i := range pods {
		if pods[i].DeletionTimestamp != nil {
			continue
		}
		_, mistakes := share.Parse(pods[i].Annotations, r.config)
		r.recorder.tellPod(invalidAnnotations(mistakes), podReference(&pods[i]))
	}
}

// observe gathers what a decision needs.
func (r *reconciler) observe(ctx context.Context, key types.NamespacedName, users []user) (observation, error) {
	o := observation{share: key, users: users, previous: r.known.of(key)}
	var err error
	if o.claim, o.watched, err = r.findClaim(ctx, key); err != nil {
		return o, err
	}
	if needsGrowth(o) {
		o.class, err = r.findClass(ctx, className(o.claim))
	}
	return o, err
}

// findClaim reads the claim of a share, nil when there is none, and says whether it is watched. The cache has neither
// what was created a moment ago nor what lacks podshare's label, so what it lacks is asked of the API server.
func (r *reconciler) findClaim(ctx context.Context, key types.NamespacedName) (*corev1.PersistentVolumeClaim, bool, error) {
	name := types.NamespacedName{Namespace: key.Namespace, Name: api.ClaimName(key.Name)}
	claim := &corev1.PersistentVolumeClaim{}
	err := r.client.Get(ctx, name, claim)
	if apierrors.IsNotFound(err) {
		err = r.live.Get(ctx, name, claim)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("reading claim %s: %w", name.Name, err)
	}
	_, labelled := shareOf(claim)
	return claim, labelled, nil
}

// findClass reads a StorageClass: nil when there is none of that name.
func (r *reconciler) findClass(ctx context.Context, name string) (*storagev1.StorageClass, error) {
	if name == "" {
		return nil, nil
	}
	class := &storagev1.StorageClass{}
	err := r.live.Get(ctx, types.NamespacedName{Name: name}, class)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading StorageClass %s: %w", name, err)
	}
	return class, nil
}

// act does what was decided, and tells it when it is done.
func (r *reconciler) act(ctx context.Context, o observation, d decision) (reconcile.Result, error) {
	claim := o.claim
	switch {
	case !d.usable:
		r.waiting.note(o.share, d.notices[0].reason, len(o.users))
	case claim != nil:
		r.waiting.forget(o.share)
	}
	switch {
	case d.create != nil:
		full, err := r.create(ctx, d.create)
		if full != "" {
			r.tellWaiting(o, tooManyShares(o, full))
			return reconcile.Result{RequeueAfter: recheck}, nil
		}
		if err != nil {
			return r.notCreated(ctx, o, d.create, err)
		}
		claim = d.create
		r.waiting.forget(o.share)
		logr.FromContextOrDiscard(ctx).Info("created claim", "claim", claim.Name,
			"size", claim.Spec.Resources.Requests.Storage().String(), "storageClass", className(claim))
	case d.grow != nil:
		if err := r.grow(ctx, o, *d.grow); err != nil {
			return reconcile.Result{}, err
		}
	}
	if d.usable {
		r.known.remember(o.share, claim.UID)
	}
	for _, n := range d.notices {
		r.recorder.tell(n, o.share, claim)
	}
	if d.recheck {
		return reconcile.Result{RequeueAfter: recheck}, nil
	}
	return reconcile.Result{}, nil
}

// create creates a claim, unless its namespace has as many as policy allows: then it says so.
func (r *reconciler) create(ctx context.Context, claim *corev1.PersistentVolumeClaim) (full string, err error) {
	if limit := r.config.Limits.SharesPerNamespace; limit > 0 {
		key := client.ObjectKeyFromObject(claim)
		n, ok, err := r.places.take(key, claimsIn(ctx, r.client, key.Namespace), claimsIn(ctx, r.live, key.Namespace), limit)
		switch {
		case err != nil:
			return "", fmt.Errorf("counting the claims of namespace %s: %w", claim.Namespace, err)
		case !ok:
			return fmt.Sprintf("the namespace has %d claims of podshare, and this platform allows at most %d", n, limit), nil
		}
		if err := r.client.Create(ctx, claim); err != nil {
			r.places.giveBack(key)
			return "", err
		}
		return "", nil
	}
	return "", r.client.Create(ctx, claim)
}

// claimsIn reads the names of podshare's claims in a namespace.
func claimsIn(ctx context.Context, reader client.Reader, namespace string) func() ([]string, error) {
	return func() ([]string, error) {
		var claims corev1.PersistentVolumeClaimList
		ours := client.MatchingLabels{api.ManagedByLabel: api.ManagedBy}
		if err := reader.List(ctx, &claims, client.InNamespace(namespace), ours); err != nil {
			return nil, err
		}
		names := make([]string, len(claims.Items))
		for i := range claims.Items {
			names[i] = claims.Items[i].Name
		}
		return names, nil
	}
}

// notCreated tells why, except where somebody was faster or where there is nobody left to tell.
func (r *reconciler) notCreated(ctx context.Context, o observation, claim *corev1.PersistentVolumeClaim, err error,
) (reconcile.Result, error) {
	switch {
	case apierrors.IsAlreadyExists(err):
		return reconcile.Result{RequeueAfter: firstRetry}, nil
	case isNamespaceEnding(err):
		r.waiting.forget(o.share)
		logr.FromContextOrDiscard(ctx).Info("no claim: the namespace is being deleted", "claim", claim.Name)
		return reconcile.Result{}, nil
	}
	r.tellWaiting(o, createFailure(o, claim.Name, err))
	return reconcile.Result{}, fmt.Errorf("creating claim %s: %w", claim.Name, err)
}

// tellWaiting tells the pods of a share why they wait for its claim.
func (r *reconciler) tellWaiting(o observation, n notice) {
	r.waiting.note(o.share, n.reason, len(o.users))
	r.recorder.tell(n, o.share, nil)
}

// grow raises the claim's request, unless the claim has changed meanwhile.
func (r *reconciler) grow(ctx context.Context, o observation, size resource.Quantity) error {
	larger := o.claim.DeepCopy()
	larger.Spec.Resources.Requests[corev1.ResourceStorage] = size
	err := r.client.Patch(ctx, larger, client.MergeFromWithOptions(o.claim, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		if !apierrors.IsConflict(err) { // then only the cache is behind, which nobody has to know
			r.recorder.tell(growFailure(o, err), o.share, o.claim)
		}
		return fmt.Errorf("growing claim %s: %w", o.claim.Name, err)
	}
	logr.FromContextOrDiscard(ctx).Info("grew claim", "claim", o.claim.Name, "size", size.String())
	return nil
}
