package controller

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// unavailableRetry is how soon an informer asks again while the API server is away, and up to twice as long.
const unavailableRetry = time.Second

// patient lists and watches for an informer that is to come back soon after an outage. Left alone, an informer asks less often the longer
// the outage lasts, and comes back up to a minute after its end: good for all the clients of a cluster, but each replica has only two.
func patient(from toolscache.ListerWatcher, log logr.Logger) *toolscache.ListWatch {
	api := toolscache.ToListerWatcherWithContext(from)
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return untilAvailable(ctx, log, func() (runtime.Object, error) { return api.ListWithContext(ctx, options) })
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return untilAvailable(ctx, log, func() (watch.Interface, error) { return api.WatchWithContext(ctx, options) })
		},
	}
}

// untilAvailable asks until the API server has answered, and logs each new reason why it has not.
func untilAvailable[T any](ctx context.Context, log logr.Logger, ask func() (T, error)) (T, error) {
	for logged := ""; ; {
		answer, err := ask()
		if err == nil || !isUnavailable(err) {
			return answer, err
		}
		if reason := err.Error(); reason != logged {
			log.Info("waiting for the API server", "reason", reason)
			logged = reason
		}
		select {
		case <-ctx.Done():
			return answer, err
		case <-time.After(wait.Jitter(unavailableRetry, 1)):
		}
	}
}

// isUnavailable says that nobody answered, or only that there is nobody who could. Other answers are about the request, and an informer
// knows what to do about them: so also about a resource version that the API server does not have yet, which looks like a timeout.
func isUnavailable(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return true
	}
	return status.Status().Code >= 500 && !apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}
