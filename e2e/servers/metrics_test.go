package servers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/e2e/servers"
)

func TestSumsOfMetrics(t *testing.T) {
	const metrics servers.Metrics = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200",method="GET"} 6
requests_total{code="201",method="POST"} 1000
requests_total{code="409",method="POST"} 2
requests_total_other{method="POST"} 7
bytes 1.5e+07
`
	for name, test := range map[string]struct {
		metric string
		labels []string
		want   float64
	}{
		"with a label":       {"requests_total", []string{`method="POST"`}, 1002},
		"with two":           {"requests_total", []string{`method="POST"`, `code="409"`}, 2},
		"all":                {"requests_total", nil, 1008},
		"one without labels": {"bytes", nil, 15_000_000},
		"never counted":      {"requests_total", []string{`method="PUT"`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sum, err := metrics.Sum(test.metric, test.labels...)
			require.NoError(t, err)
			assert.InDelta(t, test.want, sum, 0)
		})
	}
}
