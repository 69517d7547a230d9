//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/install"
	"github.com/podshare/podshare/e2e/retry"
)

// variant is what an API server does with the pods of a namespace.
type variant struct {
	name string
	// annotated says that its pods ask for a share.
	annotated bool
	// changes says that they are changed.
	changes bool
	// objects make it so; none: it does nothing, or those of another one do it.
	objects []*unstructured.Unstructured

	pod       *corev1.Pod
	dry, real []time.Duration
}

// withoutPolicy is podshare without the ValidatingAdmissionPolicy that has the last word on a pod.
const withoutPolicy = "without-policy"

// webhookConfiguration calls a webhook for each pod.
const webhookConfiguration = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: bench-%[1]s}
webhooks:
- name: %[1]s.bench.example.com
  admissionReviewVersions: [v1]
  clientConfig: {url: %[2]q, caBundle: %[3]s}
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
  namespaceSelector: {matchLabels: {bench: %[1]s}}
  sideEffects: None
  timeoutSeconds: 3
`

// native is the API server's own way to change pods: it adds one volume, one mount and one variable.
const native = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: bench-native}
spec:
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  matchConstraints:
    namespaceSelector: {matchLabels: {bench: native}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >-
        Object{spec: Object.spec{
          volumes: [Object.spec.volumes{name: "podshare-rules",
            persistentVolumeClaim: Object.spec.volumes.persistentVolumeClaim{claimName: "podshare-rules", readOnly: true}}],
          containers: object.spec.containers.map(c, Object.spec.containers{name: c.name,
            volumeMounts: [Object.spec.containers.volumeMounts{name: "podshare-rules", mountPath: "/podshare/rules", readOnly: true}],
            env: [Object.spec.containers.env{name: "PODSHARE_RULES_DIR", value: "/podshare/rules"}]})}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: bench-native}
spec: {policyName: bench-native}
`

// apiServer measures the creation of the review's pod through a real API server, with each of the webhooks and without.
func (b *bench) apiServer(ctx context.Context) error {
	if b.pods == 0 {
		return nil
	}
	return b.part(fmt.Sprintf("%d pods of each kind are created through an API server, in turns", b.pods), func() (text string, err error) {
		c, err := cluster.StartNew(ctx, "bench-", cluster.Options{Assets: "bin/assets"})
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, c.Stop()) }()
		access := c.Config()
		access.WarningHandler = rest.NoWarnings{}
		api, err := client.New(access, client.Options{})
		if err != nil {
			return "", err
		}
		variants, err := newVariants(b.webhooks, b.ca)
		if err != nil {
			return "", err
		}
		for _, v := range variants {
			if err := v.prepare(ctx, access, api, b.review); err != nil {
				return "", fmt.Errorf("%s: %w", v.name, err)
			}
		}
		if err := createInTurns(ctx, api, variants, b.pods); err != nil {
			return "", err
		}
		return creations(variants), nil
	})
}

func newVariants(webhooks []*webhook, ca []byte) ([]*variant, error) {
	variants := []*variant{{name: "none", annotated: true}, {name: "plain"}, {name: "native", annotated: true, changes: true}}
	var err error
	if variants[2].objects, err = parse(native); err != nil {
		return nil, err
	}
	bundle := base64.StdEncoding.EncodeToString(ca)
	for _, w := range webhooks {
		text := fmt.Sprintf(webhookConfiguration, w.name, w.url, bundle)
		objects, err := parse(text)
		if w.name == podshareName {
			objects, err = installation(w.port, ca)
		}
		if err != nil {
			return nil, err
		}
		variants = append(variants, &variant{name: w.name, annotated: true, changes: w.name != floorName, objects: objects})
	}
	return append(variants, &variant{name: withoutPolicy, annotated: true, changes: true}), nil
}

