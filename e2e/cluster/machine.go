package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podshare/podshare/e2e/command"
)

const (
	machineName = "machine"
	// machineDir has all that the machine writes.
	machineDir = "node"
	// ReadyName is a file that the machine makes when the control plane and the node run.
	ReadyName = "ready"
	// ContainerdSocket is where the machine's containerd listens, seen from its directory.
	ContainerdSocket = "containerd.sock"
	// ControlPlaneDir is the directory of the control plane in the machine's.
	ControlPlaneDir = "cluster"

	// machineLimit bounds the start of all of it: many times what it takes.
	machineLimit = 3 * time.Minute
	// goneLimit bounds the kernel's cleaning up after a machine.
	goneLimit = time.Minute
)

// networks are reserved for measuring network devices (RFC 2544), so nobody's own: each machine takes four of the addresses, of
// which the second is this computer's and the third the machine's.
var networks = netip.MustParsePrefix("198.18.0.0/15")

// machine is the place of a cluster with a node: namespaces of its own on this computer.
type machine struct {
	// name is that of its control groups and of this computer's end of the cable to it.
	name             string
	gateway, address netip.Addr
}

// startMachine runs the control plane and the node in a machine, and returns when the node is ready for pods.
func (c *Cluster) startMachine(ctx context.Context) error {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		return errors.New("a cluster with a node needs root on Linux; without a node it needs neither")
	}
	var err error
	if c.machine, err = c.newMachine(); err != nil {
		return err
	}
	process, err := c.runMachine()
	if err != nil {
		return err
	}
	if err := c.machine.connect(ctx, process.pid); err != nil {
		return err
	}
	if err := process.Await(ctx, "the node to be ready", machineLimit, c.nodeReady); err != nil {
		return err
	}
	return c.markKept()
}

// newMachine chooses a name, notes it and makes what the kernel would not remove by itself.
func (c *Cluster) newMachine() (*machine, error) {
	const attempts, addresses = 100, 4
	base := networks.Addr().As4()
	for range attempts {
		index := rand.Uint32N(1 << (32 - networks.Bits()) / addresses) //nolint:gosec // no secret
		name := fmt.Sprintf("podshare%d", index)
		if _, err := net.InterfaceByName(name); err == nil || hasControlGroups(name) {
			continue // another cluster's
		}
		var network [4]byte
		binary.BigEndian.PutUint32(network[:], binary.BigEndian.Uint32(base[:])+index*addresses)
		gateway := netip.AddrFrom4(network).Next()
		m := &machine{name: name, gateway: gateway, address: gateway.Next()}
		if err := os.WriteFile(c.path(machineName), []byte(name), 0o600); err != nil {
			return nil, err
		}
		return m, makeControlGroups(name)
	}
	return nil, fmt.Errorf("%d names for a machine's network were tried, and all are taken: look at `ip link`", attempts)
}

func (c *Cluster) runMachine() (*Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir := c.path(machineDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	p, err := startProcess(spec{
		name: machineName, dir: c.options.Dir, outlive: c.options.Keep, apart: true,
		args: []string{
			filepath.Join(filepath.Dir(c.options.Assets), machineName), "--dir=" + dir, "--programs=" + filepath.Dir(c.options.Assets),
			"--address=" + c.machine.address.String(), "--gateway=" + c.machine.gateway.String(), "--cgroup=" + c.machine.name,
		},
	})
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return p, err
}

// connect lays a cable: a pair of interfaces, one here and one in the machine, which ends with the machine.
func (m *machine) connect(ctx context.Context, pid int) error {
	for _, arguments := range []string{
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", m.name, pid),
		fmt.Sprintf("address add %s/30 dev %s", m.gateway, m.name),
		fmt.Sprintf("link set %s up", m.name),
	} {
		if err := command.Run(ctx, nil, "ip", strings.Fields(arguments)...); err != nil {
			return err
		}
	}
	return nil
}

// nodeReady takes over the access to the API server as soon as there is one, and says what the node lacks.
func (c *Cluster) nodeReady(ctx context.Context) (err error) {
	if c.access == nil {
		// The last that the machine writes, so it is whole.
		if _, err := os.Stat(c.path(machineDir, ReadyName)); err != nil {
			return errors.New("the control plane is not ready")
		}
		if c.access, err = readAccess(c.path(machineDir, ControlPlaneDir, kubeconfigName)); err != nil {
			return err
		}
		if err := c.access.write(c.Kubeconfig()); err != nil {
			return err
		}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type != corev1.NodeReady {
				continue
			}
			if condition.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0 {
				return nil
			}
			err = fmt.Errorf("it says: %s", condition.Message)
		}
	}
	return errors.Join(err, fmt.Errorf("none of %d nodes is ready", len(nodes.Items)))
}

// Gateway is the address of this computer as the cluster sees it.
func (c *Cluster) Gateway() string {
	if c.machine == nil {
		return loopback
	}
	return c.machine.gateway.String()
}

// RestartAPIServer tells the machine of the cluster in a directory to restart its API server, and does not wait for it.
func RestartAPIServer(dir string) error {
	records, err := readRecords(dir)
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.name == machineName && r.running() {
			return syscall.Kill(r.pid, RestartSignal)
		}
	}
	return fmt.Errorf("in %s there is no cluster with a node that runs", dir)
}

// RestartSignal makes a machine restart its API server.
const RestartSignal = syscall.SIGHUP

// Logs returns the directory that holds the logs of the cluster's processes.
func (c *Cluster) Logs() string {
	if c.machine == nil {
		return c.path(logsName)
	}
	return c.path(machineDir, ControlPlaneDir, logsName)
}

// Import gives the node images: files as `docker save` writes them. It needs a node.
func (c *Cluster) Import(ctx context.Context, files ...string) error {
	return ImportImages(ctx, c.path(machineDir), files...)
}

// ImportImages gives images to the containerd whose socket is in the directory.
func ImportImages(ctx context.Context, dir string, files ...string) error {
	for _, file := range files {
		file, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		// A socket's path may have 107 characters: seen from its directory it is short.
		err = command.RunIn(ctx, dir, nil, "ctr", "--address", ContainerdSocket, "--namespace", "k8s.io", "images", "import", file)
		if err != nil {
			return err
		}
	}
	return nil
}

// removeFootprint removes what a machine leaves outside of the cluster's directory. Its end of the cable would go by itself with the
// other end, but where many pods were, the kernel takes half a minute to forget their networks and then the machine's.
func removeFootprint(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, machineName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name := string(content)
	for deadline := time.Now().Add(goneLimit); ; time.Sleep(pollInterval) {
		err := removeControlGroups(name)
		if _, missing := net.InterfaceByName(name); missing == nil {
			_ = exec.Command("ip", "link", "delete", name).Run() // it may have gone meanwhile
			err = errors.Join(err, fmt.Errorf("the network interface %s is still there", name))
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
