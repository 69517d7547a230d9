//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/agent/mounttest"
)

func TestMain(m *testing.M) { os.Exit(mounttest.Run(m)) }

const (
	limit = 20 * time.Second // of every wait: many times what it takes
	tick  = 10 * time.Millisecond
	// promptly is how soon check has to answer, its own start included.
	promptly = 100 * time.Millisecond
)

// program builds what users run, with the flags of the Makefile, and returns its path.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "podshare-agent")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	public(t, path)
	return path
}

// call runs the program to its end.
func call(t *testing.T, path string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	command := exec.Command(path, arguments...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) {
		require.NoError(t, err)
	}
	return command.ProcessState.ExitCode(), out.String(), errs.String()
}

// sockets counts them, so that each watchdog has its own.
var sockets atomic.Int64

// watchdog is `podshare-agent run`, until the test ends.
type watchdog struct {
	t       *testing.T
	path    string
	socket  string
	command *exec.Cmd
	stderr  buffer
}

// buffer is one that is read while a process writes to it.
type buffer struct {
	mu      sync.Mutex
	content bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.Write(data)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.String()
}

func startWatchdog(t *testing.T, attributes *syscall.SysProcAttr, arguments ...string) *watchdog {
	t.Helper()
	w := &watchdog{t: t, path: program(t), socket: fmt.Sprintf("@podshare-agent-test-%d-%d", os.Getpid(), sockets.Add(1))}
	attributes.Pdeathsig = syscall.SIGKILL
	w.command = exec.Command(w.path, append([]string{"run", "--socket", w.socket, "--interval", "10ms", "--timeout", "200ms"}, arguments...)...)
	w.command.SysProcAttr, w.command.Stderr = attributes, &w.stderr
	require.NoError(t, w.command.Start())
	t.Cleanup(func() {
		if w.command.ProcessState == nil {
			_ = w.command.Process.Kill()
			_ = w.command.Wait() // its error is the kill
		}
	})
	require.Eventually(t, func() bool {
		_, _, complaint := call(t, w.path, "check", "--socket", w.socket)
		return complaint == ""
	}, limit, tick)
	return w
}

// check is what the probe sees. It has to come promptly: of three tries, since the machine may be busy.
func (w *watchdog) check() (code int, line string) {
	w.t.Helper()
	var took time.Duration
	for range 3 {
		begun := time.Now()
		code, stdout, stderr := call(w.t, w.path, "check", "--socket", w.socket)
		if took = time.Since(begun); took < promptly {
			return code, stdout + stderr
		}
	}
	require.Less(w.t, took, promptly)
	return 0, ""
}

// becomes waits for what check says.
func (w *watchdog) becomes(code int, line string) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		gotCode, gotLine := w.check()
		assert.Equal(c, line+"\n", gotLine)
		assert.Equal(c, code, gotCode)
	}, limit, tick)
}

// stop sends SIGTERM and returns how the process ended and how long it took.
func (w *watchdog) stop() (state *os.ProcessState, took time.Duration) {
	w.t.Helper()
	begun := time.Now()
	require.NoError(w.t, w.command.Process.Signal(syscall.SIGTERM))
	_ = w.command.Wait() // its error is what the state says
	return w.command.ProcessState, time.Since(begun)
}

func TestCheckSaysWhatTheWatchdogKnows(t *testing.T) {
	fuse := mounttest.MountFUSE(t)
	w := startWatchdog(t, &syscall.SysProcAttr{}, "--consume", "rules:"+fuse.Dir, "--await", "rules/pricing.py")
	w.becomes(1, "share rules: waiting for rules/pricing.py")
	require.NoError(t, os.WriteFile(filepath.Join(fuse.Source, "pricing.py"), nil, 0o600))
	w.becomes(0, "ready: rules")
	fuse.Hang(t)
	w.becomes(1, "share rules: no answer for 1s")
	w.becomes(1, "share rules: no answer for 2s")
	fuse.Recover(t)
	w.becomes(0, "ready: rules")
	require.Eventually(t, func() bool { return strings.HasSuffix(w.stderr.String(), "share rules: ready again after 2s\n") }, limit, tick, "its log")
	assert.Contains(t, w.stderr.String(), "share rules: no answer for ")
}

