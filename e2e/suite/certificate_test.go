package suite_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// servingSecret has the certificate that the webhook serves.
const servingSecret = "podshare-webhook-tls"

// TestNoPodIsLostWhileTheAuthorityIsRotated disturbs podshare itself, so it does not run beside another test.
func TestNoPodIsLostWhileTheAuthorityIsRotated(t *testing.T) {
	createWhile(t, newNamespace(t), 300, func(ctx context.Context) error {
		// The authority first, and then what it signs.
		return errors.Join(renew(ctx, "podshare-ca", "podshare-ca"), renew(ctx, "podshare-webhook", servingSecret))
	})
	authority, err := secret(t.Context(), "podshare-ca")
	require.NoError(t, err)
	require.NoError(t, within(t.Context(), limit, func(ctx context.Context) error {
		var configuration admissionregistrationv1.MutatingWebhookConfiguration
		if err := api.Get(ctx, client.ObjectKey{Name: "podshare"}, &configuration); err != nil {
			return err
		}
		// cert-manager keeps former authorities in the bundle, too, while they are valid.
		if !bytes.Contains(configuration.Webhooks[0].ClientConfig.CABundle, bytes.TrimSpace(authority.Data[corev1.TLSCertKey])) {
			return errors.New("the API server does not trust the new authority")
		}
		return nil
	}))
	createWhile(t, newNamespace(t), 100, restartWebhook) // with what it finds now
}

// renew has cert-manager issue a certificate anew, as `cmctl renew` does, and waits until it is in its Secret.
func renew(ctx context.Context, certificate, name string) error {
	before, err := secret(ctx, name)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("cert-manager.io/v1")
	object.SetKind("Certificate")
	err = within(ctx, limit, func(ctx context.Context) error { // cert-manager may write to it at the same time
		if err := api.Get(ctx, client.ObjectKey{Namespace: system, Name: certificate}, object); err != nil {
			return err
		}
		conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
		if err != nil {
			return err
		}
		conditions = append(conditions, map[string]any{
			"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewed by a test",
			"lastTransitionTime": metav1.Now().UTC().Format(time.RFC3339),
		})
		if err := unstructured.SetNestedSlice(object.Object, conditions, "status", "conditions"); err != nil {
			return err
		}
		return api.Status().Update(ctx, object)
	})
	if err != nil {
		return err
	}
	return awaitOther(ctx, before)
}

// awaitOther waits until a Secret has another certificate than before.
func awaitOther(ctx context.Context, before *corev1.Secret) error {
	return within(ctx, limit, func(ctx context.Context) error {
		now, err := secret(ctx, before.Name)
		if err == nil && bytes.Equal(now.Data[corev1.TLSCertKey], before.Data[corev1.TLSCertKey]) {
			err = errors.New("the certificate in Secret " + before.Name + " is still the old one")
		}
		return err
	})
}

func secret(ctx context.Context, name string) (*corev1.Secret, error) {
	s := &corev1.Secret{}
	return s, api.Get(ctx, client.ObjectKey{Namespace: system, Name: name}, s)
}
