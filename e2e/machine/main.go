//go:build linux

// Machine is the computer of a cluster with a node (e2e/cluster, Options.Node): the first process of namespaces of its own, in
// which it runs the control plane, containerd, kubelet and kube-proxy. When it ends, however it ends, the kernel ends everything
// in them and forgets their mounts, network interfaces and packet filters.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/command"
	"github.com/podshare/podshare/e2e/node"
)

// worker, as the environment's variable of a process, makes it the second of the namespaces.
const worker = "PODSHARE_MACHINE_WORKER"

type options struct{ dir, programs, address, gateway, cgroup string }

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "directory for all that the machine writes")
	flag.StringVar(&o.programs, "programs", "", "directory with the program pause and the directory assets")
	flag.StringVar(&o.address, "address", "", "the machine's IP address")
	flag.StringVar(&o.gateway, "gateway", "", "the IP address at the other end of its network interface")
	flag.StringVar(&o.cgroup, "cgroup", "", "control group for the pods")
	flag.Parse()
	do := first
	if os.Getenv(worker) != "" {
		do = work
	}
	if err := do(o); err != nil {
		fmt.Fprintln(os.Stderr, "machine:", err)
		os.Exit(1)
	}
}

// first is process 1: it prepares the file system, starts the one that does the work, and waits for whatever processes end
// without anybody else who does, such as containerd's.
func first(o options) error {
	if os.Getpid() != 1 {
		return errors.New("this is started by a cluster with a node (make e2e, make demo), as the first process of its namespaces")
	}
	if err := isolate(o); err != nil {
		return fmt.Errorf("preparing the file system: %w", err)
	}
	end, restart := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	signal.Notify(restart, cluster.RestartSignal)
	go func() {
		<-end
		os.Exit(0) // and the kernel ends all others
	}()
	child, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Env: append(os.Environ(), worker+"=1"), Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		return err
	}
	go func() {
		for sent := range restart {
			_ = child.Signal(sent) // it has ended, and so will this process
		}
	}()
	for {
		var status syscall.WaitStatus
		switch pid, err := syscall.Wait4(-1, &status, 0, nil); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case pid == child.Pid:
			return fmt.Errorf("the control plane and the node ended: exit status %d", status.ExitStatus())
		}
	}
}

// work starts the cluster and keeps it until it is killed.
func work(o options) error {
	ctx := context.Background()
	restart := make(chan os.Signal, 1)
	signal.Notify(restart, cluster.RestartSignal)
	if err := setNetwork(ctx, o); err != nil {
		return err
	}
	say := func(format string, arguments ...any) { fmt.Printf(format+"\n", arguments...) }
	c, err := cluster.Start(ctx, cluster.Options{
		Dir: filepath.Join(node.Mount, cluster.ControlPlaneDir), Assets: programs + "/assets", Address: o.address, Progress: say,
	})
	if err != nil {
		return err
	}
	err = node.Start(ctx, c, node.Options{Programs: programs, Address: o.address, CgroupRoot: "/" + o.cgroup})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(node.Mount, cluster.ReadyName), nil, 0o600); err != nil {
		return err
	}
	say("ready")
	failed := make(chan error, 1)
	go func() { failed <- c.Wait() }()
	for {
		select {
		case err := <-failed:
			return err
		case <-restart:
			if err := c.RestartAPIServer(ctx); err != nil {
				return err
			}
			say("the API server is back")
		}
	}
}

// setNetwork waits for the cable that the cluster's owner lays, and takes the addresses.
func setNetwork(ctx context.Context, o options) error {
	const limit = 30 * time.Second
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		_, err := net.InterfaceByName("eth0")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("there is no network interface eth0 after %s: %w", limit, err)
		}
	}
	for _, arguments := range []string{
		"link set lo up",
		"address add " + o.address + "/30 dev eth0",
		"link set eth0 up",
		// What is for a Service leaves by it, until kube-proxy's rules send it to a pod.
		"route add default via " + o.gateway,
	} {
		if err := command.Run(ctx, nil, "ip", strings.Fields(arguments)...); err != nil {
			return err
		}
	}
	return nil
}
