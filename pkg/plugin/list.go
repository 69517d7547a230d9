package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/program"
)

const wide = "wide"

// lister are the flags of list.
type lister struct {
	*options
	print         *genericclioptions.PrintFlags
	allNamespaces bool
	noHeaders     bool
}

func newList(o *options) *cobra.Command {
	l := &lister{options: o, print: genericclioptions.NewPrintFlags("")}
	command := &cobra.Command{
		Use:     "list [-A] [-o wide|json|yaml|name]",
		Aliases: []string{"ls", "shares"},
		Short:   "List shares: their claims, how full they are, and who produces and consumes",
		Long: `List shares: their claims, how full they are, and who produces and consumes.

PRODUCERS and CONSUMERS are ready of wanted: of the injected pods that have not ended. LAST-POD is the age of the share's youngest pod, and
"unused" where no pod names it: podshare keeps its data. USED needs permission to get nodes/proxy, and "-" is shown where a node says nothing.`,
		Example: `  kubectl podshare list
  kubectl podshare list -A -o wide
  kubectl podshare list -o json`,
		Args:              program.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context()) },
	}
	l.print.AddFlags(command)
	command.Flags().Lookup("output").Usage = "Output format. One of: (" + strings.Join(l.formats(), ", ") + ")."
	command.Flags().BoolVarP(&l.allNamespaces, "all-namespaces", "A", false, "List the shares of all namespaces")
	command.Flags().BoolVar(&l.noHeaders, "no-headers", false, "Print the table without its headers")
	return command
}

func (l *lister) formats() []string { return append([]string{wide}, l.print.AllowedFormats()...) }

func (l *lister) run(ctx context.Context) error {
	format := *l.print.OutputFormat
	printer, err := l.printer(format)
	if err != nil {
		return err
	}
	namespace, err := l.namespace()
	if err != nil {
		return err
	}
	if l.allNamespaces {
		namespace = ""
	}
	cluster, err := l.cluster()
	if err != nil {
		return err
	}
	shares, err := cluster.shares(ctx, namespace)
	if err != nil {
		return err
	}
	if err := cluster.addUsage(ctx, shares); err != nil && format == wide {
		fmt.Fprintf(l.ErrOut, "USED is not complete: %v\n", err) //nolint:errcheck // a note beside the output
	}
	switch {
	case format != "" && format != wide:
		list, err := asObjects(shares)
		if err != nil {
			return err
		}
		return printer.PrintObj(list, l.Out)
	case len(shares) == 0 && l.allNamespaces:
		_, err = fmt.Fprintln(l.ErrOut, "No shares found.")
	case len(shares) == 0:
		_, err = fmt.Fprintf(l.ErrOut, "No shares found in namespace %s.\n", namespace)
	default:
		err = printer.PrintObj(asTable(shares, time.Now()), l.Out)
	}
	return err
}

// printer is for a table, and for objects in the formats that kubectl has.
func (l *lister) printer(format string) (printers.ResourcePrinter, error) {
	if format == "" || format == wide {
		return printers.NewTablePrinter(printers.PrintOptions{NoHeaders: l.noHeaders, WithNamespace: l.allNamespaces, Wide: format == wide}), nil
	}
	printer, err := l.print.ToPrinter()
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		err = fmt.Errorf("--output %q must be one of %s", format, strings.Join(l.formats(), ", "))
	}
	if err != nil {
		return nil, program.UsageError{Mistake: err}
	}
	return printer, nil
}

// asTable is what people read.
func asTable(shares []*clusterShare, now time.Time) *metav1.Table {
	table := &metav1.Table{}
	for _, column := range []string{"Share", "Claim", "Phase", "Class", "Size", "Used", "Producers", "Consumers", "Age", "Last-Pod"} {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: column, Type: "string"})
	}
	for _, column := range []string{"Volume", "Access", "Inodes"} { // of wide
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: column, Type: "string", Priority: 1})
	}
	for _, s := range shares {
		lastPod := "unused"
		if at := s.lastPod(); !at.IsZero() {
			lastPod = age(at, now)
		}
		cells := []any{s.Name, s.claimName(), s.phase(), dash(s.className()), "-", s.usage.String(),
			s.tally(api.Producer).String(), s.tally(api.Consumer).String(), "-", lastPod, "-", "-", s.usage.inodes()}
		if s.claim != nil {
			cells[4], cells[8] = s.size().String(), age(s.claim.CreationTimestamp.Time, now)
			cells[10], cells[11] = dash(s.claim.Spec.VolumeName), accessModes(s.claim.Spec.AccessModes)
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{Object: &metav1.PartialObjectMetadata{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}, // from which the printer has the namespace
		}}})
	}
	return table
}

