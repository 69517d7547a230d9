package plugin

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// registration is one webhook of podshare's, as the API server knows it.
type registration struct {
	// object is such as "MutatingWebhookConfiguration podshare".
	object string
	config admissionv1.WebhookClientConfig
	policy *admissionv1.FailurePolicyType
}

// registrations are podshare's, and what is wrong where one is missing.
func (d *doctor) registrations(ctx context.Context) (list []registration, findings []finding) {
	const mutating, validating = "MutatingWebhookConfiguration " + configurationName, "ValidatingWebhookConfiguration " + configurationName
	switch w := d.gate.webhook(); {
	case d.gate.err != nil:
		findings = append(findings, hidden(mutating, d.gate.err)...)
	case w == nil:
		findings = append(findings, broken("%s does not exist: annotated pods are refused, or start without their shares", mutating).mend("%s", reapply))
	default:
		list = append(list, registration{mutating, w.ClientConfig, w.FailurePolicy})
	}
	var configuration admissionv1.ValidatingWebhookConfiguration
	switch found, err := d.read(ctx, client.ObjectKey{Name: configurationName}, &configuration); {
	case err != nil:
		findings = append(findings, hidden(validating, err)...)
	case !found || len(configuration.Webhooks) == 0:
		findings = append(findings, warn("%s does not exist: mistakes in workloads are told only when their pods are made", validating).mend("%s", reapply))
	default:
		list = append(list, registration{validating, configuration.Webhooks[0].ClientConfig, nil})
	}
	return list, findings
}

func (d *doctor) checkWebhooks(ctx context.Context) []finding {
	findings := slices.Clone(d.missing)
	for _, r := range d.registered {
		findings = append(findings, judgeRegistration(r))
	}
	if len(d.registered) > 0 && d.registered[0].config.Service != nil {
		findings = append(findings, d.checkService(ctx)...)
	}
	return findings
}

func judgeRegistration(r registration) finding {
	switch {
	case len(r.config.CABundle) == 0:
		return broken("%s has no caBundle: the API server trusts nobody's answer", r.object).
			mend("with cert-manager: kubectl -n cert-manager logs deployment/cert-manager-cainjector; else write the authority's certificate into it")
	case r.policy != nil && *r.policy != admissionv1.Fail:
		return warn("the failurePolicy of %s is %s: while the webhook does not answer, annotated pods are left to the policy %s",
			r.object, *r.policy, policyName).mend("%s", reapply)
	default:
		return ok("%s is there, with a caBundle", r.object)
	}
}

// checkService looks for somebody behind what the API server asks.
func (d *doctor) checkService(ctx context.Context) []finding {
	what := fmt.Sprintf("Service %s/%s", systemNamespace, webhookName)
	switch found, err := d.read(ctx, client.ObjectKey{Namespace: systemNamespace, Name: webhookName}, &corev1.Service{}); {
	case err != nil:
		return hidden(what, err)
	case !found:
		return []finding{broken("%s does not exist: the API server asks nobody", what).mend("%s", reapply)}
	}
	var endpoints discoveryv1.EndpointSliceList
	ofService := client.MatchingLabels{discoveryv1.LabelServiceName: webhookName}
	if err := d.List(ctx, &endpoints, client.InNamespace(systemNamespace), ofService); err != nil {
		return hidden("the endpoints of "+what, err)
	}
	ready := 0
	for _, slice := range endpoints.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				ready++
			}
		}
	}
	if ready == 0 {
		return []finding{broken("%s has no endpoints: none of the webhook's pods is ready", what).
			mend("kubectl -n %s describe pods -l app.kubernetes.io/component=webhook", systemNamespace)}
	}
	return []finding{ok("%s has %d endpoints", what, ready)}
}

// few is how many days before its end a certificate should have been renewed: cert-manager does it 30 days before.
const few = 14

