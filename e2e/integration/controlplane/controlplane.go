// Package controlplane starts a real etcd and kube-apiserver for integration tests. No controllers of Kubernetes run
// there: a test plays them where it needs one, by writing a claim's phase or a quota's status itself.
package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// assetsVariable names a directory with other programs than those that this repository builds.
const assetsVariable = "KUBEBUILDER_ASSETS"

// Run runs a package's tests with a control plane of their own, and returns what os.Exit wants. setUp is given how a
// cluster administrator reaches it, and prepares what all tests share.
func Run(tests interface{ Run() int }, setUp func(administrator *rest.Config) error, options ...Option) (code int) {
	environment, err := start(options)
	if err == nil {
		defer func() {
			if err := environment.Stop(); err != nil {
				code = Failed(err)
			}
		}()
		err = setUp(environment.Config)
	}
	if err != nil {
		return Failed(err)
	}
	return tests.Run()
}

// Failed says why tests cannot be run, and returns what os.Exit wants.
func Failed(err error) (code int) {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// Option changes how the control plane is started.
type Option func(*envtest.Environment)

// WithServiceAccounts makes the API server give pods the token of their account, as every cluster does: pods then need
// an account that exists.
func WithServiceAccounts(e *envtest.Environment) {
	e.ControlPlane.GetAPIServer().Configure().Disable("disable-admission-plugins")
}

func start(options []Option) (*envtest.Environment, error) {
	assets, err := findAssets()
	if err != nil {
		return nil, err
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory:    assets,
		ControlPlaneStartTimeout: time.Minute, // the machine may be busy compiling
		ControlPlaneStopTimeout:  time.Minute,
	}
	for _, option := range options {
		option(environment)
	}
	if _, err := environment.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a control plane with the programs in %s: %w", assets, err), environment.Stop())
	}
	return environment, nil
}

// findAssets returns the directory of the programs, and checks that they are there: envtest's own message would name
// neither how they are made nor that they can be.
func findAssets() (string, error) {
	dir := os.Getenv(assetsVariable)
	if dir == "" {
		root, err := Root()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, "bin", "assets")
	}
	for _, program := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			return "", fmt.Errorf("no %s in %s: run `go run ./e2e/build` in the repository's root, "+
				"or set %s to a directory that has it (%w)", program, dir, assetsVariable, err)
		}
	}
	return dir, nil
}

// Root is the repository's directory. Tests run in their package's, somewhere below it.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		switch _, err := os.Stat(filepath.Join(dir, "go.mod")); {
		case err == nil:
			return dir, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case dir == filepath.Dir(dir):
			return "", fmt.Errorf("no go.mod in %s or above it: run the tests inside the repository", start)
		}
	}
}
