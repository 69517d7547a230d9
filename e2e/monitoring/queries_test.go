package monitoring_test

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// elsewhere are metrics that a control plane without a node cannot have.
var elsewhere = []string{
	"kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes",
	"kubelet_volume_stats_inodes", "kubelet_volume_stats_inodes_free",
}

// eachQueryWorks asks each query of the rules and of the dashboard, and wants the metrics in it to be there: it comes last, since some
// are there only once something has gone wrong.
func eachQueryWorks(t *testing.T) {
	recorded, queries := readQueries(t)
	require.NotEmpty(t, queries)
	var scraped []string
	require.NoError(t, prometheus.get(t.Context(), "/api/v1/label/__name__/values", nil, &scraped))
	for _, query := range queries {
		assert.NoError(t, prometheus.get(t.Context(), "/api/v1/query", url.Values{"query": {query}}, nil), query)
		names := metricNames(query)
		assert.NotEmpty(t, names, query)
		for _, name := range names {
			if !slices.Contains(elsewhere, name) && !slices.Contains(recorded, name) {
				assert.True(t, slices.Contains(scraped, name), "nobody has a metric %s, which is asked for in %s", name, query)
			}
		}
	}
	for _, name := range elsewhere {
		assert.False(t, slices.Contains(scraped, name), "%s is here: take it out of the list", name)
	}
}

// readQueries reads the rules and the dashboard: what is recorded, and what is asked.
func readQueries(t *testing.T) (recorded, queries []string) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Record, Expr string }
		}
	}
	content, err := os.ReadFile(rulesFile)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, &rules))
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			queries = append(queries, rule.Expr)
			if rule.Record != "" {
				recorded = append(recorded, rule.Record)
			}
		}
	}
	var dashboard struct {
		Panels     []struct{ Targets []struct{ Expr string } }
		Templating struct{ List []struct{ Definition string } }
	}
	content, err = os.ReadFile("manifests/monitoring/dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &dashboard))
	variables := strings.NewReplacer("$__rate_interval", "1m", "$namespace", ".*", "$share", ".*")
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, variables.Replace(target.Expr))
		}
	}
	for _, variable := range dashboard.Templating.List {
		if match := regexp.MustCompile(`^label_values\((.*), \w+\)$`).FindStringSubmatch(variable.Definition); match != nil {
			queries = append(queries, variables.Replace(match[1]))
		}
	}
	return recorded, queries
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	grouping  = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)|\bgroup_left\b`)
	selectors = regexp.MustCompile(`\{[^}]*\}`)
	names     = regexp.MustCompile(`[a-z][a-z0-9_:]*[_:][a-z0-9_:]+`)
	functions = regexp.MustCompile(`[a-z_]+ *\(`)
)

// metricNames are the words of a query with _ or : in them that are neither labels nor functions.
func metricNames(query string) []string {
	for _, other := range []*regexp.Regexp{quoted, grouping, functions, selectors} {
		query = other.ReplaceAllString(query, " ")
	}
	found := names.FindAllString(query, -1)
	slices.Sort(found)
	return slices.Compact(found)
}
