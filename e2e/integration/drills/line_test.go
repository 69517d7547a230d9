package drills_test

import (
	"io"
	"net"
	"net/url"
	"sync"
)

// line is a way to a TCP server that can be cut: what comes then gets no answer and no end, as where a network drops packets. What was
// on its way goes on when the line is whole again.
type line struct {
	url    string // of the server, by this line
	server string

	mu    sync.Mutex
	whole chan struct{} // closed while the line is
}

// apiServer is the line between the controller and the API server.
var apiServer *line

func newLine(server string) (*line, error) {
	parsed, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{url: "https://" + listener.Addr().String(), server: parsed.Host, whole: make(chan struct{})}
	close(l.whole)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(connection)
		}
	}()
	return l, nil
}

func (l *line) carry(near net.Conn) {
	defer near.Close() //nolint:errcheck // it has ended
	l.pass()
	far, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer far.Close() //nolint:errcheck // it has ended
	go func() {
		l.copy(far, near)
		_ = far.Close()
	}()
	l.copy(near, far)
}

func (l *line) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.pass()
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// pass waits until the line is whole.
func (l *line) pass() {
	l.mu.Lock()
	whole := l.whole
	l.mu.Unlock()
	<-whole
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole = make(chan struct{})
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.whole)
}
