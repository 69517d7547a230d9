//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
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
	// objects make it so; none: it does nothing.
	objects []*unstructured.Unstructured

	pod       *corev1.Pod
	dry, real []time.Duration
}

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

// throughAPIServer measures the creation of the review's pod through a real API server, with each of the webhooks and without.
func throughAPIServer(ctx context.Context, o options, contestants []*contestant, ca, review []byte) (text string, err error) {
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
	variants, err := newVariants(contestants, ca)
	if err != nil {
		return "", err
	}
	for _, v := range variants {
		if err := v.prepare(ctx, access, api, review); err != nil {
			return "", fmt.Errorf("%s: %w", v.name, err)
		}
	}
	if err := createInTurns(ctx, api, variants, o.pods); err != nil {
		return "", err
	}
	return creations(variants), nil
}

func newVariants(contestants []*contestant, ca []byte) ([]*variant, error) {
	variants := []*variant{{name: "none", annotated: true}, {name: "plain"}}
	bundle := base64.StdEncoding.EncodeToString(ca)
	for _, c := range contestants {
		text := fmt.Sprintf(webhookConfiguration, c.name, c.url, bundle)
		objects, err := parse(text)
		if c.name == "podshare" {
			objects, err = installation(c.port, ca, c.name, "plain")
		}
		if err != nil {
			return nil, err
		}
		variants = append(variants, &variant{name: c.name, annotated: true, objects: objects})
	}
	objects, err := parse(native)
	return append(variants, &variant{name: "native", annotated: true, objects: objects}), err
}

// installation is podshare's own way to be called, with its conditions and its policy, for the pods of some namespaces.
func installation(port int, ca []byte, namespaces ...string) ([]*unstructured.Unstructured, error) {
	all, err := install.Render("manifests/base")
	if err != nil {
		return nil, err
	}
	if err := install.PointWebhooks(all, "127.0.0.1", port, ca); err != nil {
		return nil, err
	}
	selector := map[string]any{"matchExpressions": []any{map[string]any{"key": "bench", "operator": "In", "values": anys(namespaces)}}}
	var objects []*unstructured.Unstructured
	for _, o := range all {
		switch o.GetKind() {
		case "MutatingWebhookConfiguration":
			o.Object["webhooks"].([]any)[0].(map[string]any)["namespaceSelector"] = selector
		case "ValidatingAdmissionPolicy":
			if err := unstructured.SetNestedMap(o.Object, selector, "spec", "matchConstraints", "namespaceSelector"); err != nil {
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

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
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
		changed := len(pod.Spec.Containers[0].VolumeMounts) > len(v.pod.Spec.Containers[0].VolumeMounts)
		if wanted := len(v.objects) > 0 && v.name != floorName; changed != wanted {
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
	labels := map[string]string{
		"none": "no webhook", "plain": "podshare, pods without its annotations", "native": "a MutatingAdmissionPolicy",
		floorName: "the floor", defaulterName: "the typed defaulter",
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "creating a pod, median\tdry run\tover the floor\treally\tover the floor")
	for _, v := range variants {
		label := v.name
		if l, ok := labels[v.name]; ok {
			label = l
		}
		dry, stored := median(v.dry), median(v.real)
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", label, milliseconds(dry), milliseconds(dry-median(floor.dry)),
			milliseconds(stored), milliseconds(stored-median(floor.real)))
	}
	_ = w.Flush()
	return text.String()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}
