//go:build linux

package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/agent/mounttest"
)

// serve starts a watchdog that answers HTTP on a free port, which the arguments have as PORT, and returns its address.
func serve(t *testing.T, arguments ...string) (w *watchdog, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, _ := strings.Cut(address, ":")
	for n := range arguments {
		arguments[n] = strings.ReplaceAll(arguments[n], "PORT", port)
	}
	return startWatchdog(t, &syscall.SysProcAttr{}, arguments...), address
}

func get(t *testing.T, url string) (code int, header http.Header, body string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(content)
}

func TestTheKubeletIsAnsweredByHTTP(t *testing.T) {
	dir := mounttest.TmpFS(t, "")
	w, address := serve(t, "--consume", "rules:"+dir, "--await", "rules/done", "--port", "PORT")
	readyz := "http://" + address + "/readyz"
	w.becomes(1, "share rules: waiting for rules/done")
	code, _, body := get(t, readyz)
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "share rules: waiting for rules/done\n", body)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "done"), nil, 0o600))
	w.becomes(0, "ready: rules")
	code, _, body = get(t, readyz)
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "ready: rules\n", body)

	response, err := http.Head("http://" + address)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	response, err = http.Post("http://"+address, "text/plain", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
}

func TestWhoeverAsksOddlyHoldsNobodyUp(t *testing.T) {
	w, address := serve(t, "--consume", "rules:"+mounttest.TmpFS(t, ""), "--port", "PORT", "--metrics-port", "PORT")
	for _, question := range []string{"", "G", "\r\n\r\n\r\n", "GET", strings.Repeat("x", 100_000), "GET / HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", 5000)} {
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer connection.Close() //nolint:errcheck // the test's end
		_, _ = io.WriteString(connection, question)
	}
	for range 100 { // that say nothing; they are cut, and so do not add up
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer connection.Close() //nolint:errcheck // the test's end
	}
	w.becomes(0, "ready: rules") // by the socket at once
	for _, path := range []string{"/readyz", "/metrics"} {
		require.Eventually(t, func() bool {
			client := http.Client{Timeout: 5 * time.Second}
			response, err := client.Get("http://" + address + path)
			return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
		}, limit, tick)
	}
}

func TestAPortForMetricsAloneTellsNothingElse(t *testing.T) {
	dir := mounttest.TmpFS(t, "")
	w, address := serve(t, "--consume", "rules:"+dir, "--await", "rules/secret-plans.py", "--metrics-port", "PORT")
	w.becomes(1, "share rules: waiting for rules/secret-plans.py")
	for path, want := range map[string]struct {
		code int
		kind string
		body string // a pattern
	}{
		"/metrics":       {200, "text/plain; version=0.0.4; charset=utf-8", `podshare_share_ready{share="rules",role="consumer"} 0\n`},
		"/metrics?all=1": {200, "text/plain; version=0.0.4; charset=utf-8", `podshare_share_capacity_bytes{share="rules",role="consumer"} [0-9]+\n`},
		"/readyz":        {404, "text/plain; charset=utf-8", "^there is /metrics alone\n$"},
		"/":              {404, "text/plain; charset=utf-8", "^there is /metrics alone\n$"},
	} {
		code, header, body := get(t, "http://"+address+path)
		assert.Equal(t, want.code, code, path)
		assert.Equal(t, want.kind, header.Get("Content-Type"), path)
		assert.Regexp(t, want.body, body, path)
		assert.NotContains(t, body, "secret-plans")
		assert.NotContains(t, body, dir)
	}
	response, err := http.Head("http://" + address + "/metrics")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	response, err = http.Post("http://"+address+"/metrics", "text/plain", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
}

func TestOnePortHasReadinessAndMetrics(t *testing.T) {
	w, address := serve(t, "--consume", "rules:"+mounttest.TmpFS(t, ""), "--port", "PORT", "--metrics-port", "PORT")
	w.becomes(0, "ready: rules")
	_, _, body := get(t, "http://"+address+"/readyz")
	assert.Equal(t, "ready: rules\n", body)
	_, _, body = get(t, "http://"+address+"/metrics")
	assert.Contains(t, body, `podshare_share_ready{share="rules",role="consumer"} 1`+"\n")
}

func TestWithoutMetricsTheirPathIsAsAnyOther(t *testing.T) {
	w, address := serve(t, "--consume", "rules:"+mounttest.TmpFS(t, ""), "--port", "PORT")
	w.becomes(0, "ready: rules")
	_, _, body := get(t, "http://"+address+"/metrics")
	assert.Equal(t, "ready: rules\n", body)
}

func TestPrometheusMakesItNoLarger(t *testing.T) {
	w, address := serve(t, "--consume", "rules:"+mounttest.TmpFS(t, ""), "--produce", "models:"+mounttest.TmpFS(t, "size=2g"),
		"--same-user", "--port", "PORT", "--metrics-port", "PORT")
	for range 120 { // one a second, for the two minutes after which Go collects its garbage
		get(t, "http://"+address+"/metrics")
		get(t, "http://"+address+"/readyz")
	}
	w.requireSmall()
}