func TestSIGTERMEndsItAtOnceAsProcess1AlsoWhileAMountHangs(t *testing.T) {
	fuse := mounttest.MountFUSE(t)
	w := startWatchdog(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID},
		"--consume", "rules:"+fuse.Dir)
	w.becomes(0, "ready: rules")
	fuse.Hang(t)
	w.becomes(1, "share rules: no answer for 0s")
	state, took := w.stop()
	assert.Equal(t, 0, state.ExitCode(), "%v", state)
	assert.Less(t, took, 2*time.Second)
}

func TestPermissionsAreJudgedForTheContainersUserOnly(t *testing.T) {
	if os.Getuid() != 0 || !hasUser(10001) {
		t.Skip("only root has processes of other users")
	}
	dir := mounttest.TmpFS(t, "size=2g,mode=0755")
	public(t, dir)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "closed"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "closed", "x"), nil, 0o600))
	user := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 10001, Gid: 10001, NoSetGroups: false}}
	}
	for name, test := range map[string]struct {
		mode      os.FileMode
		arguments []string
		code      int
		want      string
	}{
		"a producer that may not write":                    {0o755, []string{"--produce", "rules:" + dir, "--same-user"}, 1, "share rules: not writable: permission denied"},
		"of another user, it is not judged":                {0o755, []string{"--produce", "rules:" + dir}, 0, "ready: rules"},
		"a producer that may":                              {0o777, []string{"--produce", "rules:" + dir, "--same-user"}, 0, "ready: rules"},
		"a consumer that may not list":                     {0o700, []string{"--consume", "rules:" + dir, "--same-user"}, 1, "share rules: does not list: permission denied"},
		"of another user, that is not judged either":       {0o700, []string{"--consume", "rules:" + dir}, 0, "ready: rules"},
		"an awaited file that nobody may see is not there": {0o755, []string{"--consume", "rules:" + dir, "--await", "rules/closed/x"}, 1, "share rules: waiting for rules/closed/x: permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.Chmod(dir, test.mode))
			w := startWatchdog(t, user(), test.arguments...)
			w.becomes(test.code, test.want)
		})
	}
}

// public lets every user pass to a test's directory.
func public(t *testing.T, dir string) {
	t.Helper()
	for parent := filepath.Dir(dir); strings.HasPrefix(parent, os.TempDir()+"/"); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o755))
	}
}

// hasUser says whether a process may become a user: in a user namespace most of them do not exist.
func hasUser(uid uint32) bool {
	command := exec.Command("/proc/self/exe", "-test.run", "^$")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	err := command.Start()
	if err == nil {
		_ = command.Wait()
	}
	return err == nil || !errors.Is(err, syscall.EINVAL)
}

func TestItIsSmallInMemoryAndOnDisk(t *testing.T) {
	const mega = 1_000_000
	w := startWatchdog(t, &syscall.SysProcAttr{}, "--consume", "rules:"+mounttest.TmpFS(t, ""), "--produce", "models:"+mounttest.TmpFS(t, "size=2g"),
		"--same-user", "--interval", "100ms")
	info, err := os.Stat(w.path)
	require.NoError(t, err)
	t.Logf("%d bytes on disk", info.Size())
	assert.Less(t, info.Size(), int64(3*mega), "bytes of the program, which is all that is in its image")
	for range 300 {
		w.check()
	}
	w.requireSmall()
}

func (w *watchdog) requireSmall() {
	w.t.Helper()
	const mebi = 1 << 20
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.command.Process.Pid))
	require.NoError(w.t, err)
	_, resident, _ := strings.Cut(string(status), "VmRSS:")
	kibibytes, err := strconv.Atoi(strings.Fields(resident)[0])
	require.NoError(w.t, err)
	w.t.Logf("%d KiB resident", kibibytes)
	assert.Less(w.t, kibibytes<<10, 4*mebi, "resident bytes")
}

