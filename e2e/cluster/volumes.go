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
	// HostPathRoot is where kube-controller-manager's provisioner makes its directories; it cannot be told otherwise.
	HostPathRoot = "/tmp/hostpath_pv"

	volumesLimit = 10 * time.Second
)

// ShareHostPathRoot makes the provisioner's directory, open to every user as /tmp is: the provisioner itself would make
// it for the one user whose cluster is the first on this machine, and the claims of all others would stay Pending.
func ShareHostPathRoot() error {
	switch err := os.Mkdir(HostPathRoot, 0o700); {
	case err == nil:
		return os.Chmod(HostPathRoot, os.ModeSticky|0o777) // not by Mkdir, which heeds the umask
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	const writable = 2
	if err := syscall.Access(HostPathRoot, writable); err != nil {
		return fmt.Errorf("claims will stay Pending, because %s was made by another user for themselves alone (%w): "+
			"delete it, or chmod 1777 it", HostPathRoot, err)
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
		return fmt.Errorf("listing volumes to delete their directories in %s: %w", HostPathRoot, err)
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
	return path, filepath.Dir(path) == HostPathRoot
}
