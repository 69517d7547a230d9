// Package monitoring_test checks what can be checked of the rules and the dashboard without a Prometheus that runs; e2e/monitoring has one.
package monitoring_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write prometheus-rule.yaml from rules.yaml")

// ruleTests are what promtool is given.
var ruleTests = []string{"rules.test.yaml", "rules.week.test.yaml"}

func TestTheRulesPassTheirTests(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "CI has promtool, of Debian's package prometheus")
		t.Skip("promtool is not installed: it is in Debian's package prometheus")
	}
	for _, arguments := range [][]string{{"check", "rules", "rules.yaml"}, append([]string{"test", "rules"}, ruleTests...)} {
		printed, err := exec.CommandContext(t.Context(), promtool, arguments...).CombinedOutput()
		require.NoError(t, err, "promtool %s:\n%s", strings.Join(arguments, " "), printed)
	}
}

// rule is an alert, or a recorded series.
type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func readRules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	readYAML(t, "rules.yaml", &file)
	var rules []rule
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	require.NotEmpty(t, rules)
	return rules
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, into))
}

func TestEachAlertHasATestThatFiresAndOneThatStaysSilent(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, name := range ruleTests {
		var file struct {
			Tests []struct {
				Checks []struct {
					Alert  string `json:"alertname"`
					Alerts []struct {
						Labels map[string]string `json:"exp_labels"`
					} `json:"exp_alerts"`
				} `json:"alert_rule_test"`
			}
		}
		readYAML(t, name, &file)
		for _, test := range file.Tests {
			for _, check := range test.Checks {
				silent[check.Alert] = silent[check.Alert] || len(check.Alerts) == 0
				for _, alert := range check.Alerts {
					fires[check.Alert+" "+alert.Labels["severity"]+alert.Labels["source"]] = true
				}
			}
		}
	}
	for _, rule := range readRules(t) {
		if rule.Alert != "" {
			assert.True(t, fires[rule.Alert+" "+rule.Labels["severity"]+rule.Labels["source"]], "%s (%s) fires in no test", rule.Alert, rule.Labels)
			assert.True(t, silent[rule.Alert], "%s stays silent in no test", rule.Alert)
		}
	}
}

func TestEachAlertSaysWhatItMeansAndWhatToDo(t *testing.T) {
	const document = "https://github.com/podshare/podshare/blob/main/docs/monitoring.md"
	guide, err := os.ReadFile("../../docs/monitoring.md")
	require.NoError(t, err)
	for _, rule := range readRules(t) {
		if rule.Alert == "" {
			continue
		}
		assert.Contains(t, []string{"info", "warning", "critical"}, rule.Labels["severity"], rule.Alert)
		assert.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		assert.NotEmpty(t, rule.Annotations["description"], rule.Alert)
		assert.Equal(t, document+"#"+strings.ToLower(rule.Alert), rule.Annotations["runbook_url"])
		assert.Contains(t, string(guide), "\n### "+rule.Alert+"\n", "what to do about it")
	}
}

// operatorHeader is what makes a PrometheusRule of a rules file.
const operatorHeader = `# The rules of rules.yaml for the Prometheus operator. Written by ` + "`make golden`" + `: change rules.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: podshare
  namespace: podshare-system
spec:
`

func TestTheOperatorGetsTheSameRules(t *testing.T) {
	rules, err := os.ReadFile("rules.yaml")
	require.NoError(t, err)
	groups := string(rules[strings.Index(string(rules), "groups:"):])
	want := operatorHeader + regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(groups, "  $1")
	if *update {
		require.NoError(t, os.WriteFile("prometheus-rule.yaml", []byte(want), 0o644))
	}
	got, err := os.ReadFile("prometheus-rule.yaml")
	require.NoError(t, err, "run `make golden`")
	assert.Equal(t, want, string(got), "run `make golden` after a change of rules.yaml")
}

// panel is one of the dashboard's.
type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		RefID, Expr string
		Datasource  source
	}
}

type source struct{ Type, UID string }

func TestTheDashboardIsWhole(t *testing.T) {
	content, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		UID, Title string
		Panels     []panel
	}
	require.NoError(t, json.Unmarshal(content, &dashboard))
	assert.Equal(t, "podshare", dashboard.UID)
	require.NotEmpty(t, dashboard.Panels)
	assert.Contains(t, string(content), `"type": "datasource"`, "which Prometheus it is, is chosen in Grafana")
	variable := source{"prometheus", "${datasource}"}
	ids, taken := map[int]string{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		assert.Empty(t, ids[p.ID], "%q has the id of another panel", p.Title)
		ids[p.ID] = p.Title
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%q lies over another panel", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		assert.Equal(t, variable, p.Datasource, p.Title)
		assert.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		queries := map[string]bool{}
		for _, target := range p.Targets {
			assert.Equal(t, variable, target.Datasource, p.Title)
			assert.NotEmpty(t, target.Expr, p.Title)
			assert.False(t, queries[target.RefID], "%q has two queries %s", p.Title, target.RefID)
			queries[target.RefID] = true
		}
	}
}
