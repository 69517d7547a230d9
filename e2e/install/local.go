package install

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/cert"
)

// WebhookKinds are the kinds of object by which the API server knows whom to ask.
var WebhookKinds = []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}

// PointWebhooks makes the API server call the webhooks at an IP address and a port instead of their Service, and trust what ca
// verifies (PEM).
func PointWebhooks(objects []*unstructured.Unstructured, address string, port int, ca []byte) error {
	for _, kind := range WebhookKinds {
		configuration, err := Find(objects, kind, "podshare")
		if err != nil {
			return err
		}
		webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
		if err != nil {
			return err
		}
		for _, webhook := range webhooks {
			path, err := webhookPath(webhook.(map[string]any))
			if err != nil {
				return err
			}
			webhook.(map[string]any)["clientConfig"] = map[string]any{
				"url":      "https://" + net.JoinHostPort(address, strconv.Itoa(port)) + path,
				"caBundle": base64.StdEncoding.EncodeToString(ca),
			}
		}
		if err := unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks"); err != nil {
			return err
		}
	}
	return nil
}

// webhookPath is where a webhook is served, by its Service or its URL.
func webhookPath(webhook map[string]any) (string, error) {
	if path, found, _ := unstructured.NestedString(webhook, "clientConfig", "service", "path"); found {
		return path, nil
	}
	written, _, _ := unstructured.NestedString(webhook, "clientConfig", "url")
	parsed, err := url.Parse(written)
	if err != nil || parsed.Path == "" {
		return "", fmt.Errorf("the webhook %s has neither a Service nor a URL with a path", webhook["name"])
	}
	return parsed.Path, nil
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

// configName is that of the ConfigMap, to which a hash is added.
const configName = "podshare-config"

// ConfigFile returns the configuration file that the ConfigMap of the installation holds.
func ConfigFile(objects []*unstructured.Unstructured) ([]byte, error) {
	object, err := Find(objects, "ConfigMap", configName)
	if err != nil {
		return nil, err
	}
	content, found, err := unstructured.NestedString(object.Object, "data", "config.yaml")
	if err == nil && !found {
		err = fmt.Errorf("the ConfigMap %s has no config.yaml", object.GetName())
	}
	return []byte(content), err
}

// ChangeConfig puts a text in the place of another in the configuration file of the installation.
func ChangeConfig(objects []*unstructured.Unstructured, old, by string) error {
	object, err := Find(objects, "ConfigMap", configName)
	if err != nil {
		return err
	}
	content, err := ConfigFile(objects)
	if err != nil {
		return err
	}
	changed, err := replace("the ConfigMap "+object.GetName(), string(content), old, by)
	if err != nil {
		return err
	}
	return unstructured.SetNestedField(object.Object, changed, "data", "config.yaml")
}
