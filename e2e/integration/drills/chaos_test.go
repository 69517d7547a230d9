package drills_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var chaos = flag.Duration("chaos", 10*time.Second, "how long processes are killed at random")

// TestProcessesAreKilledAtRandomUnderLoad runs longer with `go test ./e2e/integration/drills -run Random -chaos 10m -timeout 20m`.
func TestProcessesAreKilledAtRandomUnderLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), *chaos)
	defer cancel()
	l := &load{claims: map[string]types.UID{}}
	var group sync.WaitGroup
	for _, work := range []func(context.Context) error{l.createPlain, l.createAnnotated, l.createAnnotated, l.watchClaims} {
		group.Go(func() { l.note(work(ctx)) })
	}
	kills := 0
	for ctx.Err() == nil {
		kills++
		// The controller leads some seconds after its start, when the killed one's lease has run out: it is killed less often.
		kill := killAndStartWebhook
		if rand.IntN(12) == 0 {
			kill = killAndStartController
		}
		require.NoError(t, kill(t.Context()))
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rand.IntN(1500)) * time.Millisecond):
		}
	}
	group.Wait()
	require.Empty(t, l.problems)
	require.NotEmpty(t, l.shares)
	for _, share := range l.shares {
		require.NoError(t, within(t.Context(), hasClaim(share)), "no claim is lost")
	}
	assert.NoError(t, l.compareClaims(t.Context()))
	t.Logf("%d kills in %s: %d plain pods created, none refused; %d annotated ones injected, %d refused while the webhook was gone; %d claims",
		kills, *chaos, l.plain, l.injected, l.refused, len(l.claims))
}

func killAndStartWebhook(ctx context.Context) error {
	err := podshare.Webhook.Signal(syscall.SIGKILL)
	<-podshare.Webhook.Ended()
	return errors.Join(err, podshare.StartWebhook(ctx))
}

func killAndStartController(ctx context.Context) error {
	err := podshare.Controller.Signal(syscall.SIGKILL)
	<-podshare.Controller.Ended()
	return errors.Join(err, podshare.StartController(ctx, apiServer.url))
}

// load is what goes on while processes are killed, and what came of it.
type load struct {
	mu                       sync.Mutex
	plain, injected, refused int
	shares                   []string
	claims                   map[string]types.UID
	problems                 []string
}

func (l *load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.problems = append(l.problems, err.Error())
	}
}

func (l *load) createPlain(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := api.Create(context.WithoutCancel(ctx), newPod("")); err != nil {
			return fmt.Errorf("a pod without annotations: %w", err)
		}
		l.plain++
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// createAnnotated creates pods, of which every tenth has a share of its own.
func (l *load) createAnnotated(ctx context.Context) error {
	share := newShare()
	for n := 0; ctx.Err() == nil; n++ {
		pod := newPod(share)
		err := api.Create(context.WithoutCancel(ctx), pod)
		l.mu.Lock()
		switch {
		case err == nil && pod.Labels["podshare.dev/injected"] != "true":
			l.problems = append(l.problems, "pod "+pod.Name+" was created and not injected")
		case err == nil:
			l.injected++
			l.shares = append(l.shares, share)
			if n%10 == 0 {
				share = newShare()
			}
		case strings.Contains(err.Error(), "failed calling webhook"):
			l.refused++
		default:
			l.problems = append(l.problems, err.Error())
		}
		l.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

func (l *load) watchClaims(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := l.compareClaims(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil
}

// compareClaims wants every claim to be the one that it was.
func (l *load) compareClaims(ctx context.Context) error {
	var claims corev1.PersistentVolumeClaimList
	if err := api.List(ctx, &claims, client.InNamespace("default")); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known := map[string]types.UID{}
	for _, claim := range claims.Items {
		known[claim.Name] = claim.UID
	}
	for name, uid := range l.claims {
		if known[name] != uid {
			return fmt.Errorf("claim %s was made twice, or lost", name)
		}
	}
	l.claims = known
	return nil
}
