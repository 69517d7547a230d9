package drills_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestClientsAbuseTheWebhookWhilePodsAreCreated has 1,000 connections that say nothing, 100 that send a byte now and then, and four
// clients that send the largest body that is read, one after the other.
func TestClientsAbuseTheWebhookWhilePodsAreCreated(t *testing.T) {
	const mostMiB = 100 // manifests/base/webhook.yaml allows 128
	killWebhook(t)      // so that it begins with the memory of a new one
	startWebhook(t)
	t.Logf("resident before: %.1f MiB", resident(t))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 1000 {
		connection := dial(t)
		defer connection.Close() //nolint:errcheck // it has served
	}
	for range 100 {
		connection := dial(t)
		group.Go(func() { drip(ctx, connection) })
	}
	sent := make(chan int, 4)
	for range cap(sent) {
		group.Go(func() { sent <- sendLarge(ctx) })
	}
	// What it holds while it is abused.
	const pods = 300
	var slowest time.Duration
	most := resident(t)
	for n := range pods {
		begun := time.Now()
		pod := newPod("rules")
		require.NoError(t, api.Create(t.Context(), pod), "pod %d", n)
		require.Equal(t, "true", pod.Labels["podshare.dev/injected"])
		slowest = max(slowest, time.Since(begun))
		if n%20 == 0 {
			most = max(most, resident(t))
		}
	}
	cancel()
	group.Wait()
	bodies := 0
	for range cap(sent) {
		bodies += <-sent
	}
	t.Logf("%d annotated pods were created meanwhile, the slowest in %s; %d bodies of 7 MiB were answered", pods, slowest.Round(time.Millisecond), bodies)
	t.Logf("resident: %.1f MiB at most, %.1f MiB after", most, resident(t))
	assert.Less(t, most, float64(mostMiB))
	assert.Positive(t, bodies)
}

func resident(t *testing.T) float64 {
	t.Helper()
	bytes, err := podshare.WebhookMetric(t.Context(), "process_resident_memory_bytes")
	require.NoError(t, err)
	return bytes / (1 << 20)
}

func webhookAddress() string { return fmt.Sprintf("127.0.0.1:%d", podshare.WebhookPort) }

func dial(t *testing.T) *tls.Conn {
	t.Helper()
	connection, err := tls.Dial("tcp", webhookAddress(), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	return connection
}

// drip sends a request's header as slowly as it is let, and then the next one's on a new connection.
func drip(ctx context.Context, connection *tls.Conn) {
	defer connection.Close() //nolint:errcheck // it has served
	_, err := io.WriteString(connection, "POST /mutate-pods HTTP/1.1\r\nHost: a\r\nX: ")
	for err == nil && ctx.Err() == nil {
		_, err = io.WriteString(connection, "x")
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sendLarge sends bodies of 7 MiB until it is told to end, and returns how many were answered.
func sendLarge(ctx context.Context) (answered int) {
	body := append(bytes.Repeat([]byte(" "), 7<<20-2), "{}"...)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+webhookAddress()+"/mutate-pods", bytes.NewReader(body))
		if err != nil {
			return answered
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			continue
		}
		answered++
		_ = response.Body.Close()
	}
	return answered
}
