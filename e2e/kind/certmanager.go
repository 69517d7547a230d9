package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/e2e/install"
)

const (
	// certManagerModule runs cert-manager's own controllers, built from its Go module.
	certManagerModule = "e2e/certmanager"
	certManagerLimit  = 3 * time.Minute
	// pullLimit is how long it may take to learn whether cert-manager's images can be had.
	pullLimit = 2 * time.Minute
)

// installCertManager applies cert-manager's release. Where its images cannot be pulled, its controllers are built and run
// instead: they are the same ones, without the webhook that checks what users write.
func installCertManager(ctx context.Context, c *cluster, i *images) error {
	access, err := c.access()
	if err != nil {
		return err
	}
	objects, err := release(ctx)
	if err != nil {
		if objects, err = built(ctx, i); err != nil {
			return err
		}
	}
	if err := install.Apply(ctx, access, objects); err != nil {
		return err
	}
	return awaitDeployments(ctx, access)
}

// release returns the objects of cert-manager's release manifest, or why it cannot be used here.
func release(ctx context.Context) ([]*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	if err := docker(ctx, "pull", "--quiet", "quay.io/jetstack/cert-manager-controller:"+install.CertManagerVersion); err != nil {
		return nil, err
	}
	url := "https://github.com/cert-manager/cert-manager/releases/download/" + install.CertManagerVersion + "/cert-manager.yaml"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	if err != nil {
		return nil, err
	}
	return objectsOf(content)
}

// built returns the definitions of cert-manager's kinds, and a Deployment of its controllers.
func built(ctx context.Context, i *images) ([]*unstructured.Unstructured, error) {
	if err := i.buildCertManager(ctx); err != nil {
		return nil, err
	}
	definitions, err := install.CertManagerDefinitions(ctx)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(definitions, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, file := range append(files, filepath.Join(certManagerModule, "manifest.yaml")) {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := objectsOf(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// objectsOf reads a file of YAML documents.
func objectsOf(content []byte) ([]*unstructured.Unstructured, error) {
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
