// Package install applies a kustomization to a cluster, as `kubectl apply -k` does, without kubectl.
package install

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Render returns the objects of the kustomization in a directory, in the order in which they can be applied: what
// others need (namespaces, then definitions of kinds, then accounts) first, webhook configurations last.
func Render(dir string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", dir, err)
	}
	objects := make([]*unstructured.Unstructured, 0, resources.Size())
	for _, resource := range resources.Resources() {
		object := &unstructured.Unstructured{}
		content, err := resource.MarshalJSON() // its map has ints, which an Unstructured may not have
		if err == nil {
			err = object.UnmarshalJSON(content)
		}
		if err != nil {
			return nil, fmt.Errorf("rendering %s: %s: %w", dir, resource.CurId(), err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// Apply makes the cluster have the objects as they are here, in their order, by server-side apply.
func Apply(ctx context.Context, config *rest.Config, objects []*unstructured.Unstructured) error {
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	for _, object := range objects {
		err := cluster.Apply(ctx, client.ApplyConfigurationFromUnstructured(object),
			client.FieldOwner("podshare-e2e"), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), client.ObjectKeyFromObject(object), err)
		}
	}
	return nil
}

// Find returns the first object of a kind whose name begins with prefix: generated names end in a hash.
func Find(objects []*unstructured.Unstructured, kind, prefix string) (*unstructured.Unstructured, error) {
	for _, object := range objects {
		if object.GetKind() == kind && strings.HasPrefix(object.GetName(), prefix) {
			return object, nil
		}
	}
	return nil, fmt.Errorf("there is no %s %q among the %d objects", kind, prefix, len(objects))
}
