package cluster_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/podshare/podshare/e2e/cluster"
)

// assets has the programs that `go run ./e2e/build` links.
const assets = "../../bin/assets"

// limit bounds each wait of a test: far more than it takes.
const limit = 30 * time.Second

// Two clusters live side by side; one of them finds its port taken at first.
func TestAClusterWorksAndStopsWithoutATrace(t *testing.T) {
	for name, programs := range map[string]func(t *testing.T) string{
		"at the first attempt":                func(*testing.T) string { return assets },
		"after another program took its port": withAnEtcdThatFindsItsPortTakenAtFirst,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "cluster")
			c, err := cluster.Start(t.Context(), cluster.Options{Dir: dir, Assets: programs(t), Progress: t.Logf})
			require.NoError(t, err)
			defer c.Stop() //nolint:errcheck // a second time after success, when there is nothing left to do

			config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
			require.NoError(t, err, "the kubeconfig for other programs")
			client := kubernetes.NewForConfigOrDie(config)
			createPod(t, client)
			volume := provisionVolume(t, client)
			require.DirExists(t, volume)
			assertProcessesCanBeAdded(t, c)

			require.NoError(t, c.Stop())
			assert.NoDirExists(t, dir)
			assert.NoDirExists(t, volume)
			assert.Empty(t, processesOf(dir))
			assert.NoError(t, c.Stop(), "stopping twice")
		})
	}
}

// createPod shows that admission and the controllers work: a pod is admitted only when its ServiceAccount is there.
func createPod(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	pod, err := client.CoreV1().Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Equal(t, "default", pod.Spec.ServiceAccountName)
}

// provisionVolume returns the directory of a volume that a ReadWriteMany claim was bound to.
func provisionVolume(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	claims := client.CoreV1().PersistentVolumeClaims("default")
	_, err := claims.Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "shared"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	var claim *corev1.PersistentVolumeClaim
	require.Eventually(t, func() bool {
		claim, err = claims.Get(t.Context(), "shared", metav1.GetOptions{})
		return err == nil && claim.Status.Phase == corev1.ClaimBound
	}, limit, 50*time.Millisecond, "the claim is not bound")
	volume, err := client.CoreV1().PersistentVolumes().Get(t.Context(), claim.Spec.VolumeName, metav1.GetOptions{})
	require.NoError(t, err)
	return volume.Spec.HostPath.Path
}

func assertProcessesCanBeAdded(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	sleeper, err := c.Run("sleeper", []string{"/bin/sleep", "600"})
	require.NoError(t, err)
	_, err = c.Run("sleeper", []string{"/bin/sleep", "600"})
	require.EqualError(t, err,
		`a process named "sleeper" is running in this cluster: stop it first, or choose another name`)
	require.NoError(t, sleeper.Stop())

	_, err = c.Run("sleeper", []string{"/bin/sleep", "600"})
	require.NoError(t, err, "the same name again after a stop")

	hermit, err := c.Run("hermit", []string{"/bin/sh", "-c", `echo "$KUBECONFIG|$EXTRA"; exit 3`}, "EXTRA=given")
	require.NoError(t, err)
	never := func(context.Context) error { return fmt.Errorf("not yet") }
	require.EqualError(t, hermit.Await(t.Context(), "the hermit", limit, never),
		"hermit exited (exit status 3) while waiting for the hermit; the last lines of "+hermit.Log()+":\n|given")
}

// withAnEtcdThatFindsItsPortTakenAtFirst returns assets whose etcd fails once, as it does when its port is taken.
func withAnEtcdThatFindsItsPortTakenAtFirst(t *testing.T) string {
	t.Helper()
	original, err := filepath.Abs(assets)
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		require.NoError(t, os.Symlink(filepath.Join(original, name), filepath.Join(dir, name)))
	}
	script := fmt.Sprintf("#!/bin/sh\nif mkdir %[1]s/failed 2>/dev/null; then\n"+
		"  echo 'listen tcp 127.0.0.1:2379: bind: address already in use'; exit 1\nfi\nexec %[2]s/etcd \"$@\"\n", dir, original)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd"), []byte(script), 0o700))
	return dir
}

// processesOf returns the command lines that name the directory.
func processesOf(dir string) []string {
	output, err := exec.Command("ps", "-A", "-o", "command=").Output()
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for line := range strings.Lines(string(output)) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return found
}

func TestAClusterThatCannotStartLeavesNothing(t *testing.T) {
	t.Run("no assets", func(t *testing.T) {
		dir, empty := filepath.Join(t.TempDir(), "cluster"), t.TempDir()
		_, err := cluster.Start(t.Context(), cluster.Options{Dir: dir, Assets: empty})
		require.EqualError(t, err,
			"assets directory "+empty+" has no etcd: run `go run ./e2e/build` in the repository's root")
		assert.NoDirExists(t, dir)
	})
	t.Run("a directory that is in use", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "letter"), nil, 0o600))
		_, err := cluster.Start(t.Context(), cluster.Options{Dir: dir, Assets: assets})
		require.EqualError(t, err, "directory "+dir+" is not empty: a cluster needs a new one; "+
			"stop what is left in this one (make clean-cluster) or choose another")
		assert.FileExists(t, filepath.Join(dir, "letter"))
	})
	t.Run("a component that fails", func(t *testing.T) {
		dir, programs := filepath.Join(t.TempDir(), "cluster"), t.TempDir()
		for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			script := "#!/bin/sh\necho no space left on device; exit 1\n"
			require.NoError(t, os.WriteFile(filepath.Join(programs, name), []byte(script), 0o700))
		}
		_, err := cluster.Start(t.Context(), cluster.Options{Dir: dir, Assets: programs})
		require.Error(t, err)
		assert.Regexp(t, `^etcd exited \(exit status 1\) while waiting for etcd at http://127\.0\.0\.1:\d+; `+
			`the last lines of .*/logs/etcd\.log:\nno space left on device$`, err.Error())
		assert.NoDirExists(t, dir)
	})
	t.Run("an interruption", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "cluster")
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := cluster.Start(ctx, cluster.Options{Dir: dir, Assets: assets, Progress: func(string, ...any) {
			cancel(fmt.Errorf("interrupted by the user")) // at the first step that is done: etcd
		}})
		require.ErrorContains(t, err, "waiting for the API server at https://127.0.0.1:")
		require.ErrorContains(t, err, "interrupted by the user")
		assert.NoDirExists(t, dir)
		assert.Empty(t, processesOf(dir))
	})
}
