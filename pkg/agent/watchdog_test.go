//go:build linux

package agent_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/agent"
	"github.com/podshare/podshare/pkg/agent/mounttest"
)

func TestMain(m *testing.M) { os.Exit(mounttest.Run(m)) }

const (
	interval = 10 * time.Millisecond
	timeout  = 200 * time.Millisecond
	// limit bounds every wait: many times what it takes.
	limit = 10 * time.Second
	// promptly is how soon every answer has to be there, whatever the mounts do.
	promptly = 100 * time.Millisecond
)

// watched is a watchdog at work, asked as the probe asks it.
type watched struct {
	t      *testing.T
	socket string
}

// watch starts a watchdog that runs until the test ends.
func watch(t *testing.T, shares []agent.Share, changes ...func(*agent.Options)) *watched {
	t.Helper()
	options := agent.DefaultOptions()
	options.Shares, options.SameUser, options.Interval, options.Timeout = shares, true, interval, timeout
	for _, change := range changes {
		change(&options)
	}
	w := &watched{t, fmt.Sprintf("@podshare-agent-test-%d-%s", os.Getpid(), t.Name())}
	listener, err := agent.ListenUnix(w.socket)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	dog := agent.NewWatchdog(options)
	idle := dog.Start(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		dog.Serve(ctx, listener, agent.Answers{Readiness: true, Metrics: true})
	}()
	t.Cleanup(func() {
		stop()
		<-served
		select {
		case <-idle:
		case <-time.After(limit):
			require.Fail(t, "a look at a share does not end")
		}
	})
	return w
}

// ask returns the answer, which has to come promptly: of three tries, since the machine may be busy.
func (w *watched) ask() (line string, ready bool) {
	var took time.Duration
	for range 3 {
		begun := time.Now()
		line, ready, err := agent.Ask(w.socket)
		require.NoError(w.t, err)
		if took = time.Since(begun); took < promptly {
			return line, ready
		}
	}
	require.Less(w.t, took, promptly)
	return "", false
}

// becomes waits for an answer: a pattern for the whole line.
func (w *watched) becomes(pattern string) {
	w.t.Helper()
	wanted := regexp.MustCompile("^" + pattern + "$")
	last := ""
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(interval) {
		line, ready := w.ask()
		if last = line; wanted.MatchString(line) {
			require.Equal(w.t, strings.HasPrefix(line, "ready: "), ready)
			return
		}
	}
	require.Fail(w.t, "the answer does not become "+pattern, "it is %q", last)
}

func consumed(dir string, awaited ...string) []agent.Share {
	return []agent.Share{{Name: "rules", Path: dir, Awaited: awaited}}
}

func produced(dir string) []agent.Share {
	return []agent.Share{{Name: "rules", Path: dir, Produced: true}}
}

// often makes the watchdog try to write at each look.
func often(o *agent.Options) { o.WritePause = 0 }

func TestHealthySharesAreReadyAtTheFirstQuestion(t *testing.T) {
	rules, models := mounttest.TmpFS(t, "size=10m"), mounttest.TmpFS(t, "size=2g")
	w := watch(t, []agent.Share{{Name: "rules", Path: rules}, {Name: "models", Path: models, Produced: true}})
	line, ready := w.ask()
	assert.Equal(t, "ready: rules, models", line)
	assert.True(t, ready)
}

func TestAReadOnlyMountIsNotWritable(t *testing.T) {
	dir := mounttest.Bind(t, mounttest.TmpFS(t, "size=2g"))
	w := watch(t, produced(dir))
	w.becomes("ready: rules")
	mounttest.SetReadOnly(t, dir, true)
	w.becomes("share rules: not writable: read-only file system")
	mounttest.SetReadOnly(t, dir, false)
	w.becomes("ready: rules")
}

