package install

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// CertManagerVersion is the one that podshare is tested with.
const CertManagerVersion = "v1.21.2"

// CertManagerDefinitions is the directory of cert-manager's CustomResourceDefinitions, from its Go module: no release file has to be
// fetched from elsewhere.
func CertManagerDefinitions(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/cert-manager/cert-manager@"+CertManagerVersion)
	command.Dir = os.TempDir() // outside of a module: the answer does not depend on ours, and does not change it
	output, err := command.Output()
	var module struct{ Dir, Error string }
	if parseErr := json.Unmarshal(output, &module); err != nil || parseErr != nil || module.Error != "" {
		return "", fmt.Errorf("downloading cert-manager %s: %w: %s", CertManagerVersion, errors.Join(err, parseErr), module.Error)
	}
	return filepath.Join(module.Dir, "deploy", "crds"), nil
}
