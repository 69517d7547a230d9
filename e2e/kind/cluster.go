package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/images"
)

const (
	clusterName = "podshare-e2e"
	// directory has all that a run makes, seen from the repository's root.
	directory = ".cache/kind"
)

// cluster is the one cluster of kind that this repository's runs make, one after the other.
type cluster struct {
	dir        string // absolute
	kubeconfig string
	lock       *os.File
}

// newCluster takes the place for this process: the kernel gives it up when the process is gone, however it ended.
func newCluster(ctx context.Context) (*cluster, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, errors.New("docker is not installed: kind makes its nodes with it")
	}
	if err := docker(ctx, "version"); err != nil {
		return nil, fmt.Errorf("no Docker engine answers (DOCKER_HOST says where it is): %w", err)
	}
	dir, err := filepath.Abs(directory)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), clusterName+".lock"), os.O_CREATE|os.O_RDWR, 0o666) //nolint:gosec // every user of the machine takes turns
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another run uses the cluster %s on this machine: wait for its end (%w)", clusterName, err), lock.Close())
	}
	return &cluster{dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig"), lock: lock}, nil
}

// configuration is kind's. Both mounts of the shared directory are one place, so a volume in it is on every node.
const configuration = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: %[1]s
nodes:
- {role: control-plane, extraMounts: [{hostPath: %[2]q, containerPath: %[3]q}]}
- {role: worker, extraMounts: [{hostPath: %[2]q, containerPath: %[3]q}]}
- {role: worker, extraMounts: [{hostPath: %[2]q, containerPath: %[3]q}]}
`

func (c *cluster) create(ctx context.Context) error {
	if err := c.makeVolumeDirectories(); err != nil {
		return err
	}
	file := filepath.Join(c.dir, "cluster.yaml")
	content := fmt.Sprintf(configuration, clusterName, c.shared(), nodeDirectory)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return err
	}
	arguments := []string{"create", "cluster", "--config", file, "--kubeconfig", c.kubeconfig, "--wait", "180s"}
	if image := os.Getenv("KIND_NODE_IMAGE"); image != "" {
		arguments = append(arguments, "--image", image)
	}
	return kind(ctx, arguments...)
}

// remove deletes the cluster and its data. Nothing there is fine.
func (c *cluster) remove(ctx context.Context) error {
	if err := kind(ctx, "delete", "cluster", "--name", clusterName, "--kubeconfig", c.kubeconfig); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(c.shared()), os.RemoveAll(c.kubeconfig))
}

func (c *cluster) access() (*rest.Config, error) {
	access, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err == nil {
		access.QPS = -1
		access.WarningHandler = rest.NoWarnings{}
	}
	return access, err
}

// test runs the suite.
func (c *cluster) test(ctx context.Context, python string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return command.Suite(ctx, "KUBECONFIG="+c.kubeconfig, "STORAGE_CLASS="+storageClass, "DISTURB="+self,
		"IMAGE="+images.PodshareImage, "AGENT_IMAGE="+images.AgentImage, "PYTHON_IMAGE="+python, "BREAKER_IMAGE="+images.BreakerImage)
}