func TestAReadOnlyMountIsFineForAConsumer(t *testing.T) {
	dir := mounttest.Bind(t, mounttest.TmpFS(t, "size=10m"))
	mounttest.SetReadOnly(t, dir, true)
	watch(t, consumed(dir)).becomes("ready: rules")
}

func TestAFullVolumeMakesItsProducerUnready(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=10m")
	w := watch(t, produced(dir))
	w.becomes("ready: rules")
	filling := mounttest.Fill(t, dir)
	w.becomes(`share rules: 100% full \(10Mi of 10Mi\)`)
	require.NoError(t, os.Truncate(filling, 10_160_000)) // of 10,485,760 bytes, so 3 % are free
	w.becomes(`share rules: 97% full \(9\.7Mi of 10Mi\)`)
	require.NoError(t, os.Truncate(filling, 9_920_000)) // 5.4 %
	w.becomes("ready: rules")
}

func TestAFullVolumeIsNotItsConsumersFault(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=1m")
	mounttest.Fill(t, dir)
	watch(t, consumed(dir)).becomes("ready: rules")
}

func TestAVolumeThatIsFullByTheLastByteIsFoundByWriting(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=1m")
	w := watch(t, produced(dir), often, func(o *agent.Options) { o.MinFree = agent.MinFree{} })
	w.becomes("ready: rules")
	filling := mounttest.Fill(t, dir)
	w.becomes("share rules: not writable: no space left on device")
	require.NoError(t, os.Remove(filling))
	w.becomes("ready: rules")
}

func TestAVolumeWithoutInodesIsFull(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=2g,nr_inodes=100")
	w := watch(t, produced(dir))
	w.becomes("ready: rules")
	for n := range 96 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), nil, 0o600))
	}
	w.becomes(`share rules: 97% of its inodes are used \(97 of 100\)`)
	require.NoError(t, os.Remove(filepath.Join(dir, "0")))
	require.NoError(t, os.Remove(filepath.Join(dir, "1")))
	w.becomes("ready: rules")
}

func TestInodesThatAreNotReportedAreNotMissing(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=2g,nr_inodes=0") // statfs says 0 of 0
	watch(t, produced(dir)).becomes("ready: rules")
}

func TestADirectoryThatIsRemovedUnderTheMount(t *testing.T) {
	source := filepath.Join(mounttest.TmpFS(t, "size=2g"), "volume")
	require.NoError(t, os.Mkdir(source, 0o755))
	dir := mounttest.Bind(t, source)
	w := watch(t, produced(dir), often)
	w.becomes("ready: rules")
	require.NoError(t, os.RemoveAll(source))
	w.becomes(`share rules: the directory was removed`)
}

func TestAMountThatIsTakenAway(t *testing.T) {
	dir := mounttest.Bind(t, mounttest.TmpFS(t, "size=2g"))
	w := watch(t, consumed(dir))
	w.becomes("ready: rules")
	mounttest.Unmount(t, dir)
	w.becomes("share rules: nothing is mounted at " + dir)
	require.NoError(t, os.Remove(dir))
	w.becomes("share rules: nothing is mounted at " + dir + ": no such file or directory")
}

func TestAMountBehindALinkIsMounted(t *testing.T) {
	link := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Symlink(mounttest.TmpFS(t, "size=10m"), link))
	watch(t, consumed(link)).becomes("ready: rules")
}

func TestAnAwaitedFileThatAppears(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=10m")
	w := watch(t, consumed(dir, "rules/__init__.py", "done"))
	w.becomes("share rules: waiting for rules/rules/__init__.py")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "rules"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules", "__init__.py"), nil, 0o600))
	w.becomes("share rules: waiting for rules/done")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "done"), nil, 0o600))
	w.becomes("ready: rules")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "rules")))
	w.becomes("share rules: waiting for rules/rules/__init__.py")
}

