//go:build linux

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPercentiles(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for percent, want := range map[int]float64{0: 1, 25: 1, 50: 2, 75: 3, 99: 4, 100: 4} {
		assert.InDelta(t, want, percentile(values, percent), 0, "%d", percent)
	}
}

func TestOnlyCountsAboveTheirTargetsFail(t *testing.T) {
	var all figures
	all.add("pods a second", 100, number, noTarget)
	all.add("time", 31, seconds, atMost(30))
	all.add("memory", 36.5, mebibytes, atMost(36).within(noise))
	all.add("writes at most", 2, decimals, atMost(2).strictly())
	assert.NoError(t, all.check())
	all.add("writes", 1, number, atMost(0).strictly())
	assert.EqualError(t, all.check(), "writes: 1 is above the target 0")
	assert.Equal(t, `figure          measured  at most
pods a second   100       
time            31.00 s   30.00 s  over
memory          36.5 MiB  36.0 MiB
writes at most  2.00      2.00
writes          1         0  over
`, all.table())
}