func (d *doctor) checkCertificate(ctx context.Context) []finding {
	var secret corev1.Secret
	found, err := d.read(ctx, client.ObjectKey{Namespace: systemNamespace, Name: certificateSecret}, &secret)
	if found {
		return d.judgeSecret(&secret, d.registered)
	}
	if end, said := d.expiryByCertManager(ctx); said {
		return []finding{d.judgeExpiry(end)}
	}
	if end, said := d.expiryByMetrics(ctx); said {
		return []finding{d.judgeExpiry(end)}
	}
	if err != nil {
		return hidden("how long the webhook's certificate is valid", err)
	}
	return []finding{warn("how long the webhook's certificate is valid cannot be seen: there is no Secret %s/%s, no Certificate and no metric",
		systemNamespace, certificateSecret)}
}

// judgeSecret looks at the certificate that the webhook serves, and at who is to trust it.
func (d *doctor) judgeSecret(secret *corev1.Secret, list []registration) []finding {
	chain, err := cert.ParseCertsPEM(secret.Data[corev1.TLSCertKey])
	if err != nil {
		return []finding{broken("Secret %s/%s has no certificate in %s: %v", secret.Namespace, secret.Name, corev1.TLSCertKey, err).
			mend("with cert-manager: kubectl -n %s describe certificate %s", systemNamespace, certificateName)}
	}
	findings := []finding{d.judgeExpiry(chain[0].NotAfter)}
	for _, r := range list {
		findings = append(findings, d.judgeTrust(r, chain))
	}
	return findings
}

func (d *doctor) judgeExpiry(end time.Time) finding {
	days := int(end.Sub(d.now).Hours() / 24)
	renew := fmt.Sprintf("with cert-manager: kubectl -n %s describe certificate %s; else put a new one into Secret %s",
		systemNamespace, certificateName, certificateSecret)
	switch {
	case !end.After(d.now):
		return broken("the webhook's certificate ended on %s", end.UTC().Format(time.DateOnly)).mend("%s", renew)
	case days < few:
		return warn("the webhook's certificate ends in %d days, and has not been renewed", days).mend("%s", renew)
	default:
		return ok("the webhook's certificate is valid for %d more days", days)
	}
}

// judgeTrust verifies as the API server does.
func (d *doctor) judgeTrust(r registration, chain []*x509.Certificate) finding {
	name := servingName
	if r.config.URL != nil {
		if parsed, err := url.Parse(*r.config.URL); err == nil {
			name = parsed.Hostname()
		}
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(r.config.CABundle)
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: intermediates, CurrentTime: d.now})
	if err != nil {
		return broken("the caBundle of %s does not verify the certificate in Secret %s/%s: %v", r.object, systemNamespace, certificateSecret, err).
			mend("%s", meaning("x509: certificate signed by unknown authority"))
	}
	return ok("the caBundle of %s verifies the webhook's certificate", r.object)
}

// expiryByCertManager is for those who may not read Secrets.
func (d *doctor) expiryByCertManager(ctx context.Context) (end time.Time, said bool) {
	certificate := &unstructured.Unstructured{}
	certificate.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"})
	err := d.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: certificateName}, certificate)
	if err != nil { // also where the cluster has no such kind
		return time.Time{}, false
	}
	written, _, _ := unstructured.NestedString(certificate.Object, "status", "notAfter")
	end, err = time.Parse(time.RFC3339, written)
	return end, err == nil
}

// expiryMetric is the webhook's own.
const expiryMetric = "podshare_webhook_certificate_expiry_timestamp_seconds "

// expiryByMetrics asks a pod of the webhook, through the API server.
func (d *doctor) expiryByMetrics(ctx context.Context) (end time.Time, said bool) {
	var pods corev1.PodList
	err := d.List(ctx, &pods, client.InNamespace(systemNamespace), client.MatchingLabels{"app.kubernetes.io/component": "webhook"})
	typed, problem := d.typed()
	if err != nil || problem != nil {
		return time.Time{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, nodeTimeout)
	defer cancel()
	for i := range pods.Items {
		if !isReady(&pods.Items[i]) {
			continue
		}
		raw, err := typed.CoreV1().Pods(systemNamespace).ProxyGet("http", pods.Items[i].Name, "8080", "/metrics", nil).DoRaw(ctx)
		if err != nil {
			return time.Time{}, false
		}
		for line := range strings.Lines(string(raw)) {
			if value, is := strings.CutPrefix(line, expiryMetric); is {
				seconds, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				return time.Unix(int64(seconds), 0), err == nil
			}
		}
	}
	return time.Time{}, false
}
