//go:build linux

package agent_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/agent"
	"github.com/podshare/podshare/pkg/agent/mounttest"
)

// measured makes the watchdog read what metrics tell.
func measured(o *agent.Options) { o.Measured = true }

// metrics are the watchdog's, in the form that Prometheus reads. One that waited for a mount would be cut off after a second.
func (w *watched) metrics() string {
	w.t.Helper()
	connection, err := net.Dial("unix", w.socket)
	require.NoError(w.t, err)
	defer connection.Close() //nolint:errcheck // only read
	_, err = connection.Write([]byte("GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n"))
	require.NoError(w.t, err)
	answer, err := io.ReadAll(connection)
	require.NoError(w.t, err)
	head, text, _ := strings.Cut(string(answer), "\r\n\r\n")
	require.Contains(w.t, head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(w.t, err)
	require.Empty(w.t, problems)
	return text
}

// value is that of one metric of the share rules, "" where there is none.
func (w *watched) value(metric string) string {
	w.t.Helper()
	match := regexp.MustCompile(`(?m)^podshare_share_` + metric + `\{share="rules",role="\w+"\} (\S+)$`).FindStringSubmatch(w.metrics())
	if match == nil {
		return ""
	}
	return match[1]
}

func (w *watched) number(metric string) float64 {
	w.t.Helper()
	number, err := strconv.ParseFloat(w.value(metric), 64)
	require.NoError(w.t, err, metric)
	return number
}

func TestMetricsAreWhatTheFileSystemsReport(t *testing.T) {
	rules, models := mounttest.TmpFS(t, "size=10m,nr_inodes=100"), mounttest.TmpFS(t, "size=2g,nr_inodes=0")
	require.NoError(t, os.WriteFile(filepath.Join(rules, "pricing.py"), make([]byte, 1<<20), 0o600))
	shares := []agent.Share{{Name: "rules", Path: rules}, {Name: "models", Path: models, Produced: true, Awaited: []string{"done"}}}
	before := time.Now().Add(-time.Second) // as it is cut to less than a second below
	w := watch(t, shares, measured)
	w.becomes("share models: waiting for models/done")

	timestamp := regexp.MustCompile(`(timestamp_seconds{.*}) ([0-9.]+)`)
	text := w.metrics()
	for _, match := range timestamp.FindAllStringSubmatch(text, -1) {
		seconds, err := strconv.ParseFloat(match[2], 64)
		require.NoError(t, err)
		assert.WithinRange(t, time.Unix(int64(seconds), 0), before, time.Now())
	}
	assert.Equal(t, `# HELP podshare_share_capacity_bytes Size of the file system that the share is on.
# TYPE podshare_share_capacity_bytes gauge
podshare_share_capacity_bytes{share="rules",role="consumer"} 10485760
podshare_share_capacity_bytes{share="models",role="producer"} 2147483648
# HELP podshare_share_available_bytes Bytes that a user other than root may still write.
# TYPE podshare_share_available_bytes gauge
podshare_share_available_bytes{share="rules",role="consumer"} 9437184
podshare_share_available_bytes{share="models",role="producer"} 2147483648
# HELP podshare_share_used_bytes Bytes of the file system that are used.
# TYPE podshare_share_used_bytes gauge
podshare_share_used_bytes{share="rules",role="consumer"} 1048576
podshare_share_used_bytes{share="models",role="producer"} 0
# HELP podshare_share_inodes Inodes of the file system that the share is on.
# TYPE podshare_share_inodes gauge
podshare_share_inodes{share="rules",role="consumer"} 100
# HELP podshare_share_inodes_free Inodes of the file system that are free.
# TYPE podshare_share_inodes_free gauge
podshare_share_inodes_free{share="rules",role="consumer"} 98
# HELP podshare_share_inodes_used Inodes of the file system that are used.
# TYPE podshare_share_inodes_used gauge
podshare_share_inodes_used{share="rules",role="consumer"} 2
# HELP podshare_share_stats_timestamp_seconds When the bytes and inodes were read, in Unix time.
# TYPE podshare_share_stats_timestamp_seconds gauge
podshare_share_stats_timestamp_seconds{share="rules",role="consumer"} now
podshare_share_stats_timestamp_seconds{share="models",role="producer"} now
# HELP podshare_share_ready 1 when the share is ready, 0 when it is not.
# TYPE podshare_share_ready gauge
podshare_share_ready{share="rules",role="consumer"} 1
podshare_share_ready{share="models",role="producer"} 0
# HELP podshare_share_unanswered_seconds How long the share has not answered; 0 when it answers.
# TYPE podshare_share_unanswered_seconds gauge
podshare_share_unanswered_seconds{share="rules",role="consumer"} 0
podshare_share_unanswered_seconds{share="models",role="producer"} 0
`, timestamp.ReplaceAllString(text, "$1 now"))
}

func TestMetricsFollowWhatIsWrittenAlsoToAFullVolume(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=10m")
	w := watch(t, produced(dir), measured)
	w.becomes("ready: rules")
	mounttest.Fill(t, dir)
	w.becomes(`share rules: 100% full \(10Mi of 10Mi\)`)
	assert.Equal(t, "10485760", w.value("used_bytes"))
	assert.Equal(t, "0", w.value("available_bytes"))
	assert.Equal(t, "0", w.value("ready"))
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &fs))
	assert.Equal(t, strconv.FormatUint(fs.Files-fs.Ffree, 10), w.value("inodes_used"))
}

