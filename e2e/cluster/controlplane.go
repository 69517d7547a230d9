package cluster

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// The components' names are those of their programs, and of their processes and logs.
const (
	etcdName              = "etcd"
	apiServerName         = "kube-apiserver"
	controllerManagerName = "kube-controller-manager"
	schedulerName         = "kube-scheduler"
)

const loopback = "127.0.0.1"

// readyLimit bounds each wait: many times what it takes, since a machine may be busy compiling.
const readyLimit = time.Minute

// startControlPlane starts the components as soon as what each needs is there, and waits until all are ready.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	ports, err := FreePorts(3)
	if err != nil {
		return err
	}
	etcdClient, etcdPeer, securePort := localURL(ports[0]), localURL(ports[1]), ports[2]
	etcd, err := c.Run(etcdName, c.etcd(etcdClient, etcdPeer))
	if err != nil {
		return err
	}
	if c.access, err = newAccess(c.options.Dir, c.options.Address, securePort); err != nil { // while etcd starts
		return err
	}
	if err := etcd.Await(ctx, "etcd at "+etcdClient, readyLimit, healthy(etcdClient+"/health")); err != nil {
		return err
	}
	c.options.Progress("etcd ready at %s", etcdClient)
	apiServer, err := c.Run(apiServerName, c.apiServer(etcdClient, securePort))
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := await(ctx, "the API server at "+c.access.host, readyLimit, ready(client), apiServer, etcd); err != nil {
		return err
	}
	c.options.Progress("kube-apiserver ready at %s", c.access.host)
	return c.startControllers(ctx, client, apiServer, etcd)
}

// startControllers starts what works through the API server, and waits for the objects without which no pod and no
// claim gets anywhere.
func (c *Cluster) startControllers(ctx context.Context, client kubernetes.Interface, servers ...*Process) error {
	if err := ShareHostPathRoot(); err != nil {
		c.options.Progress("%v", err) // all but the volumes works
	}
	controllers, err := c.Run(controllerManagerName, c.controllerManager())
	if err != nil {
		return err
	}
	scheduler, err := c.Run(schedulerName, c.scheduler())
	if err != nil {
		return err
	}
	processes := append([]*Process{controllers, scheduler}, servers...)
	c.provisions = true
	if err := await(ctx, "StorageClass "+storageClass, readyLimit, createStorageClass(client), servers...); err != nil {
		return err
	}
	err = await(ctx, "ServiceAccount default in namespace default", readyLimit, hasDefaultAccount(client), processes...)
	if err != nil {
		return err
	}
	c.options.Progress("kube-controller-manager and kube-scheduler work")
	return nil
}

func localURL(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

func (c *Cluster) program(name string) string { return filepath.Join(c.options.Assets, name) }

func (c *Cluster) etcd(client, peer string) []string {
	return []string{
		c.program(etcdName),
		"--data-dir=" + c.path(etcdName),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--unsafe-no-fsync", // the data need not survive a crash of this machine
	}
}

func (c *Cluster) apiServer(etcd string, port int) []string {
	arguments := []string{
		c.program(apiServerName),
		"--etcd-servers=" + etcd,
		"--bind-address=" + c.options.Address,
		"--secure-port=" + strconv.Itoa(port),
		"--cert-dir=" + c.path(certificatesName),
		"--tls-cert-file=" + c.path(servingCertificate),
		"--tls-private-key-file=" + c.path(servingKey),
		"--token-auth-file=" + c.path(tokensName),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.path(serviceAccountKey),
		"--service-account-signing-key-file=" + c.path(serviceAccountKey),
		"--service-cluster-ip-range=" + serviceNetwork,
		"--allow-privileged=true", // as on most clusters, so that pods which ask for it get as far here as there
		"--advertise-address=" + c.options.Address,
		"--kubelet-preferred-address-types=InternalIP", // a local node's name is in no DNS
	}
	if c.options.Address == loopback {
		// The endpoints of the Service kubernetes.default may not be loopback addresses, and no pod runs that would use them.
		arguments = append(arguments, "--endpoint-reconciler-type=none")
	}
	return arguments
}

func (c *Cluster) controllerManager() []string {
	return []string{
		c.program(controllerManagerName),
		"--kubeconfig=" + c.Kubeconfig(),
		"--leader-elect=false", // there is only one, and the election would take its time
		"--secure-port=0",      // nobody reads its metrics, and a port less cannot collide
		"--enable-hostpath-provisioner=true",
		"--service-account-private-key-file=" + c.path(serviceAccountKey),
		"--root-ca-file=" + c.path(authority),
	}
}

func (c *Cluster) scheduler() []string {
	return []string{
		c.program(schedulerName),
		"--kubeconfig=" + c.Kubeconfig(),
		"--leader-elect=false",
		"--secure-port=0",
	}
}

// healthy asks an HTTP server for a page and wants 200 OK.
func healthy(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close() //nolint:errcheck // nothing is read from it
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	}
}

func ready(client kubernetes.Interface) func(context.Context) error {
	return func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}
}

const storageClass = "standard"

func createStorageClass(client kubernetes.Interface) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := client.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{
				Name:        storageClass,
				Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
			},
			Provisioner: hostPathProvisioner,
		}, metav1.CreateOptions{})
		return err
	}
}

func hasDefaultAccount(client kubernetes.Interface) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	}
}
