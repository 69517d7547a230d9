//go:build linux

package agent

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// metric is one of those that are told of each share, all of them gauges.
type metric struct {
	name, help string
	// value is NaN where it is not known: then nothing is told.
	value func(*standing) float64
}

// standing is how a share was at the last look.
type standing struct {
	share         Share
	problem       *Problem
	space, inodes amount
	read          float64 // when these were, in Unix seconds
}

var metrics = []metric{
	{"podshare_share_capacity_bytes", "Size of the file system that the share is on.", func(s *standing) float64 { return s.space.total }},
	{"podshare_share_available_bytes", "Bytes that a user other than root may still write.", func(s *standing) float64 { return s.space.free }},
	{"podshare_share_used_bytes", "Bytes of the file system that are used.", func(s *standing) float64 { return s.space.used }},
	{"podshare_share_inodes", "Inodes of the file system that the share is on.", func(s *standing) float64 { return s.inodes.total }},
	{"podshare_share_inodes_free", "Inodes of the file system that are free.", func(s *standing) float64 { return s.inodes.free }},
	{"podshare_share_inodes_used", "Inodes of the file system that are used.", func(s *standing) float64 { return s.inodes.used }},
	{"podshare_share_stats_timestamp_seconds", "When the bytes and inodes were read, in Unix time.", func(s *standing) float64 { return s.read }},
	{"podshare_share_ready", "1 when the share is ready, 0 when it is not.", func(s *standing) float64 {
		if s.problem != nil {
			return 0
		}
		return 1
	}},
	{"podshare_share_unanswered_seconds", "How long the share has not answered; 0 when it answers.", func(s *standing) float64 {
		if s.problem != nil {
			return s.problem.For.Seconds()
		}
		return 0
	}},
}

// appendMetrics adds those of all shares to a text, in Prometheus' format (version 0.0.4). They are what the last look found: this
// never touches a mount. Names of shares and figures are all that they tell.
func (w *Watchdog) appendMetrics(text []byte) []byte {
	shares := make([]standing, len(w.watches))
	for n, s := range w.watches {
		shares[n] = s.standing(w.options.Timeout)
	}
	for n := range metrics {
		text = metrics[n].append(text, shares)
	}
	return text
}

func (s *watch) standing(timeout time.Duration) standing {
	now := standing{share: s.examiner.share, problem: s.status(timeout), space: unreported, inodes: unreported, read: math.NaN()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.used; u != nil {
		now.space, now.inodes, now.read = spaceOf(&u.Statfs_t), inodesOf(&u.Statfs_t), float64(u.read.UnixMilli())/1000
	}
	return now
}

// append tells the metric of all shares, and nothing where none has it. It leaves no garbage: an agent that is asked each second
// would grow by that.
func (m *metric) append(text []byte, shares []standing) []byte {
	begun := false
	for n := range shares {
		value := m.value(&shares[n])
		if math.IsNaN(value) {
			continue
		}
		if !begun {
			text = appendAll(text, "# HELP ", m.name, " ", m.help, "\n# TYPE ", m.name, " gauge\n")
			begun = true
		}
		role := "consumer"
		if shares[n].share.Produced {
			role = "producer"
		}
		text = appendAll(text, m.name, `{share="`, labelEscapes.Replace(shares[n].share.Name), `",role="`, role, `"} `)
		text = append(strconv.AppendFloat(text, value, 'f', -1, 64), '\n')
	}
	return text
}

func appendAll(text []byte, more ...string) []byte {
	for _, m := range more {
		text = append(text, m...)
	}
	return text
}

// labelEscapes are those of a label's value in that format.
var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
