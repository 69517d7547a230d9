package install

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// CertManagerVersion is the one that podshare is tested with.
const CertManagerVersion = "v1.21.2"

const (
	certManagerManifest = "e2e/certmanager/manifest.yaml"
	certManagerLimit    = 3 * time.Minute
)

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

// BuiltCertManager returns the definitions of cert-manager's kinds, and a Deployment of its controllers from the image that
// images.CertManager makes.
func BuiltCertManager(ctx context.Context) ([]*unstructured.Unstructured, error) {
	definitions, err := CertManagerDefinitions(ctx)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(definitions, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, file := range append(files, certManagerManifest) {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := Objects(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// Objects reads a file of YAML documents.
func Objects(content []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(object.Object) > 0:
			objects = append(objects, object)
		}
	}
}

// CertManager applies cert-manager's objects and waits until it works.
func CertManager(ctx context.Context, access *rest.Config, objects []*unstructured.Unstructured) error {
	if err := Apply(ctx, access, objects); err != nil {
		return err
	}
	return awaitDeployments(ctx, access)
}

func awaitDeployments(ctx context.Context, access *rest.Config) error {
	api, err := client.New(access, client.Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, certManagerLimit)
	defer cancel()
	for {
		var deployments appsv1.DeploymentList
		err := api.List(ctx, &deployments, client.InNamespace("cert-manager"))
		for _, d := range deployments.Items {
			if d.Status.AvailableReplicas < *d.Spec.Replicas {
				err = fmt.Errorf("its Deployment %s has %d of %d replicas available", d.Name, d.Status.AvailableReplicas, *d.Spec.Replicas)
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cert-manager is not available after %s: %w", certManagerLimit, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
