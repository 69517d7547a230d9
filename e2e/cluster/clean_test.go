package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/node"
)

// These tell this test's own program to be the owner of a cluster instead of running tests.
const (
	ownerEnv = "PODSHARE_TEST_CLUSTER" // the cluster's directory
	keepEnv  = "PODSHARE_TEST_KEEP"    // not empty: the cluster outlives its owner
	nodeEnv  = "PODSHARE_TEST_NODE"    // not empty: it has a node
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		own(dir, os.Getenv(keepEnv) != "")
	}
	os.Exit(m.Run())
}

// own starts a cluster, prints one line when it has, and lives until it is killed.
func own(dir string, keep bool) {
	_, err := cluster.Start(context.Background(), cluster.Options{Dir: dir, Assets: assets, Keep: keep, Node: os.Getenv(nodeEnv) != ""})
	fmt.Println("started:", err)
	select {}
}

// startOwner runs a process that owns a cluster in root, and returns what kills it and the cluster's directory.
func startOwner(t *testing.T, root string, env ...string) (kill func(), dir string) {
	t.Helper()
	dir = filepath.Join(root, "cluster")
	owner := exec.Command(os.Args[0])
	owner.Env = append(append(os.Environ(), ownerEnv+"="+dir), env...)
	output, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	kill = func() {
		_ = owner.Process.Kill()
		_ = owner.Wait() // its error is the kill
	}
	t.Cleanup(func() {
		kill()
		_, err := cluster.Clean(root, true)
		assert.NoError(t, err)
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "started: <nil>\n", line)
	return kill, dir
}

func TestACleanRemovesTheClusterOfAKilledOwner(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	kill, dir := startOwner(t, root)

	removed, err := cluster.Clean(root, true)
	require.NoError(t, err)
	assert.Empty(t, removed, "the owner is alive")
	assert.NotEmpty(t, processesOf(dir))

	kill()
	if runtime.GOOS == "linux" { // where the kernel ends them with their owner
		assert.Eventually(t, func() bool { return len(processesOf(dir)) == 0 }, limit, 50*time.Millisecond,
			"the children live on")
	}
	removed, err = cluster.Clean(root, false)
	require.NoError(t, err)
	assert.Equal(t, []string{dir}, removed)
	assert.NoDirExists(t, dir)
	assert.Empty(t, processesOf(dir))
}

func TestACleanRemovesAKeptClusterOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	kill, dir := startOwner(t, root, keepEnv+"=1")
	kill()

	removed, err := cluster.Clean(root, false)
	require.NoError(t, err)
	assert.Empty(t, removed)
	kubectl := exec.Command(filepath.Join(assets, "kubectl"), "get", "--raw=/readyz")
	kubectl.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(dir, "kubeconfig"))
	output, err := kubectl.CombinedOutput()
	require.NoError(t, err, string(output))
	assert.Equal(t, "ok", string(output), "it works on without its owner")

	removed, err = cluster.Clean(root, true)
	require.NoError(t, err)
	assert.Equal(t, []string{dir}, removed)
	assert.NoDirExists(t, dir)
	assert.Empty(t, processesOf(dir))
}

func TestNothingIsLeftOfAClusterWithANodeWhoseOwnerIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("a node needs root on Linux")
	}
	if missing := node.MissingPackages(); len(missing) > 0 {
		t.Skip("a node needs the packages " + strings.Join(missing, ", "))
	}
	root := t.TempDir()
	kill, dir := startOwner(t, root, nodeEnv+"=1")
	content, err := os.ReadFile(filepath.Join(dir, "machine"))
	require.NoError(t, err)
	name := string(content)
	_, err = net.InterfaceByName(name)
	require.NoError(t, err)
	require.NotEmpty(t, controlGroups(t, name))

	kill()
	removed, err := cluster.Clean(root, false)
	require.NoError(t, err)
	assert.Equal(t, []string{dir}, removed)
	assert.NoDirExists(t, dir)
	assert.Empty(t, processesOf(dir))
	assert.Empty(t, processesOf(name), "such as kubelet, which knows its control group")
	assert.Empty(t, controlGroups(t, name))
	_, err = net.InterfaceByName(name)
	assert.Error(t, err, "the network interface is still there")
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	assert.NotContains(t, string(mounts), dir)
}

func controlGroups(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		groups, err := filepath.Glob(pattern + name)
		require.NoError(t, err)
		found = append(found, groups...)
	}
	return found
}

func TestACleanLeavesAloneAProcessThatGotAFormerOnesPID(t *testing.T) {
	stranger := exec.Command("/bin/sleep", "600")
	require.NoError(t, stranger.Start())
	defer stranger.Wait()         //nolint:errcheck // its error is the kill
	defer stranger.Process.Kill() //nolint:errcheck // Wait would not return otherwise
	root := t.TempDir()
	dir := filepath.Join(root, "cluster")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "processes"), 0o700))
	for name, content := range map[string]string{
		".podshare-cluster":       "",
		"processes/0000-etcd.pid": fmt.Sprintf("%d long before\n", stranger.Process.Pid),
		"processes/0001-half.pid": "12",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}

	removed, err := cluster.Clean(root, false)
	require.NoError(t, err)
	assert.Equal(t, []string{dir}, removed)
	assert.NoDirExists(t, dir)
	assert.NoError(t, stranger.Process.Signal(syscall.Signal(0)), "it was ended")
}

func TestACleanLeavesAloneWhatIsNoCluster(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "photos"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "letter"), nil, 0o600))

	removed, err := cluster.Clean(root, true)
	require.NoError(t, err)
	assert.Empty(t, removed)
	assert.DirExists(t, filepath.Join(root, "photos"))
	assert.FileExists(t, filepath.Join(root, "letter"))

	removed, err = cluster.Clean(filepath.Join(root, "nowhere"), true)
	require.NoError(t, err)
	assert.Empty(t, removed)
}
