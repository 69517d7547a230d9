package controller

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// A standby works after the lease's duration and one retry, of 2 to 4.4 s (client-go, leaderelection): within the 20 s that a claim may
// take when its leader dies. The usual 15 s would be too close.
//
// A leader that cannot renew stops before a standby may begin: after the last request that renewed, which took up to leaseTimeout, it
// waits for leaseRetry and then tries for renewDeadline.
const (
	leaseDuration = 10 * time.Second
	renewDeadline = 5 * time.Second
	leaseRetry    = 2 * time.Second
	leaseTimeout  = renewDeadline / 2 // of one request, so that one that hangs is tried again
	// stopTimeout is how long workers may take to stop, whose requests are cancelled.
	stopTimeout = 10 * time.Second
)

// leader works while it holds the lease. The manager's own leader election ends the process with the lease; this one waits for it again,
// as the same holder: after an outage it takes its own lease back at once, and its caches are filled.
type leader struct {
	lock resourcelock.Interface
	work manager.RunnableFunc
	log  logr.Logger
}

func newLeader(mgr manager.Manager, o Options, work manager.RunnableFunc) (*leader, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	identity := host + "_" + string(uuid.NewUUID()) // of this process, and of no other
	access := rest.AddUserAgent(mgr.GetConfig(), "leader-election")
	access.Timeout = leaseTimeout
	leases, err := coordination.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	return &leader{
		lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: o.LeaderElectionNamespace, Name: Name},
			Client:    leases,
			LockConfig: resourcelock.ResourceLockConfig{
				Identity:      identity,
				EventRecorder: mgr.GetEventRecorderFor(identity), //nolint:staticcheck // client-go takes no other
			},
		},
		work: work,
		log:  o.Log.WithName("leaderelection"),
	}, nil
}

// Start implements manager.Runnable.
func (l *leader) Start(ctx context.Context) error {
	ctx = logr.NewContext(ctx, l.log)
	for ctx.Err() == nil {
		if err := l.lead(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lead waits for the lease and works until it is lost, or ctx ends: then it gives the lease up.
func (l *leader) lead(ctx context.Context) error {
	electing, stop := context.WithCancel(ctx)
	defer stop()
	leading, ended := make(chan context.Context), make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name:          Name,
		Lock:          l.lock,
		LeaseDuration: leaseDuration,
		RenewDeadline: renewDeadline,
		RetryPeriod:   leaseRetry,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(lease context.Context) {
				select {
				case leading <- lease:
				case <-ended: // it is lost already
				}
			},
			OnStoppedLeading: func() {}, // the lease's context says so
		},
		// ReleaseOnCancel would release it while workers stop, and work on for as long as an API server that is away does not answer.
	})
	if err != nil {
		return err
	}
	go func() {
		defer close(ended)
		elector.Run(electing)
	}()
	select {
	case lease := <-leading:
		err = l.workDuring(lease)
		stop()
		<-ended
	case <-ended:
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() == nil:
		l.log.Info("lost the lease: this replica changes nothing until it has it again")
	case elector.IsLeader():
		l.release(ctx)
	}
	return nil
}

// workDuring returns when the workers have ended, so that they never run beside their successors, and fails when they do not end.
func (l *leader) workDuring(lease context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- l.work(lease) }()
	select {
	case err := <-ended:
		return err
	case <-lease.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("the workers did not stop within %s of the lease's end", stopTimeout)
	}
}

// release gives the lease up, so that a standby need not wait until it runs out. An error costs no more than that.
func (l *leader) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewDeadline)
	defer cancel()
	record, _, err := l.lock.Get(ctx)
	if err == nil && record.HolderIdentity == l.lock.Identity() {
		now := metav1.Now()
		err = l.lock.Update(ctx, resourcelock.LeaderElectionRecord{
			LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now, LeaderTransitions: record.LeaderTransitions,
		})
	}
	if err != nil {
		l.log.Info("could not give the lease up", "reason", err.Error())
	}
}
