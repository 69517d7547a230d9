package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/podshare/podshare/pkg/program"
	"github.com/podshare/podshare/pkg/workload"
)

func newExplain(o *options) *cobra.Command {
	var selector string
	var files sources
	command := &cobra.Command{
		Use:   "explain (TYPE NAME... | TYPE/NAME... | -f FILE)",
		Short: "Say what podshare injected and why, what it left alone, or why nothing happened",
		Long: `Say what podshare injected into pods and why, what it left alone, or why nothing happened.

Of a workload (` + strings.Join(workload.Kinds(), ", ") + `) its template is judged as the webhook judges it, and its pods are looked at. It
ends with 1 where something is wrong, and not where a pod only waits for its share.

With -f it explains what is in files, and asks no cluster.`,
		Example: `  kubectl podshare explain pod/price-service-6d4cf56db6-x7k2p
  kubectl podshare explain deployment price-service
  kubectl podshare explain pods -l app=price-service
  helm template web ./chart | kubectl podshare explain -f -`,
		ValidArgsFunction: o.completeObjects,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(files.names) > 0 {
				if err := program.NoArguments(cmd, args); err != nil {
					return err
				}
				return o.explainFiles(cmd.Context(), files)
			}
			if len(args) == 0 {
				return program.UsageError{Mistake: errors.New(`name a pod or a workload, such as "pod/web-1" or "deployment web"`)}
			}
			return o.explain(cmd.Context(), args, selector)
		},
	}
	command.Flags().StringVarP(&selector, "selector", "l", "", "Explain the objects with these labels, such as app=web")
	files.addTo(command)
	return command
}

// explanation is all that is said of one object.
type explanation struct {
	// object is such as "Pod shop/web-1", verdict what became of it.
	object, verdict string
	findings        []finding
	details         page
}

func (e *explanation) print(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "%s: %s\n", e.object, e.verdict); err != nil {
		return err
	}
	return errors.Join(printFindings(out, e.findings), e.details.print(out))
}

// explainer has what all objects that are explained have in common.
type explainer struct {
	*cluster
	settings settings
	gate     gate
}

func (o *options) explain(ctx context.Context, args []string, selector string) error {
	objects, err := o.objects(args, selector)
	if err != nil {
		return err
	}
	cluster, err := o.cluster()
	if err != nil {
		return err
	}
	e := &explainer{cluster, cluster.settings(ctx), cluster.gate(ctx)}
	explanations := make([]*explanation, len(objects))
	for i, object := range objects {
		if explanations[i], err = e.object(ctx, object); err != nil {
			return err
		}
	}
	return o.printExplanations(explanations)
}

// printExplanations prints them all. The error says how many mistakes they tell of.
func (o *options) printExplanations(explanations []*explanation) error {
	var findings []finding
	for i, said := range explanations {
		if i > 0 {
			fmt.Fprintln(o.Out) //nolint:errcheck // what follows says so
		}
		if err := said.print(o.Out); err != nil {
			return err
		}
		findings = append(findings, said.findings...)
	}
	return failed(findings, "mistake")
}

// objects are those that the arguments name, in kubectl's spellings.
func (o *options) objects(args []string, selector string) ([]*unstructured.Unstructured, error) {
	namespace, err := o.namespace()
	if err != nil {
		return nil, err
	}
	infos, err := resource.NewBuilder(o).Unstructured().ContinueOnError().Flatten().
		NamespaceParam(namespace).DefaultNamespace().
		LabelSelectorParam(selector).ResourceTypeOrNameArgs(true, args...).
		Do().Infos()
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 {
		return nil, fmt.Errorf("no %s found in namespace %s", args[0], namespace)
	}
	objects := make([]*unstructured.Unstructured, len(infos))
	for i, info := range infos {
		object, is := info.Object.(*unstructured.Unstructured)
		if !is {
			return nil, fmt.Errorf("%s cannot be read", info.ObjectName())
		}
		objects[i] = object
	}
	return objects, nil
}

// object explains one, by its kind.
func (e *explainer) object(ctx context.Context, object *unstructured.Unstructured) (*explanation, error) {
	if object.GetAPIVersion() == "v1" && object.GetKind() == "Pod" {
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod); err != nil {
			return nil, err
		}
		return e.pod(ctx, &pod).explain(), nil
	}
	if !slices.Contains(workload.Kinds(), object.GetKind()) {
		return nil, program.UsageError{Mistake: fmt.Errorf("%s %s makes no pods that podshare knows of; explain takes Pod, %s",
			object.GetKind(), object.GetName(), strings.Join(workload.Kinds(), ", "))}
	}
	w := readWorkload(object)
	if w == nil {
		return nil, fmt.Errorf("%s %s of %s cannot be read", object.GetKind(), object.GetName(), object.GetAPIVersion())
	}
	return e.workload(ctx, object, w).explain(), nil
}
