//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"
)

// answerTime is how long a watchdog may take to answer. It answers at once whatever its mounts do, so one that takes
// longer is stopped, or starved of CPU time.
const answerTime = time.Second

// ErrNoWatchdog says that nobody listens on the socket.
var ErrNoWatchdog = errors.New("the watchdog does not run")

// Ask returns the verdict of the watchdog that listens on an abstract Unix socket, "@name". The error wraps ErrNoWatchdog
// where there is none.
func Ask(socket string) (line string, ready bool, err error) {
	connection, err := dialUnix(socket)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "", false, fmt.Errorf("%w: %w", ErrNoWatchdog, err)
	case err != nil:
		return "", false, fmt.Errorf("asking the watchdog: %w", err)
	}
	defer connection.Close() //nolint:errcheck // only read
	err = connection.SetDeadline(time.Now().Add(answerTime))
	if err == nil {
		_, err = io.WriteString(connection, "GET /readyz HTTP/1.1\r\nHost: podshare-agent\r\nConnection: close\r\n\r\n")
	}
	var answer []byte
	if err == nil {
		answer, err = io.ReadAll(connection)
	}
	head, body, found := strings.Cut(string(answer), "\r\n\r\n")
	switch {
	case err != nil:
		return "", false, fmt.Errorf("the watchdog does not answer: %w", reason(err))
	case !found:
		return "", false, fmt.Errorf("the watchdog answers %.64q", answer)
	}
	return strings.TrimSpace(body), strings.HasPrefix(head, "HTTP/1.1 200 "), nil
}
