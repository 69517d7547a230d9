//go:build linux

package main

import (
	"context"
	"time"
)

// measured is what an agent costs: memory in MiB, CPU time in millicores.
type measured struct {
	agent

	resident, anonymous, file, proportional float64
	// running is the agent's own CPU time, container that of all processes in its container: an exec probe runs there.
	running, container float64
	// runtime is the CPU time of the pod's shim, with that of all processes that it started and that have ended: exec probes, whose
	// time in the container is counted here again.
	runtime float64
}

// nodeProgram is one of the node's that has to do with each probe.
type nodeProgram struct {
	name    string
	running float64 // its CPU time in millicores, whatever it was for
}

// measure measures every agent, and the node's programs meanwhile.
func (r *run) measure(ctx context.Context) error {
	r.agents = map[string][]*measured{}
	for app, pods := range r.pods {
		found, err := findAgents(pods)
		if err != nil {
			return err
		}
		for _, a := range found {
			r.agents[app] = append(r.agents[app], &measured{agent: a})
		}
	}
	counters, err := r.counters()
	if err != nil {
		return err
	}
	for _, c := range counters {
		if err := c.begin(); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.options.time):
	}
	for _, c := range counters {
		if err := c.end(); err != nil {
			return err
		}
	}
	for _, agents := range r.agents {
		for _, m := range agents {
			if err := m.readMemory(); err != nil {
				return err
			}
		}
	}
	return nil
}

// counters are of all CPU time that is measured.
func (r *run) counters() ([]*counter, error) {
	var counters []*counter
	for _, agents := range r.agents {
		for _, m := range agents {
			counters = append(counters,
				&counter{read: m.RunningTime, to: &m.running},
				&counter{read: m.containerTime, to: &m.container},
				&counter{read: m.shim.timeWithChildren, to: &m.runtime})
		}
	}
	r.node = []nodeProgram{{name: "kubelet"}, {name: "containerd"}}
	for i := range r.node {
		p, err := neighbour(r.agents[producer][0].shim, r.node[i].name)
		if err != nil {
			return nil, err
		}
		counters = append(counters, &counter{read: p.timeWithChildren, to: &r.node[i].running})
	}
	return counters, nil
}

// counter is of CPU time that something has taken since its beginning.
type counter struct {
	read  func() (time.Duration, error)
	to    *float64 // gets what it takes, in millicores
	begun time.Time
	first time.Duration
}

func (c *counter) begin() (err error) {
	c.begun = time.Now()
	c.first, err = c.read()
	return err
}

func (c *counter) end() error {
	took := time.Since(c.begun)
	last, err := c.read()
	*c.to = 1000 * float64(last-c.first) / float64(took)
	return err
}

func (m *measured) readMemory() (err error) {
	for _, field := range []struct {
		file, name string
		to         *float64
	}{
		{"status", "VmRSS", &m.resident},
		{"status", "RssAnon", &m.anonymous},
		{"status", "RssFile", &m.file},
		{"smaps_rollup", "Pss", &m.proportional}, // of a page that many processes share, each has its part
	} {
		if *field.to, err = m.Memory(field.file, field.name); err != nil {
			return err
		}
	}
	return nil
}
