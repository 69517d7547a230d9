//go:build linux

package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// The formats of figures.
const (
	seconds   = "%.2f s"
	mebibytes = "%.1f MiB"
	number    = "%.0f"
	decimals  = "%.2f"
)

// noise is by how much a Go program's resident memory differs from one moment to the next, in MiB, while it does nothing.
const noise = 1

// target is the most that a figure may be.
type target struct {
	most float64
	// tolerance is what is not counted: of a measurement that is never exact.
	tolerance float64
	// strict: more than this is a mistake on any machine.
	strict bool
}

var noTarget = target{most: math.Inf(1)}

func atMost(most float64) target { return target{most: most} }

func (t target) strictly() target {
	t.strict = true
	return t
}

func (t target) within(tolerance float64) target {
	t.tolerance = tolerance
	return t
}

// figure is one that was measured.
type figure struct {
	what   string
	value  float64
	format string
	target target
}

func (f figure) over() bool { return f.value > f.target.most+f.target.tolerance }

type figures []figure

func (all *figures) add(what string, value float64, format string, t target) {
	*all = append(*all, figure{what, value, format, t})
}

// table has a row for each figure.
func (all figures) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "figure\tmeasured\tat most")
	for _, f := range all {
		most := ""
		if !math.IsInf(f.target.most, 1) {
			most = fmt.Sprintf(f.format, f.target.most)
		}
		if f.over() {
			most += "  over"
		}
		_, _ = fmt.Fprintf(w, "%s\t"+f.format+"\t%s\n", f.what, f.value, most)
	}
	_ = w.Flush()
	return text.String()
}

// check names the figures that are wrong on any machine.
func (all figures) check() error {
	var problems []error
	for _, f := range all {
		if f.target.strict && f.over() {
			problems = append(problems, fmt.Errorf("%s: "+f.format+" is above the target "+f.format, f.what, f.value, f.target.most))
		}
	}
	return errors.Join(problems...)
}

// percentile is the value that so many of a hundred do not exceed.
func percentile(values []float64, percent int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}
