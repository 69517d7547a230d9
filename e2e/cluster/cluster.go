// Package cluster runs a real Kubernetes control plane on this machine: etcd, kube-apiserver, kube-controller-manager
// and kube-scheduler as child processes, without root, a container runtime or downloads. Without a node pods stay Pending;
// everything up to there is real: admission, controllers, claims that become Bound.
//
// On Linux, root can have a node too, whose pods run: see Options.Node.
//
// All of a cluster is in one directory, so that a later process (Clean) can find and remove what is left of one whose
// owner was killed.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options say where a cluster is and what it is made of.
type Options struct {
	// Dir gets everything of this cluster: data, certificates, logs, pid files, kubeconfig. It must not exist yet or be
	// empty, and Stop removes it.
	Dir string
	// Assets is the directory with the programs etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
	Assets string
	// Address is where the API server listens, 127.0.0.1 without one.
	Address string
	// Node gives the cluster a node: all of it then runs in namespaces of its own, so that nothing is left on this machine
	// when it ends, however it ends. It needs root on Linux, the packages of node.MissingPackages, and beside Assets the programs
	// of e2e/machine and e2e/pause.
	Node bool
	// Keep lets the cluster outlive this process, until Clean is told to remove kept ones too; Stop ends it all the
	// same. It has to be known at the start: without it, on Linux the kernel kills the children of a killed owner.
	Keep bool
	// Progress, when set, is told each step that is done, one line each without a newline.
	Progress func(format string, args ...any)
}

// Cluster is a running control plane. Its methods may be called from several goroutines.
type Cluster struct {
	options Options
	owner   *ownership
	access  *access
	machine *machine // nil without a node
	// provisions says that claims may have got volumes.
	provisions bool

	mu        sync.Mutex
	processes []*Process // in the order of their start
}

// Start runs a control plane and returns when it is ready for use: the API server is, the default ServiceAccount of
// the namespace default exists (no pod is admitted before) and so does a default StorageClass, "standard", that
// provisions ReadWriteMany claims. It is bounded by ctx and by limits of its own. After an error nothing is left.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	if options.Progress == nil {
		options.Progress = func(string, ...any) {}
	}
	var err error
	if options.Dir, err = filepath.Abs(options.Dir); err != nil { // the children may run elsewhere
		return nil, err
	}
	if options.Assets, err = checkAssets(options.Assets); err != nil {
		return nil, err
	}
	options.Address = cmp.Or(options.Address, loopback)
	owner, err := claim(options.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: options, owner: owner}
	start := c.start
	if options.Node {
		start = c.startMachine
	}
	if err := start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Root has a directory for each cluster of this repository that runs, was kept or was killed, seen from the repository's root.
const Root = ".cache/clusters"

// StartNew is Start in a new directory below Root, whose name begins with prefix.
func StartNew(ctx context.Context, prefix string, options Options) (*Cluster, error) {
	if err := os.MkdirAll(Root, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(Root, prefix)
	if err != nil {
		return nil, err
	}
	options.Dir = dir
	c, err := Start(ctx, options)
	if err != nil {
		_ = os.Remove(dir) // what is still empty; else it is gone, or stays for Clean
	}
	return c, err
}

// startAttempts is how often a control plane is tried: a port that was free when it was chosen may be taken by another
// program before ours listens on it.
const startAttempts = 3

func (c *Cluster) start(ctx context.Context) error {
	begun := time.Now()
	for attempt := 1; ; attempt++ {
		err := c.startControlPlane(ctx)
		if err == nil {
			break
		}
		if attempt == startAttempts || ctx.Err() != nil || !errors.Is(err, errPortTaken) {
			return err
		}
		c.options.Progress("another program took a port of this cluster; starting again on others")
		if err := errors.Join(stopAll(c.records(), c.removeVolumes), os.RemoveAll(c.path(etcdName))); err != nil {
			return err
		}
	}
	c.options.Progress("control plane ready in %s", time.Since(begun).Round(100*time.Millisecond))
	return c.markKept()
}

func (c *Cluster) markKept() error {
	if !c.options.Keep {
		return nil
	}
	return c.owner.markKept()
}

// Config returns a new client configuration for the cluster's administrator, without a client-side rate limit.
func (c *Cluster) Config() *rest.Config { return c.access.restConfig() }

// Kubeconfig returns the path of the administrator's kubeconfig file.
func (c *Cluster) Kubeconfig() string { return c.path(kubeconfigName) }

// Run starts a further program as part of the cluster, with a log file of its own, and returns without waiting for it
// to be ready: see Process.Await. It is stopped with the cluster, before those that were started earlier.
//
// args[0] is the program's path. env, as KEY=value, is added to this process's environment, in which KUBECONFIG is
// empty and HOME is inside of the cluster's directory: the program never finds the user's own clusters.
func (c *Cluster) Run(name string, args []string, env ...string) (*Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.processes, func(p *Process) bool { return p.name == name && !p.exited() }) {
		return nil, fmt.Errorf("a process named %q is running in this cluster: stop it first, or choose another name", name)
	}
	p, err := startProcess(spec{
		name: name, args: args, env: env, dir: c.options.Dir, order: len(c.processes), outlive: c.options.Keep,
	})
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	return p, nil
}

