package plugin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/workload"
)

// completionTimeout bounds what a press of the tab key waits for.
const completionTimeout = 3 * time.Second

// completeShares completes the names of shares that are not in the arguments yet.
func (o *options) completeShares(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	namespace, err := o.namespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	cluster, err := o.cluster()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	shares, err := cluster.shares(ctx, namespace)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, s := range shares {
		if !slices.Contains(args, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeObjects completes the types that explain takes, and the names of theirs, as "TYPE NAME" and as "TYPE/NAME".
func (o *options) completeObjects(cmd *cobra.Command, args []string, written string) ([]string, cobra.ShellCompDirective) {
	kind, _, slash := strings.Cut(written, "/")
	switch {
	case slash:
		names, directive := o.completeNames(cmd, kind)
		for i := range names {
			names[i] = kind + "/" + names[i]
		}
		return names, directive
	case len(args) == 0:
		types := []string{"pod"}
		for _, kind := range workload.Kinds() {
			types = append(types, strings.ToLower(kind))
		}
		return types, cobra.ShellCompDirectiveNoFileComp
	case strings.Contains(args[0], "/"):
		return nil, cobra.ShellCompDirectiveNoFileComp
	default:
		return o.completeNames(cmd, args[0])
	}
}

// completeNames are the names of the objects of a type, in any spelling that kubectl takes.
func (o *options) completeNames(cmd *cobra.Command, kind string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	namespace, err := o.namespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	mapper, err := o.ToRESTMapper()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	known, err := mapper.KindFor(schema.GroupVersionResource{Resource: kind})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	cluster, err := o.cluster()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(known.GroupVersion().WithKind(known.Kind + "List"))
	if err := cluster.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names := make([]string, 0, len(list.Items))
	for _, object := range list.Items {
		names = append(names, object.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