func TestMetricsWhileAMountHangsAreItsLastOnesAndSayForHowLong(t *testing.T) {
	fuse, healthy := mounttest.MountFUSE(t), mounttest.TmpFS(t, "size=10m")
	w := watch(t, []agent.Share{{Name: "rules", Path: fuse.Dir}, {Name: "models", Path: healthy}}, measured)
	w.becomes("ready: rules, models")
	capacity := w.value("capacity_bytes")
	assert.NotEmpty(t, capacity)
	assert.Equal(t, "0", w.value("unanswered_seconds"))

	fuse.Hang(t)
	w.becomes("share rules: no answer for [0-9]+s")
	read := w.value("stats_timestamp_seconds")
	w.becomes("share rules: no answer for [1-9][0-9]*s")
	assert.GreaterOrEqual(t, w.number("unanswered_seconds"), 1.0)
	assert.Equal(t, "0", w.value("ready"))
	assert.Equal(t, capacity, w.value("capacity_bytes"))
	assert.Equal(t, read, w.value("stats_timestamp_seconds"), "they are as old as they say")
	assert.Contains(t, w.metrics(), `podshare_share_ready{share="models",role="consumer"} 1`+"\n")

	fuse.Recover(t)
	w.becomes("ready: rules, models")
	assert.Equal(t, "0", w.value("unanswered_seconds"))
	assert.Greater(t, w.value("stats_timestamp_seconds"), read)
}

func TestAMountThatHangsFromTheStartHasNoFigures(t *testing.T) {
	fuse := mounttest.MountFUSE(t)
	fuse.Hang(t)
	w := watch(t, consumed(fuse.Dir), measured)
	w.becomes("share rules: no answer for [1-9][0-9]*s")
	assert.GreaterOrEqual(t, w.number("unanswered_seconds"), 1.0)
	assert.Equal(t, "0", w.value("ready"))
	assert.Empty(t, w.value("capacity_bytes"))
	assert.Empty(t, w.value("stats_timestamp_seconds"))
	fuse.Recover(t)
	w.becomes("ready: rules")
	assert.NotEmpty(t, w.value("capacity_bytes"))
}

func TestTheContainersOwnFileSystemIsNotTakenForAShares(t *testing.T) {
	dir := mounttest.Bind(t, mounttest.TmpFS(t, "size=10m"))
	w := watch(t, consumed(dir), measured)
	w.becomes("ready: rules")
	assert.Equal(t, "10485760", w.value("capacity_bytes"))
	mounttest.Unmount(t, dir)
	w.becomes("share rules: nothing is mounted at " + dir)
	assert.Empty(t, w.value("capacity_bytes"))
	assert.Equal(t, "0", w.value("ready"))
	assert.Equal(t, "0", w.value("unanswered_seconds"))
}

func TestWithoutMetricsAConsumersFileServerIsAskedNothingMore(t *testing.T) {
	w := watch(t, consumed(mounttest.TmpFS(t, "size=10m")))
	w.becomes("ready: rules")
	assert.Empty(t, w.value("capacity_bytes"))
}

func TestANameThatIsNoShareBreaksNoMetric(t *testing.T) {
	odd := []agent.Share{{Name: "a\"b\\c\nd", Path: mounttest.TmpFS(t, "size=10m")}}
	w := watch(t, odd, measured)
	assert.Contains(t, w.metrics(), `{share="a\"b\\c\nd",role="consumer"}`)
}