func TestCheckStartsAWatchdogWhereNoneRuns(t *testing.T) {
	path, dir := program(t), mounttest.TmpFS(t, "size=2g")
	socket := fmt.Sprintf("@podshare-agent-test-%d-started", os.Getpid())
	arguments := []string{"check", "--socket", socket, "--produce", "models:" + dir, "--same-user"}
	t.Cleanup(func() {
		for _, pid := range processesWith(t, socket) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	ready := func() {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			code, stdout, stderr := call(t, path, arguments...)
			assert.Equal(c, "ready: models\n", stdout+stderr)
			assert.Equal(c, 0, code)
		}, limit, tick)
	}
	ready()
	before := processesWith(t, socket)
	require.Len(t, before, 1)
	t.Run("one is enough", func(t *testing.T) {
		ready()
		assert.Equal(t, before, processesWith(t, socket))
	})
	t.Run("one that was killed is replaced, by one, however many ask at once", func(t *testing.T) {
		require.NoError(t, syscall.Kill(before[0], syscall.SIGKILL))
		var checks []*exec.Cmd
		for range 8 {
			check := exec.Command(path, arguments...)
			require.NoError(t, check.Start())
			checks = append(checks, check)
		}
		for _, check := range checks {
			_ = check.Wait() // the first to come may find it starting
		}
		ready()
		require.Eventually(t, func() bool { return len(processesWith(t, socket)) == 1 }, limit, tick)
		assert.NotEqual(t, before, processesWith(t, socket))
	})
}

