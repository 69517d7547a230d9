//go:build linux

package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
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

// Serve answers each HTTP request on the listener with the watchdog's verdict, one line: 200 when the pod's shares are
// ready, 503 and what is wrong when not. It ends when the context does, and closes the listener.
//
// It speaks the few words of HTTP/1.1 that the kubelet's probe needs: net/http would more than double the program that every node
// pulls.
func (w *Watchdog) Serve(ctx context.Context, listener *os.File) {
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
			w.answer(connection)
		}()
	}
}

// answer reads one request and writes one answer. Whoever does not read it has gone.
func (w *Watchdog) answer(connection *os.File) {
	defer connection.Close() //nolint:errcheck // nobody is left to tell
	_ = connection.SetDeadline(time.Now().Add(questionTime))
	request, err := readHead(connection)
	if err != nil {
		return
	}
	status, line := "503 Service Unavailable", ""
	method, _, _ := strings.Cut(request[0], " ")
	if method != "GET" && method != "HEAD" {
		status, line = "405 Method Not Allowed", "only GET is answered"
	} else if verdict, ready := w.Verdict(patience); ready {
		status, line = "200 OK", verdict
	} else {
		line = verdict
	}
	body := line + "\n"
	_, _ = fmt.Fprintf(connection, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"+
		"Connection: close\r\n\r\n", status, len(body))
	if method != "HEAD" {
		_, _ = io.WriteString(connection, body)
	}
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