// RestartAPIServer kills the API server, as a crash would, starts it again on its port, and returns when it is ready. In a cluster
// with a node the machine does that: see the function of that name.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	p, err := c.restart(apiServerName)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	return p.Await(ctx, "the API server to be back", readyLimit, ready(client))
}

// Etcd is the process that has the cluster's data. A cluster with a node has it elsewhere: nil.
func (c *Cluster) Etcd() *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.index(etcdName); i >= 0 {
		return c.processes[i]
	}
	return nil
}

// index is the place of a process; -1: there is none.
func (c *Cluster) index(name string) int {
	return slices.IndexFunc(c.processes, func(p *Process) bool { return p.name == name })
}

// restart kills a process and puts a new one of the same program in its place. Told to end, an API server would first wait for a
// quarter of a minute for those who watch.
func (c *Cluster) restart(name string) (*Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.index(name)
	if i < 0 {
		return nil, fmt.Errorf("this cluster has no process %q", name)
	}
	if err := errors.Join(c.processes[i].Signal(syscall.SIGKILL), c.processes[i].Stop()); err != nil {
		return nil, err
	}
	p, err := startProcess(c.processes[i].spec)
	if err != nil {
		return nil, err
	}
	c.processes[i] = p
	return p, nil
}

// Wait returns when a process of the cluster ends that should not, with an error that describes it.
func (c *Cluster) Wait() error {
	for {
		p := c.awaitEnd()
		c.mu.Lock() // a restart is over then
		needed := slices.Contains(c.processes, p)
		c.mu.Unlock()
		if needed {
			return p.exitError("it was needed")
		}
	}
}

// awaitEnd returns the first process that ends.
func (c *Cluster) awaitEnd() *Process {
	c.mu.Lock()
	processes := slices.Clone(c.processes)
	c.mu.Unlock()
	ended := make(chan *Process, len(processes))
	for _, p := range processes {
		go func() {
			<-p.done
			ended <- p
		}()
	}
	return <-ended
}

// Stop ends every process in the reverse order of their start, deletes the directories that the cluster's volumes had
// outside of Dir, and removes Dir. It waits for each process for a bounded time and then kills it.
func (c *Cluster) Stop() error {
	return remove(c.options.Dir, c.owner, c.records(), c.removeVolumes)
}

func (c *Cluster) records() []record {
	c.mu.Lock()
	defer c.mu.Unlock()
	records := make([]record, 0, len(c.processes))
	for _, p := range c.processes {
		records = append(records, p.record)
	}
	return records
}

func (c *Cluster) removeVolumes() error {
	if !c.provisions {
		return nil // the start failed before there could be any, and the API server may not answer
	}
	return removeVolumes(c.Config())
}

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.options.Dir}, elements...)...)
}

func (c *Cluster) client() (*kubernetes.Clientset, error) { return kubernetes.NewForConfig(c.Config()) }

// checkAssets returns the directory's absolute path.
func checkAssets(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, name := range []string{etcdName, apiServerName, controllerManagerName, schedulerName} {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("assets directory %s has no %s: run `go run ./e2e/build` in the repository's root", dir, name)
		} else if err != nil {
			return "", err
		}
	}
	return dir, nil
}