func (s *clusterShare) claimName() string { return api.ClaimName(s.Name) }

func (t tally) String() string { return fmt.Sprintf("%d/%d", t.Ready, t.Wanted) }

func (u *usage) inodes() string {
	if u == nil || u.Inodes == 0 {
		return "-"
	}
	return fmt.Sprintf("%d%%", u.InodesUsed*100/u.Inodes)
}

// age is written as kubectl does.
func age(since, now time.Time) string { return duration.HumanDuration(max(0, now.Sub(since))) }

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

var shortModes = map[corev1.PersistentVolumeAccessMode]string{
	corev1.ReadWriteOnce: "RWO", corev1.ReadOnlyMany: "ROX", corev1.ReadWriteMany: "RWX", corev1.ReadWriteOncePod: "RWOP",
}

// accessModes are written as kubectl does.
func accessModes(modes []corev1.PersistentVolumeAccessMode) string {
	short := make([]string, len(modes))
	for i, mode := range modes {
		short[i] = shortModes[mode]
	}
	return strings.Join(short, ",")
}

// shareObject is a share as scripts read it: docs/kubectl.md has its fields. Nothing of it is in the API server.
type shareObject struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name              string       `json:"name"`
		Namespace         string       `json:"namespace"`
		CreationTimestamp *metav1.Time `json:"creationTimestamp,omitempty"`
	} `json:"metadata"`
	Status shareStatus `json:"status"`
}

type shareStatus struct {
	Claim        string                              `json:"claim"`
	Phase        string                              `json:"phase"`
	StorageClass string                              `json:"storageClass,omitempty"`
	Size         string                              `json:"size,omitempty"`
	AccessModes  []corev1.PersistentVolumeAccessMode `json:"accessModes,omitempty"`
	Volume       string                              `json:"volume,omitempty"`
	Used         *usage                              `json:"used,omitempty"`
	Producers    tally                               `json:"producers"`
	Consumers    tally                               `json:"consumers"`
	Unused       bool                                `json:"unused"`
	LastPod      *metav1.Time                        `json:"lastPod,omitempty"`
}

func asObject(s *clusterShare) shareObject {
	o := shareObject{APIVersion: api.Prefix + "v1alpha1", Kind: "Share", Status: shareStatus{
		Claim: s.claimName(), Phase: s.phase(), StorageClass: s.className(), Used: s.usage,
		Producers: s.tally(api.Producer), Consumers: s.tally(api.Consumer), Unused: len(s.pods) == 0,
	}}
	o.Metadata.Name, o.Metadata.Namespace = s.Name, s.Namespace
	if s.claim != nil {
		o.Metadata.CreationTimestamp = &s.claim.CreationTimestamp
		o.Status.Size, o.Status.AccessModes, o.Status.Volume = s.size().String(), s.claim.Spec.AccessModes, s.claim.Spec.VolumeName
	}
	if last := s.lastPod(); !last.IsZero() {
		o.Status.LastPod = &metav1.Time{Time: last}
	}
	return o
}

// asObjects is a List, as kubectl prints several objects.
func asObjects(shares []*clusterShare) (runtime.Object, error) {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("v1")
	list.SetKind("List")
	for _, s := range shares {
		raw, err := json.Marshal(asObject(s))
		var object unstructured.Unstructured
		if err = errors.Join(err, object.UnmarshalJSON(raw)); err != nil {
			return nil, err
		}
		list.Items = append(list.Items, object)
	}
	return list, nil
}
