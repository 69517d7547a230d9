package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// disturb does to the cluster what the suite asks for.
func disturb(ctx context.Context, how []string) error {
	switch {
	case len(how) == 1 && how[0] == "restart-api-server":
		return restartAPIServer(ctx)
	case len(how) == 2 && how[0] == "stop-node":
		return docker(ctx, "stop", "-t", "1", how[1])
	case len(how) == 2 && how[0] == "start-node":
		return docker(ctx, "start", how[1])
	}
	return fmt.Errorf("%q: use restart-api-server, stop-node NAME or start-node NAME", how)
}

// restartAPIServer stops its container; the kubelet starts another one.
func restartAPIServer(ctx context.Context) error {
	const node = clusterName + "-control-plane"
	id, err := exec.CommandContext(ctx, "docker", "exec", node, "crictl", "ps", "--quiet", "--name", "kube-apiserver").Output()
	if err != nil {
		return fmt.Errorf("finding the API server's container: %w", err)
	}
	return docker(ctx, append([]string{"exec", node, "crictl", "stop"}, strings.Fields(string(id))...)...)
}
