package controller

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func TestALeaderStopsBeforeAStandbyMayBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := &memoryLock{}
		var starts, stops []time.Time
		l := &leader{lock: lock, log: logr.Discard(), work: func(lease context.Context) error {
			starts = append(starts, time.Now())
			<-lease.Done()
			stops = append(stops, time.Now())
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Start(ctx) }()
		pass(time.Minute)
		require.Len(t, starts, 1)
		require.Empty(t, stops, "it renews")

		lock.away.Store(true)
		pass(time.Minute)
		require.Len(t, stops, 1)
		assert.Less(t, stops[0].Sub(lock.renewed), leaseDuration)
		require.Len(t, starts, 1)

		lock.away.Store(false)
		pass(10 * time.Second)
		require.Len(t, starts, 2, "it takes its own lease back")

		cancel()
		require.NoError(t, <-ended)
		require.Len(t, stops, 2)
		assert.Less(t, stops[1], lock.released, "the workers have ended before anybody else may begin")
	})
}

// pass lets time go by in a bubble of synctest.
func pass(period time.Duration) {
	time.Sleep(period)
	synctest.Wait()
}

func TestWorkersThatDoNotStopEndTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		l := &leader{lock: &memoryLock{}, log: logr.Discard(), work: func(context.Context) error {
			<-never
			return nil
		}}
		lease, cancel := context.WithCancel(t.Context())
		cancel()
		assert.EqualError(t, l.workDuring(lease), "the workers did not stop within 10s of the lease's end")
		close(never)
	})
}

func TestAControllerThatCannotStartEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		l := &leader{lock: &memoryLock{}, log: logr.Discard(), work: func(context.Context) error { return broken }}
		assert.Equal(t, broken, l.Start(t.Context()))
	})
}

// memoryLock is a lease that only one process asks for, at an API server that can be away. Each request takes about as long as it may.
type memoryLock struct {
	away              atomic.Bool
	record            resourcelock.LeaderElectionRecord
	renewed, released time.Time // when the last requests were sent that did so
}

func (m *memoryLock) request(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(leaseTimeout - time.Millisecond):
	}
	if m.away.Load() {
		return errors.New("the API server is away")
	}
	return nil
}

func (m *memoryLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if err := m.request(ctx); err != nil {
		return nil, nil, err
	}
	record := m.record
	raw, err := json.Marshal(record)
	return &record, raw, err
}

func (m *memoryLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return m.Update(ctx, record)
}

func (m *memoryLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	sent := time.Now()
	if err := m.request(ctx); err != nil {
		return err
	}
	if m.record = record; record.HolderIdentity == "" {
		m.released = sent
	} else {
		m.renewed = sent
	}
	return nil
}

func (*memoryLock) RecordEvent(string) {}
func (*memoryLock) Identity() string   { return "me" }
func (*memoryLock) Describe() string   { return "a lock" }
