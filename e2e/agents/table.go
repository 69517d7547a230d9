//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// rows are the figures of an agent, and what is aimed at for each agent.
var rows = []struct {
	what, target string
	of           func(*measured) float64
}{
	{"memory in MiB: resident", "at most 4", func(m *measured) float64 { return m.resident }},
	{"  its own (anonymous)", "", func(m *measured) float64 { return m.anonymous }},
	{"  of its program's file", "", func(m *measured) float64 { return m.file }},
	{"  with its part of shared pages only (Pss)", "", func(m *measured) float64 { return m.proportional }},
	{"CPU in millicores: the agent itself", "at most 1", func(m *measured) float64 { return m.running }},
	{"  the rest of its container: exec probes", "", func(m *measured) float64 { return m.container - m.running }},
	{"  its pod's shim and all that it starts, those probes too", "", func(m *measured) float64 { return m.runtime }},
}

// table has the consumers' agents, and at last the one of a producer, which also writes.
func (r *run) table() string {
	consumers, one := r.agents[consumer], r.agents[producer][0]
	pods := float64(len(consumers) + 1)
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "the agents of %d consumers, probe: %s\tmedian\tmost\tsum\ttarget\ta producer's\n", len(consumers),
		r.options.probe)
	for _, row := range rows {
		var values []float64
		sum := 0.0
		for _, m := range consumers {
			values = append(values, row.of(m))
			sum += row.of(m)
		}
		slices.Sort(values)
		_, _ = fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.1f\t%s\t%.2f\n", row.what, values[len(values)/2], values[len(values)-1], sum, row.target,
			row.of(one))
	}
	all := one.running + one.runtime
	for _, m := range consumers {
		all += m.running + m.runtime
	}
	_ = w.Flush()
	text.WriteString("\nThe node's CPU in millicores for each pod:")
	for _, p := range r.node {
		all += p.running
		fmt.Fprintf(&text, " %s %.2f,", p.name, p.running/pods)
	}
	fmt.Fprintf(&text, " with the shims and the agents %.2f.\n", all/pods)
	return text.String()
}
