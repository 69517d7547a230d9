// Package node adds a node to a control plane: containerd, kubelet and kube-proxy, with the network of its pods. It is for the
// namespaces that e2e/machine prepares, where the paths below are its own.
package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/images"
)

const (
	// Mount is the machine's directory, in which the node has all its files.
	Mount = "/run/podshare"

	name = "podshare-node"
	// pauseImage is that of each pod's first process. No registry has it.
	pauseImage = "localhost/pause:e2e"
	readyLimit = time.Minute
)

// Options say what the node is made of.
type Options struct {
	// Programs is a directory with the program pause and with assets, which has kubelet and kube-proxy.
	Programs string
	// Address is the node's IP address.
	Address string
	// CgroupRoot is the control group of all pods.
	CgroupRoot string
}

// Start runs the node's programs as processes of the cluster. It returns when they run, which is before the node is ready.
func Start(ctx context.Context, c *cluster.Cluster, o Options) error {
	plugins, err := pluginDirectory()
	if err != nil {
		return err
	}
	if err := writeFiles(values{Options: o, Mount: Mount, Plugins: plugins, Snapshotter: snapshotter(), Pause: pauseImage}); err != nil {
		return err
	}
	if err := openVolumes(); err != nil {
		return err
	}
	pause := path("pause.tar")
	if err := images.Program(pauseImage, filepath.Join(o.Programs, "pause"), pause); err != nil {
		return err
	}
	containerd, err := c.Run("containerd", []string{"/usr/bin/env", "containerd", "--config=" + path("containerd.toml")})
	if err != nil {
		return err
	}
	if err := containerd.Await(ctx, "containerd to have the image of pods' first process", readyLimit, func(ctx context.Context) error {
		return cluster.ImportImages(ctx, Mount, pause)
	}); err != nil {
		return err
	}
	_, err = c.Run("kubelet", []string{
		filepath.Join(o.Programs, "assets", "kubelet"), "--config=" + path("kubelet.yaml"), "--kubeconfig=" + c.Kubeconfig(),
		"--hostname-override=" + name, "--node-ip=" + o.Address,
	})
	if err != nil {
		return err
	}
	_, err = c.Run("kube-proxy", []string{
		filepath.Join(o.Programs, "assets", "kube-proxy"), "--kubeconfig=" + c.Kubeconfig(), "--hostname-override=" + name,
		"--proxy-mode=nftables", "--cluster-cidr=" + podNetwork, "--oom-score-adj=0",
		"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
		// These limits are the whole computer's.
		"--conntrack-max-per-core=0", "--conntrack-min=0",
	})
	return err
}

func path(elements ...string) string { return filepath.Join(append([]string{Mount}, elements...)...) }

// values are what the configuration files are made of.
type values struct {
	Options
	Mount, Plugins, Snapshotter, Pause string
}

// podNetwork has an address for each pod.
const podNetwork = "10.244.0.0/23"

var files = map[string]string{
	// containerd keeps its sockets and mounts in /run/containerd.
	"containerd.toml": `version = 2
root = "{{.Mount}}/containerd"
# It would make a directory in /opt, and look for snapshotters of which there is none.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{{.Mount}}/` + cluster.ContainerdSocket + `"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{{.Pause}}"
  # Without them, no pod starts where the computer lacks a capability or a controller, as some containers and virtual machines do.
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  # It would load a profile into the kernel, which stays.
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{{.Plugins}}"
  conf_dir = "{{.Mount}}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{{.Snapshotter}}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
`,
	// A cable to each pod instead of a bridge for all: what goes through a Service from a pod to another passes kube-proxy's rules
	// both ways, without help from the kernel's bridge.
	"cni/podshare.conflist": `{
  "cniVersion": "0.4.0",
  "name": "podshare",
  "plugins": [{
    "type": "ptp",
    "ipam": {
      "type": "host-local",
      "ranges": [[{"subnet": "` + podNetwork + `"}]],
      "routes": [{"dst": "0.0.0.0/0"}],
      "dataDir": "{{.Mount}}/addresses"
    }
  }]
}
`,
	"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{{.Mount}}/` + cluster.ContainerdSocket + `
cgroupDriver: cgroupfs
cgroupRoot: {{.CgroupRoot}}
failCgroupV1: false
failSwapOn: false
resolvConf: {{.Mount}}/resolv.conf
maxPods: 300
serializeImagePulls: false
# Nobody but this cluster's own pods and its API server can reach it.
authentication:
  anonymous: {enabled: true}
  webhook: {enabled: false}
authorization: {mode: AlwaysAllow}
# The computer's disk is not the node's: that it is nearly full says nothing about the cluster.
evictionHard: {memory.available: 100Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}
imageGCHighThresholdPercent: 100
`,
	// There is no name server: names are looked up in vain at once, instead of after a while.
	"resolv.conf": "",
}

func writeFiles(v values) error {
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o755); err != nil {
			return err
		}
		file, err := os.Create(path(name))
		if err != nil {
			return err
		}
		if err := template.Must(template.New(name).Parse(content)).Execute(file, v); err != nil {
			return fmt.Errorf("writing %s: %w", path(name), err)
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}
