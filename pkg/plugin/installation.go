package plugin

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/config"
)

// What manifests/base calls the parts of an installation.
const (
	systemNamespace   = "podshare-system"
	webhookName       = "podshare-webhook" // the Deployment's and the Service's
	controllerName    = "podshare-controller"
	configurationName = "podshare" // of both webhook configurations
	policyName        = "podshare-injected"
	certificateName   = "podshare-webhook"     // cert-manager's
	certificateSecret = "podshare-webhook-tls" //nolint:gosec // a name
	configVolume      = "config"
	configKey         = "config.yaml"
)

// settings are the platform's configuration, as far as the user may read it.
type settings struct {
	*config.Config
	// read says that they are the platform's, and not the defaults.
	read bool
	// from says where it is from, such as "the platform's configuration".
	from string
}

// settings reads the ConfigMap that the webhook's Deployment mounts: its name ends in a hash.
func (c *cluster) settings(ctx context.Context) settings {
	read, name, err := c.readSettings(ctx)
	if err != nil {
		return settings{config.Default(), false, fmt.Sprintf("podshare's defaults: the platform's configuration cannot be read (%s)", reason(err))}
	}
	return settings{read, true, fmt.Sprintf("the platform's configuration, ConfigMap %s/%s", systemNamespace, name)}
}

func (c *cluster) readSettings(ctx context.Context) (*config.Config, string, error) {
	var deployment appsv1.Deployment
	if err := c.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: webhookName}, &deployment); err != nil {
		return nil, "", err
	}
	for _, volume := range deployment.Spec.Template.Spec.Volumes {
		if volume.Name != configVolume || volume.ConfigMap == nil {
			continue
		}
		var file corev1.ConfigMap
		if err := c.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: volume.ConfigMap.Name}, &file); err != nil {
			return nil, "", err
		}
		read, err := config.Parse(configKey, []byte(file.Data[configKey]))
		return read, file.Name, err
	}
	return nil, "", fmt.Errorf("no volume %q of a ConfigMap is in Deployment %s/%s", configVolume, systemNamespace, webhookName)
}

// gate is how the API server comes to ask podshare about pods.
type gate struct {
	// configuration of the webhook for pods. Nil: there is none, or err says why it is not known.
	configuration *admissionv1.MutatingWebhookConfiguration
	err           error
}

func (c *cluster) gate(ctx context.Context) gate {
	var configuration admissionv1.MutatingWebhookConfiguration
	found, err := c.read(ctx, client.ObjectKey{Name: configurationName}, &configuration)
	if !found {
		return gate{err: err}
	}
	return gate{configuration: &configuration}
}

// webhook is the one that is asked about pods: the first and, as podshare installs it, the only one. Nil: there is none.
func (g gate) webhook() *admissionv1.MutatingWebhook {
	if g.configuration == nil || len(g.configuration.Webhooks) == 0 {
		return nil
	}
	return &g.configuration.Webhooks[0]
}

// passes reports whether the API server asks about objects with these labels.
func passes(selector *metav1.LabelSelector, set map[string]string) bool {
	if selector == nil {
		return true
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}