func TestAMountThatHangs(t *testing.T) {
	fuse, healthy := mounttest.MountFUSE(t), mounttest.TmpFS(t, "size=10m")
	shares := []agent.Share{{Name: "rules", Path: fuse.Dir}, {Name: "models", Path: healthy, Awaited: []string{"done"}}}
	w := watch(t, shares)
	w.becomes("share models: waiting for models/done")
	fuse.Hang(t)
	w.becomes("share rules: no answer for 0s; share models: waiting for models/done")
	require.NoError(t, os.WriteFile(filepath.Join(healthy, "done"), nil, 0o600))
	w.becomes("share rules: no answer for [0-9]s") // the other share is still looked at
	w.becomes("share rules: no answer for 1s")     // and how long it takes is told
	fuse.Recover(t)
	w.becomes("ready: rules, models")
	fuse.Kill(t)
	w.becomes("share rules: does not list: transport endpoint is not connected")
}

func TestAMountThatHangsFromTheStart(t *testing.T) {
	fuse := mounttest.MountFUSE(t)
	fuse.Hang(t)
	w := watch(t, consumed(fuse.Dir), func(o *agent.Options) { o.Timeout = time.Hour })
	line, ready := w.ask()
	assert.Equal(t, "share rules: no answer for 0s", line)
	assert.False(t, ready)
	fuse.Recover(t)
	w.becomes("ready: rules")
}

func TestAThousandIntervalsOfAHungMountLeaveNothingBehind(t *testing.T) {
	fuse, healthy := mounttest.MountFUSE(t), mounttest.TmpFS(t, "size=2g")
	const looks = time.Millisecond
	shares := []agent.Share{{Name: "rules", Path: fuse.Dir}, {Name: "models", Path: healthy, Produced: true}}
	w := watch(t, shares, often, func(o *agent.Options) { o.Interval, o.Timeout = looks, 10*time.Millisecond })
	w.becomes("ready: rules, models")
	fuse.Hang(t)
	w.becomes("share rules: no answer for 0s")
	goroutines, threads, files := runtime.NumGoroutine(), count(t, "task"), count(t, "fd")
	for end := time.Now().Add(1000 * looks); time.Now().Before(end); time.Sleep(10 * looks) {
		line, _ := w.ask()
		require.Contains(t, line, "share rules: no answer for ")
	}
	// One more of each for a question that is just being answered.
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+1, "goroutines")
	assert.LessOrEqual(t, count(t, "task"), threads+1, "threads")
	assert.LessOrEqual(t, count(t, "fd"), files+1, "open files")
	fuse.Recover(t)
	w.becomes("ready: rules, models")
}

// count returns how many entries a directory of /proc/self has.
func count(t *testing.T, directory string) int {
	entries, err := os.ReadDir("/proc/self/" + directory)
	require.NoError(t, err)
	return len(entries)
}

func TestTheWriteTestLeavesNothingBehindAndTouchesNothing(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=2g")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pricing.py"), []byte("x = 1\n"), 0o600))
	t.Run("while it runs", func(t *testing.T) {
		w := watch(t, produced(dir), often)
		for range 50 {
			w.becomes("ready: rules")
			time.Sleep(interval)
		}
	})
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	content, err := os.ReadFile(filepath.Join(dir, "pricing.py"))
	require.NoError(t, err)
	assert.Equal(t, "x = 1\n", string(content))
}

func TestWithoutTheContainersUserNothingIsWrittenAndFullIsStillFull(t *testing.T) {
	dir := mounttest.TmpFS(t, "size=1m")
	other := func(o *agent.Options) { o.SameUser = false }
	before, err := os.Stat(dir)
	require.NoError(t, err)
	w := watch(t, produced(dir), often, other)
	for range 20 {
		w.becomes("ready: rules")
		time.Sleep(interval)
	}
	after, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, before.ModTime(), after.ModTime(), "the directory is as it was")
	mounttest.Fill(t, dir)
	w.becomes(`share rules: 100% full \(1Mi of 1Mi\)`)
}
