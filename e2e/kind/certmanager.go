package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podshare/podshare/e2e/install"
)

// pullLimit is how long it may take to learn whether cert-manager's images can be had.
const pullLimit = 2 * time.Minute

// installCertManager applies cert-manager's release. Where its images cannot be pulled, its controllers are built and run
// instead: they are the same ones, without the webhook that checks what users write.
func installCertManager(ctx context.Context, c *cluster, l *loader) error {
	access, err := c.access()
	if err != nil {
		return err
	}
	objects, err := release(ctx)
	if err != nil {
		if err := l.loadCertManager(ctx); err != nil {
			return err
		}
		if objects, err = install.BuiltCertManager(ctx); err != nil {
			return err
		}
	}
	return install.CertManager(ctx, access, objects)
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
	return install.Objects(content)
}
