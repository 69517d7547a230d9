package install

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/cert"
)

// PointWebhook makes the API server call the webhook at an IP address and a port instead of its Service, and trust what ca verifies
// (PEM).
func PointWebhook(objects []*unstructured.Unstructured, address string, port int, ca []byte) error {
	configuration, err := Find(objects, "MutatingWebhookConfiguration", "podshare")
	if err != nil {
		return err
	}
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err != nil {
		return err
	}
	for _, webhook := range webhooks {
		webhook.(map[string]any)["clientConfig"] = map[string]any{
			"url":      "https://" + net.JoinHostPort(address, strconv.Itoa(port)) + "/mutate-pods",
			"caBundle": base64.StdEncoding.EncodeToString(ca),
		}
	}
	return unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks")
}

// WriteServingCertificate makes a certificate for an IP address and writes tls.crt and tls.key to dir, as in a Secret of type
// kubernetes.io/tls. It returns the authority that verifies it (PEM).
func WriteServingCertificate(dir, address string) ([]byte, error) {
	chain, key, err := cert.GenerateSelfSignedCertKey(address, nil, nil)
	if err != nil {
		return nil, err
	}
	certificates, err := cert.ParseCertsPEM(chain)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"tls.crt": chain, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return cert.EncodeCertificates(certificates[len(certificates)-1]) // the serving one is first, its authority last
}

// Arguments returns the arguments with which a Deployment runs its program.
func Arguments(objects []*unstructured.Unstructured, deployment string) ([]string, error) {
	object, err := Find(objects, "Deployment", deployment)
	if err != nil {
		return nil, err
	}
	containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return nil, err
	}
	if len(containers) != 1 {
		return nil, fmt.Errorf("the Deployment %s has %d containers instead of one", deployment, len(containers))
	}
	arguments, _, err := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
	return arguments, err
}

// ConfigFile returns the configuration file that the ConfigMap of the installation holds.
func ConfigFile(objects []*unstructured.Unstructured) ([]byte, error) {
	object, err := Find(objects, "ConfigMap", "podshare-config")
	if err != nil {
		return nil, err
	}
	content, found, err := unstructured.NestedString(object.Object, "data", "config.yaml")
	if err == nil && !found {
		err = fmt.Errorf("the ConfigMap %s has no config.yaml", object.GetName())
	}
	return []byte(content), err
}
