// Package controller makes sure that the claim of every share exists: for each share that a live pod names it creates
// the claim, grows it when a pod asks for more, and tells of what stands in the way in Events. It never deletes a claim
// and never edits one that podshare did not create.
package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podshare/podshare/pkg/config"
)

// Name is that of the lease, of the source of Events and of the user agent.
const Name = "podshare-controller"

const (
	// workers reconcile different shares side by side, so that 200 new ones wait for each other for less than a second.
	workers = 10
	// requestsPerSecond and requestBurst bound what the controller asks of the API server: a new share takes two
	// requests, and client-go's own bound of 5 a second would hold 200 of them up for over a minute.
	requestsPerSecond, requestBurst = 200, 500
	// A failed share is tried again after firstRetry, then after twice as long each time, up to lastRetry.
	firstRetry, lastRetry = 100 * time.Millisecond, 30 * time.Second
	// recheck is how soon a share is looked at again whose state the cache does not show: a claim without podshare's
	// label, or what its StorageClass allows.
	recheck = time.Minute
	// reconcileTimeout ends a reconciliation that hangs, in a request that is never answered.
	reconcileTimeout = time.Minute
)

// Options are what a controller runs with.
type Options struct {
	// Config is the platform's.
	Config *config.Config
	// REST is how the API server is reached. Run sets its rates and its user agent.
	REST *rest.Config
	// MetricsAddress is where /metrics, /healthz and /readyz are served over plain HTTP: "host:port", or "0" for nowhere.
	MetricsAddress string
	// LeaderElection makes the controller wait for the lease Name in LeaderElectionNamespace before it changes anything.
	LeaderElection          bool
	LeaderElectionNamespace string
	// Metrics gets podshare's own metrics; what is served are those of controller-runtime's registry.
	Metrics prometheus.Registerer
	Log     logr.Logger
}

// Run works until ctx ends, which is no error. It fails when the API server cannot be reached at the start. Later it waits for the API
// server, and for the lease when that was lost.
func Run(ctx context.Context, o Options) error {
	mgr, err := newManager(o)
	if err != nil {
		return err
	}
	caches := make(filled)
	if err := errors.Join(mgr.Add(caches), addHealth(mgr, caches)); err != nil {
		return err
	}
	failures, waiting := newErrorCounter(), newWaitingPods()
	if err := errors.Join(addInformers(ctx, mgr, o), addController(mgr, o, failures, waiting)); err != nil {
		return err
	}
	for _, collector := range []prometheus.Collector{failures, waiting, &inventory{mgr.GetCache(), o.Config, caches}} {
		if err := o.Metrics.Register(collector); err != nil {
			return fmt.Errorf("registering the metrics: %w", err)
		}
		defer o.Metrics.Unregister(collector)
	}
	if err := mgr.Start(ctx); err != nil && ctx.Err() == nil { // told to end while it starts, the manager fails
		return fmt.Errorf("the controller stopped: %w", err)
	}
	return nil
}

func newManager(o Options) (manager.Manager, error) {
	access := rest.AddUserAgent(o.REST, Name)
	access.QPS, access.Burst = requestsPerSecond, requestBurst
	mgr, err := manager.New(access, manager.Options{
		Logger:  o.Log,
		Cache:   cacheOptions(o.Log),
		Metrics: metricsserver.Options{BindAddress: o.MetricsAddress},
	})
	if err != nil { // it has asked for the kinds that there are
		return nil, fmt.Errorf("connecting to the API server at %s: %w", access.Host, err)
	}
	return mgr, nil
}

// addInformers adds the two that there are. Every replica has them: a standby has something to report, and can take over at once.
func addInformers(ctx context.Context, mgr manager.Manager, o Options) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, podMetadata(), shareIndex, sharesOf(o.Config)); err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	if _, err := mgr.GetCache().GetInformer(ctx, &corev1.PersistentVolumeClaim{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("watching claims: %w", err)
	}
	return nil
}

// addController adds what reconciles shares: a new controller each time that this replica gets the lease, which looks at all of them.
func addController(mgr manager.Manager, o Options, failures *prometheus.CounterVec, waiting *waitingPods) error {
	work := manager.RunnableFunc(func(ctx context.Context) error {
		defer waiting.forgetAll()
		c, err := newController(ctx, mgr, o, failures, waiting)
		if err != nil {
			return err
		}
		return c.Start(ctx)
	})
	if !o.LeaderElection {
		return mgr.Add(work)
	}
	leader, err := newLeader(mgr, o, work)
	if err != nil {
		return fmt.Errorf("preparing leader election: %w", err)
	}
	return mgr.Add(leader)
}

// newController makes a controller that works until ctx ends.
func newController(ctx context.Context, mgr manager.Manager, o Options, failures *prometheus.CounterVec, waiting *waitingPods,
) (controller.Controller, error) {
	c, err := controller.NewUnmanaged("share", controller.Options{
		Reconciler: &reconciler{
			config:   o.Config,
			client:   mgr.GetClient(),
			live:     mgr.GetAPIReader(),
			recorder: newRecorder(mgr.GetEventRecorder(Name)),
			known:    newKnownClaims(),
			errors:   failures,
			waiting:  waiting,
		},
		MaxConcurrentReconciles: workers,
		ReconciliationTimeout:   reconcileTimeout,
		Logger:                  o.Log,
		LogConstructor:          shareLogger(o.Log),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		// The check is process-wide and would forbid a second controller after the first one ended.
		SkipNameValidation: new(true),
	})
	if err != nil {
		return nil, err
	}
	informers := lentCache{mgr.GetCache(), ctx}
	return c, errors.Join(
		c.Watch(source.Kind[client.Object](informers, podMetadata(),
			handler.EnqueueRequestsFromMapFunc(podRequests(sharesOf(o.Config))), podChanged())),
		c.Watch(source.Kind[client.Object](informers, &corev1.PersistentVolumeClaim{},
			handler.EnqueueRequestsFromMapFunc(claimRequests))),
	)
}

// shareLogger names the share in each line about one.
func shareLogger(log logr.Logger) func(*reconcile.Request) logr.Logger {
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return log
		}
		return log.WithValues("namespace", request.Namespace, "share", request.Name)
	}
}

// addHealth serves the probes beside the metrics: one port less to open. A process that answers is alive, and a
// replica is ready once it could take over, whether it leads or not.
func addHealth(mgr manager.Manager, caches filled) error {
	return errors.Join(
		mgr.AddMetricsServerExtraHandler("/healthz", healthz.CheckHandler{Checker: healthz.Ping}),
		mgr.AddMetricsServerExtraHandler("/readyz", healthz.CheckHandler{Checker: caches.check}),
	)
}

// filled is closed once the caches are. The manager starts what needs no leader after them, on every replica.
type filled chan struct{}

// Start implements manager.Runnable.
func (f filled) Start(context.Context) error {
	close(f)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (f filled) NeedLeaderElection() bool { return false }

func (f filled) check(*http.Request) error {
	select {
	case <-f:
		return nil
	default:
		return errors.New("the caches of pods and claims are not filled yet")
	}
}
