package plugin

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/workload"
)

// maxOwners bounds the walk: a CronJob's pod has two above it, and custom kinds rarely more than one more.
const maxOwners = 5

// ownersOf are what made an object, the nearest first. The error says which could not be read, after those that could.
func (c *cluster) ownersOf(ctx context.Context, object client.Object) ([]*unstructured.Unstructured, error) {
	var owners []*unstructured.Unstructured
	for range maxOwners {
		reference := metav1.GetControllerOf(object)
		if reference == nil {
			break
		}
		owner := &unstructured.Unstructured{}
		owner.SetGroupVersionKind(schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind))
		if err := c.Get(ctx, client.ObjectKey{Namespace: object.GetNamespace(), Name: reference.Name}, owner); err != nil {
			return owners, fmt.Errorf("%s %s: %w", reference.Kind, reference.Name, err)
		}
		if owner.GetUID() != reference.UID {
			break // another one of that name
		}
		owners = append(owners, owner)
		object = owner
	}
	return owners, nil
}

// readWorkload reads the template of an object as the webhook does. Nil: it is of a kind that podshare does not know.
func readWorkload(object *unstructured.Unstructured) *workload.Workload {
	raw, err := object.MarshalJSON()
	if err != nil {
		return nil
	}
	w, err := workload.Parse(raw)
	if err != nil {
		return nil
	}
	return w
}
