//go:build linux

package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Limits of the server. Whoever asks is the kubelet, this program, or a person; a pod's network lets others try.
const (
	// maxQuestion is the most that is read of a request, in bytes.
	maxQuestion = 8 << 10
	// questionTime is how long a request may take, answer included.
	questionTime = time.Second
	// maxQuestions is how many are answered at a time; further ones wait.
	maxQuestions = 32
	// patience is how long an answer waits for the first look at the shares.
	patience = 50 * time.Millisecond
)

// Answers are what is told on a listener.
type Answers struct {
	// Readiness is the watchdog's verdict, one line: 200 when the pod's shares are ready, 503 and what is wrong when not.
	Readiness bool
	// Metrics are at MetricsPath: how much of each share is used, and how it is.
	Metrics bool
}

// MetricsPath is where Prometheus looks.
const MetricsPath = "/metrics"

// Serve answers the HTTP requests on a listener. It ends when the context does, and closes the listener.
//
// It speaks the few words of HTTP/1.1 that the kubelet's probe and Prometheus need: net/http would more than double the program that
// every node pulls.
func (w *Watchdog) Serve(ctx context.Context, listener *os.File, answers Answers) {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	places := make(chan struct{}, maxQuestions)
	for {
		connection, err := accept(listener)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // out of files, or the peer has gone: neither is for ever
			time.Sleep(10 * time.Millisecond)
			continue
		}
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			w.answer(connection, answers)
		}()
	}
}

// answer reads one request and writes one answer. Whoever does not read it has gone.
func (w *Watchdog) answer(connection *os.File, answers Answers) {
	defer connection.Close() //nolint:errcheck // nobody is left to tell
	_ = connection.SetDeadline(time.Now().Add(questionTime))
	request, err := readHead(connection)
	if err != nil {
		return
	}
	method, rest, _ := strings.Cut(request[0], " ")
	target, _, _ := strings.Cut(rest, " ")
	path, _, _ := strings.Cut(target, "?")
	body := bodies.Get().(*[]byte)
	defer bodies.Put(body)
	var status, kind string
	status, kind, *body = w.reply((*body)[:0], method, path, answers)
	_, _ = fmt.Fprintf(connection, "HTTP/1.1 %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %d\r\n"+
		"Connection: close\r\n\r\n", status, kind, len(*body))
	if method != "HEAD" {
		_, _ = connection.Write(*body)
	}
}

// bodies are those of former answers, to be written over. One takes the metrics of a few shares without growing.
var bodies = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// reply appends the answer to a body.
func (w *Watchdog) reply(body []byte, method, path string, answers Answers) (status, kind string, _ []byte) {
	kind = "text/plain"
	switch {
	case method != "GET" && method != "HEAD":
		return "405 Method Not Allowed", kind, append(body, "only GET is answered\n"...)
	case answers.Metrics && path == MetricsPath:
		return "200 OK", kind + "; version=0.0.4", w.appendMetrics(body)
	case !answers.Readiness:
		return "404 Not Found", kind, append(body, "there is "+MetricsPath+" alone\n"...)
	}
	status = "503 Service Unavailable"
	verdict, ready := w.Verdict(patience)
	if ready {
		status = "200 OK"
	}
	return status, kind, append(append(body, verdict...), '\n')
}

// readHead reads the lines of a request up to the empty one. What follows is left unread.
func readHead(from io.Reader) (lines []string, err error) {
	reader := bufio.NewReaderSize(io.LimitReader(from, maxQuestion), 512)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" && len(lines) > 0 {
			return lines, nil
		}
		lines = append(lines, line)
	}
}
