package cluster

import (
	"errors"
	"net"
	"strings"
)

// errPortTaken is in the error of a process that found its port in use.
var errPortTaken = errors.New("another program took the port meanwhile")

// portTaken says so from the log of a process that exited: no component reports it in another way.
func portTaken(log string) bool { return strings.Contains(log, "address already in use") }

// FreePorts returns ports of 127.0.0.1 that are free now, each another one. The system gives them out in a scattered
// order, so that two clusters that start together rarely meet.
func FreePorts(count int) ([]int, error) {
	ports := make([]int, 0, count)
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() //nolint:errcheck // all are held until the last one is found
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
