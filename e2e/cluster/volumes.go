package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	hostPathProvisioner = "kubernetes.io/host-path"
	provisionedBy       = "pv.kubernetes.io/provisioned-by"
	// hostPathRoot is where kube-controller-manager's provisioner makes its directories; it cannot be told otherwise.
	hostPathRoot = "/tmp/hostpath_pv"

	volumesLimit = 10 * time.Second
)

// shareHostPathRoot makes the provisioner's directory, open to every user as /tmp is: the provisioner itself would make
// it for the one user whose cluster is the first on this machine, and the claims of all others would stay Pending.
func shareHostPathRoot() error {
	switch err := os.Mkdir(hostPathRoot, 0o700); {
	case err == nil:
		return os.Chmod(hostPathRoot, os.ModeSticky|0o777) // not by Mkdir, which heeds the umask
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	const writable = 2
	if err := syscall.Access(hostPathRoot, writable); err != nil {
		return fmt.Errorf("claims will stay Pending, because %s was made by another user for themselves alone (%w): "+
			"delete it, or chmod 1777 it", hostPathRoot, err)
	}
	return nil
}

// removeVolumes deletes the directories of the cluster's provisioned volumes: they are outside of its own directory,
// side by side with those of other clusters, and nothing else would ever delete them.
func removeVolumes(config *rest.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), volumesLimit)
	defer cancel()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	volumes, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing volumes to delete their directories in %s: %w", hostPathRoot, err)
	}
	var problems []error
	for _, volume := range volumes.Items {
		if path, ok := provisionedDirectory(&volume); ok {
			problems = append(problems, os.RemoveAll(path))
		}
	}
	return errors.Join(problems...)
}

// provisionedDirectory returns the volume's directory if the provisioner made it. Anybody may write a volume with
// whatever path and annotation: only what lies directly in the provisioner's own directory is taken for its work.
func provisionedDirectory(volume *corev1.PersistentVolume) (string, bool) {
	source := volume.Spec.HostPath
	if source == nil || volume.Annotations[provisionedBy] != hostPathProvisioner {
		return "", false
	}
	path := filepath.Clean(source.Path)
	return path, filepath.Dir(path) == hostPathRoot
}
