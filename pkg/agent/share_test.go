//go:build linux

package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/agent"
)

func TestParseShare(t *testing.T) {
	share, err := agent.ParseShare("rules:/data/rules", true)
	require.NoError(t, err)
	assert.Equal(t, agent.Share{Name: "rules", Path: "/data/rules", Produced: true}, share)
	for _, text := range []string{"", "rules", ":/data", "rules:", "rules:data"} {
		_, err := agent.ParseShare(text, false)
		assert.ErrorContains(t, err, `" must be a share and the absolute path of its mount, such as "rules:/podshare/rules"`, text)
	}
}

func TestAwait(t *testing.T) {
	shares := []agent.Share{{Name: "rules", Path: "/data/rules"}, {Name: "models", Path: "/data/models"}}
	require.NoError(t, agent.Await(shares, "models/v1/done"))
	assert.Equal(t, []string{"v1/done"}, shares[1].Awaited)
	for _, text := range []string{"", "rules", "rules/", "rules//etc", "rules/../models", "others/x"} {
		assert.EqualError(t, agent.Await(shares, text),
			`"`+text+`" must be a file on one of the shares (rules, models), such as "rules/pricing.py"`)
	}
}

func TestTheJournalTellsWhatChanges(t *testing.T) {
	var out strings.Builder
	journal := agent.NewJournal(&out)
	full := agent.Problem{Share: "models", What: "97% full (9.7Gi of 10Gi)"}
	hung := func(seconds int) agent.Problem {
		return agent.Problem{Share: "rules", What: "no answer", For: time.Duration(seconds) * time.Second}
	}
	journal.Note(nil)
	journal.Note([]agent.Problem{hung(10)})
	journal.Note([]agent.Problem{hung(11), full})
	journal.Note([]agent.Problem{hung(12), full})
	journal.Note([]agent.Problem{{Share: "rules", What: "does not list: input/output error"}, full})
	journal.Note([]agent.Problem{full})
	journal.Note(nil)
	assert.Equal(t, `share rules: no answer for 10s
share models: 97% full (9.7Gi of 10Gi)
share rules: does not list: input/output error
share rules: ready again after 10s
share models: ready again after 0s
`, out.String())
}
