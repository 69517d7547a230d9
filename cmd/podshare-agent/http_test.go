//go:build linux

package main

import (
	"fmt"
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

// serve starts a watchdog that answers HTTP, and returns its address.
func serve(t *testing.T, arguments ...string) (w *watchdog, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	return startWatchdog(t, &syscall.SysProcAttr{}, append(arguments, "--port", fmt.Sprint(port))...), fmt.Sprintf("127.0.0.1:%d", port)
}

func TestTheKubeletIsAnsweredByHTTP(t *testing.T) {
	dir := mounttest.TmpFS(t, "")
	w, address := serve(t, "--consume", "rules:"+dir, "--await", "rules/done")
	get := func() (int, string) {
		response, err := http.Get("http://" + address + "/readyz")
		require.NoError(t, err)
		defer response.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	w.becomes(1, "share rules: waiting for rules/done")
	code, body := get()
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "share rules: waiting for rules/done\n", body)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "done"), nil, 0o600))
	w.becomes(0, "ready: rules")
	code, body = get()
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
	w, address := serve(t, "--consume", "rules:"+mounttest.TmpFS(t, ""))
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
	require.Eventually(t, func() bool {
		client := http.Client{Timeout: 5 * time.Second}
		response, err := client.Get("http://" + address)
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, limit, tick)
}