// installation is podshare's own way to be called, with its conditions and its policy. In one namespace it has no policy.
func installation(port int, ca []byte) ([]*unstructured.Unstructured, error) {
	all, err := install.Render("manifests/base")
	if err != nil {
		return nil, err
	}
	if err := install.PointWebhooks(all, "127.0.0.1", port, ca); err != nil {
		return nil, err
	}
	in := func(namespaces ...any) map[string]any {
		return map[string]any{"matchExpressions": []any{map[string]any{"key": "bench", "operator": "In", "values": namespaces}}}
	}
	var objects []*unstructured.Unstructured
	for _, o := range all {
		switch o.GetKind() {
		case "MutatingWebhookConfiguration":
			o.Object["webhooks"].([]any)[0].(map[string]any)["namespaceSelector"] = in(podshareName, "plain", withoutPolicy)
		case "ValidatingAdmissionPolicy":
			if err := unstructured.SetNestedMap(o.Object, in(podshareName, "plain"), "spec", "matchConstraints", "namespaceSelector"); err != nil {
				return nil, err
			}
		case "ValidatingAdmissionPolicyBinding":
		default:
			continue
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// parse reads YAML documents.
func parse(text string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(text, "---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// prepare makes the variant's namespace and objects, and waits until they change pods.
func (v *variant) prepare(ctx context.Context, access *rest.Config, api client.Client, review []byte) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bench-" + v.name, Labels: map[string]string{"bench": v.name}}}
	if err := api.Create(ctx, namespace); err != nil {
		return err
	}
	if err := install.Apply(ctx, access, v.objects); err != nil {
		return err
	}
	if err := v.readPod(namespace.Name, review); err != nil {
		return err
	}
	return retry.Within(ctx, startLimit, tick, func(ctx context.Context) error {
		pod := v.pod.DeepCopy()
		if err := api.Create(ctx, pod, client.DryRunAll); err != nil {
			return err
		}
		added := len(pod.Spec.Containers[0].VolumeMounts) - len(v.pod.Spec.Containers[0].VolumeMounts) + len(pod.Annotations) - len(v.pod.Annotations)
		if changed := added > 0; changed != v.changes {
			return fmt.Errorf("the pod is changed: %t", changed)
		}
		return nil
	})
}

// readPod takes the pod out of the review.
func (v *variant) readPod(namespace string, review []byte) error {
	var body struct {
		Request struct {
			Object *corev1.Pod `json:"object"`
		} `json:"request"`
	}
	if err := json.Unmarshal(review, &body); err != nil {
		return err
	}
	v.pod = body.Request.Object
	v.pod.Namespace, v.pod.OwnerReferences, v.pod.ManagedFields = namespace, nil, nil
	v.pod.Spec.AutomountServiceAccountToken = new(false) // it has the token's volume already
	if !v.annotated {
		for key := range v.pod.Annotations {
			if strings.HasPrefix(key, "podshare.dev/") {
				delete(v.pod.Annotations, key)
			}
		}
	}
	return nil
}

// createInTurns creates pods, one of each variant after the other.
func createInTurns(ctx context.Context, api client.Client, variants []*variant, pods int) error {
	const warmUp = 50
	for n := range pods + warmUp {
		for i := range variants {
			v := variants[(i+n)%len(variants)]
			dry, err := create(ctx, api, v.pod, client.DryRunAll)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			stored, err := create(ctx, api, v.pod)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if n >= warmUp {
				v.dry, v.real = append(v.dry, dry), append(v.real, stored)
			}
		}
	}
	return nil
}

func create(ctx context.Context, api client.Client, pod *corev1.Pod, options ...client.CreateOption) (time.Duration, error) {
	pod = pod.DeepCopy()
	begun := time.Now()
	err := api.Create(ctx, pod, options...)
	return time.Since(begun), err
}

// creations has a row for each variant: medians, and how much they are over those of the floor's.
func creations(variants []*variant) string {
	floor := variants[slices.IndexFunc(variants, func(v *variant) bool { return v.name == floorName })]
	names := maps.Clone(labels)
	maps.Copy(names, map[string]string{
		"none": "no webhook", "plain": "podshare, pods without its annotations", "native": "a MutatingAdmissionPolicy",
		withoutPolicy: "podshare without its policy",
	})
	over := func(a, b []time.Duration) string { return milliseconds(quantile(a, 0.5) - quantile(b, 0.5)) }
	t := newTable("creating a pod, median", "dry run", "over the floor", "quartiles", "really", "over the floor", "quartiles")
	for _, v := range variants {
		t.row(names[v.name], milliseconds(quantile(v.dry, 0.5)), over(v.dry, floor.dry), quartiles(v.dry),
			milliseconds(quantile(v.real, 0.5)), over(v.real, floor.real), quartiles(v.real))
	}
	return t.String()
}

func quartiles(values []time.Duration) string {
	return fmt.Sprintf("%.2f to %s", float64(quantile(values, 0.25).Microseconds())/1000, milliseconds(quantile(values, 0.75)))
}