// processesWith are the living processes with an argument.
func processesWith(t *testing.T, argument string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var pids []int
	for _, file := range files {
		content, _ := os.ReadFile(file) // the process may be gone; a dead one has no arguments
		if slices.Contains(strings.Split(string(content), "\x00"), argument) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestASecondWatchdogDoesNotTakeTheSocket(t *testing.T) {
	w := startWatchdog(t, &syscall.SysProcAttr{}, "--consume", "rules:/")
	code, _, stderr := call(t, w.path, "run", "--consume", "rules:/", "--socket", w.socket)
	assert.Equal(t, 1, code)
	assert.Equal(t, "podshare-agent: "+w.socket+": another watchdog listens there\n", stderr)
	w.becomes(0, "ready: rules")
}

func TestItEndsOnSIGTERMAlsoWhenNobodyReadsItsLog(t *testing.T) {
	var pipe [2]int
	require.NoError(t, syscall.Pipe2(pipe[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK))
	defer syscall.Close(pipe[0]) //nolint:errcheck // never read
	var err error
	for err == nil { // until it is full
		_, err = syscall.Write(pipe[1], make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.EAGAIN)
	require.NoError(t, syscall.SetNonblock(pipe[1], false))
	writer := os.NewFile(uintptr(pipe[1]), "pipe")
	command := exec.Command(program(t), "run", "--consume", "rules:/none", "--socket", fmt.Sprintf("@podshare-agent-test-%d-mute", os.Getpid()))
	command.Stderr = writer
	require.NoError(t, command.Start())
	writing := func() bool {
		waits, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", command.Process.Pid))
		return slices.ContainsFunc(waits, func(file string) bool {
			where, _ := os.ReadFile(file)
			return strings.Contains(string(where), "pipe_write")
		})
	}
	// Until a thread writes and waits for a reader; not every kernel tells, but the first line is due after one second.
	for end := time.Now().Add(3 * time.Second); !writing() && time.Now().Before(end); time.Sleep(tick) {
	}
	begun := time.Now()
	require.NoError(t, command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, command.Wait())
	assert.Less(t, time.Since(begun), 2*time.Second)
}

func TestAWatchdogThatCannotStartIsHeardAndBuried(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // the test's end
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	socket := fmt.Sprintf("@podshare-agent-test-%d-unborn", os.Getpid())
	require.EventuallyWithT(t, func(c *assert.CollectT) { // on a busy machine one takes longer to end than check waits for it
		code, stdout, stderr := call(t, program(t), "check", "--socket", socket, "--consume", "rules:/", "--port", port)
		assert.Equal(c, 1, code)
		assert.Empty(c, stdout)
		assert.Contains(c, stderr, "podshare-agent: the watchdog ended at once: listening on port ")
	}, 30*time.Second, 10*time.Millisecond)
}

func TestInstall(t *testing.T) {
	path, dir := program(t), t.TempDir()
	installed := filepath.Join(dir, "podshare-agent")
	for range 2 { // a restarted pod finds it there already
		code, stdout, stderr := call(t, path, "install", "--to", dir)
		assert.Equal(t, "installed "+installed+"\n", stdout+stderr)
		assert.Equal(t, 0, code)
	}
	code, stdout, _ := call(t, installed, "version")
	assert.Equal(t, "unknown\n", stdout)
	assert.Equal(t, 0, code)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)

	code, _, stderr := call(t, path, "install", "--to", filepath.Join(dir, "none"))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "none")
	assert.Contains(t, stderr, "no such file or directory")
}

func TestMistakesInCallingIt(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		code      int
		want      string
	}{
		"a word that is no command": {[]string{"watch"}, 2, `"watch" is no command; there are run, check, install and version`},
		"nothing to watch":          {[]string{"run"}, 2, "nothing to watch: name a share with --consume or --produce; see podshare-agent run --help"},
		"an unknown flag":           {[]string{"run", "--listen"}, 2, "flag provided but not defined: -listen; see podshare-agent run --help"},
		"a share without a path": {
			[]string{"run", "--produce", "rules"}, 2,
			`invalid value "rules" for flag -produce: "rules" must be a share and the absolute path of its mount, such as "rules:/podshare/rules"; see podshare-agent run --help`,
		},
		"a file on no share": {
			[]string{"check", "--consume", "rules:/r", "--await", "models/x"}, 2,
			`invalid value for flag --await: "models/x" must be a file on one of the shares (rules), such as "rules/pricing.py"; see podshare-agent check --help`,
		},
		"a word too many":       {[]string{"check", "now"}, 2, `unknown argument "now"; see podshare-agent check --help`},
		"no time between looks": {[]string{"run", "--consume", "rules:/r", "--interval", "0s"}, 2, "--interval 0s and --timeout 10s must be above 0; see podshare-agent run --help"},
		"a port that is none":   {[]string{"run", "--consume", "rules:/r", "--port", "70000"}, 2, "--port 70000 must be from 0 to 65535; see podshare-agent run --help"},
		"another that is none":  {[]string{"run", "--consume", "rules:/r", "--metrics-port", "-1"}, 2, "--metrics-port -1 must be from 0 to 65535; see podshare-agent run --help"},
		"more than all":         {[]string{"run", "--min-free-percent", "101"}, 2, "--min-free-percent 101 must be from 0 to 100; see podshare-agent run --help"},
		"nowhere to install":    {[]string{"install"}, 2, "--to is missing: the directory to install to; see podshare-agent install --help"},
		"nobody to ask":         {[]string{"check", "--socket", "@podshare-none"}, 1, "the watchdog does not run: @podshare-none: connection refused"},
		"a socket that is a file": {
			[]string{"check", "--socket", "/none/s"}, 1,
			`asking the watchdog: the socket "/none/s" must be @ and a name of at most 106 characters`,
		},
		"a name that is too long": {
			[]string{"check", "--socket", "@" + strings.Repeat("x", 107)}, 1,
			`asking the watchdog: the socket "@` + strings.Repeat("x", 107) + `" must be @ and a name of at most 106 characters`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, test.code, execute(test.arguments, &stdout, &stderr))
			assert.Equal(t, "podshare-agent: "+test.want+"\n", stderr.String())
			assert.Empty(t, stdout.String())
		})
	}
}

func TestHelp(t *testing.T) {
	for _, arguments := range [][]string{{"--help"}, {"run", "--help"}, {"check", "-h"}, {"install", "--help"}} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 0, execute(arguments, &stdout, &stderr))
		assert.Contains(t, stdout.String(), "podshare-agent")
		assert.Empty(t, stderr.String())
	}
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 2, execute(nil, &stdout, &stderr))
	assert.Equal(t, usage, stderr.String())
}
