package node

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/images"
)

// pauseImage is that of each pod's first process. No registry has it.
const pauseImage = "localhost/pause:e2e"

// importPause gives it to containerd, as soon as that answers.
func importPause(ctx context.Context, program string) error {
	archive := path("pause.tar")
	if err := images.Program(pauseImage, program, archive); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "ctr", "--address", path(cluster.ContainerdSocket), "--namespace", "k8s.io", "images", "import", archive)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("importing %s: %w: %s", archive, err, strings.TrimSpace(string(output)))
	}
	return nil
}
