package plugin

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/program"
)

func newDescribe(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "describe SHARE...",
		Short: "Show shares in depth: claim, volume, pods and Events",
		Long: `Show shares in depth: claim, volume and its mount options, class, who may produce, the pods with what their agents say, the Events of
the claim, and the warnings of the pods.`,
		Example: `  kubectl podshare describe rules
  kubectl podshare describe rules models -n shop`,
		ValidArgsFunction: o.completeShares,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return program.UsageError{Mistake: errors.New("name a share, such as \"rules\"; kubectl podshare list shows them")}
			}
			return o.describe(cmd.Context(), args)
		},
	}
}

func (o *options) describe(ctx context.Context, names []string) error {
	namespace, err := o.namespace()
	if err != nil {
		return err
	}
	cluster, err := o.cluster()
	if err != nil {
		return err
	}
	all, err := cluster.shares(ctx, namespace)
	if err != nil {
		return err
	}
	settings := cluster.settings(ctx)
	var problems []error
	for i, name := range names {
		name = path.Base(name) // also as list -o name writes it
		n := slices.IndexFunc(all, func(s *clusterShare) bool { return s.Name == name })
		if n < 0 {
			problems = append(problems, fmt.Errorf("no share %q in namespace %s%s", name, namespace, others(all)))
			continue
		}
		if i > 0 {
			fmt.Fprintln(o.Out) //nolint:errcheck // what follows says so
		}
		d := cluster.look(ctx, all[n], settings)
		problems = append(problems, d.page(time.Now()).print(o.Out))
	}
	return errors.Join(problems...)
}

// others names the shares that there are.
func others(shares []*clusterShare) string {
	if len(shares) == 0 {
		return "; it has none"
	}
	names := make([]string, 0, len(shares))
	for _, s := range shares {
		names = append(names, s.Name)
	}
	return "; it has " + strings.Join(names, ", ")
}

// description is all that describe shows of a share.
type description struct {
	*clusterShare
	settings settings
	// class and volume are nil where there is none, or it could not be read.
	class  *storagev1.StorageClass
	volume *corev1.PersistentVolume
	// events are the claim's, and the warnings of the pods; the oldest first.
	events  []corev1.Event
	notRead notes
}

// look reads what belongs to a share. What the user may not read is missing, and said so.
func (c *cluster) look(ctx context.Context, s *clusterShare, settings settings) *description {
	d := &description{clusterShare: s, settings: settings}
	d.notRead.add("how full the volume is", c.addUsage(ctx, []*clusterShare{s}))
	if name := s.className(); name != "" {
		var class storagev1.StorageClass
		found, err := c.read(ctx, client.ObjectKey{Name: name}, &class)
		d.notRead.add("StorageClass "+name, err)
		if found {
			d.class = &class
		}
	}
	if s.claim != nil && s.claim.Spec.VolumeName != "" {
		var volume corev1.PersistentVolume
		found, err := c.read(ctx, client.ObjectKey{Name: s.claim.Spec.VolumeName}, &volume)
		d.notRead.add("PersistentVolume "+s.claim.Spec.VolumeName, err)
		if found {
			d.volume = &volume
		}
	}
	concerned := map[types.UID]bool{}
	if s.claim != nil {
		concerned[s.claim.UID] = true
	}
	for _, p := range s.pods {
		concerned[p.UID] = true
	}
	events, err := c.eventsAbout(ctx, s.Namespace, concerned)
	d.notRead.add("Events", err)
	d.events = slices.DeleteFunc(events, func(e corev1.Event) bool { // what is ordinary, such as that an image was pulled
		return e.Type == corev1.EventTypeNormal && e.InvolvedObject.Kind == "Pod" && source(&e) != controllerName
	})
	return d
}

// page has the look of kubectl describe.
func (d *description) page(now time.Time) *page {
	p := &page{}
	p.field("Name", "%s", d.Name)
	p.field("Namespace", "%s", d.Namespace)
	d.showClaim(p)
	d.showUsage(p)
	d.showVolume(p)
	p.field("May Produce", "%s", d.mayProduce())
	d.notRead.show(p)
	for _, f := range d.findings() {
		p.field("Warning", "%s", f.Message)
	}
	d.showPods(p, now)
	d.showEvents(p, now)
	return p
}

func (d *description) showClaim(p *page) {
	if d.claim == nil {
		p.field("Claim", "%s <missing>", d.claimName())
		return
	}
	maker := "made by somebody else"
	if d.claim.Labels[api.ManagedByLabel] == api.ManagedBy {
		maker = "made by podshare"
	}
	p.field("Claim", "%s (%s)", d.claimName(), maker)
	p.field("Created", "%s", d.claim.CreationTimestamp.Format(time.RFC1123Z))
	p.field("Phase", "%s", d.phase())
	class := none(d.className())
	if d.class != nil {
		grows := "cannot grow"
		if d.class.AllowVolumeExpansion != nil && *d.class.AllowVolumeExpansion {
			grows = "can grow"
		}
		class = fmt.Sprintf("%s (%s; its claims %s)", d.class.Name, d.class.Provisioner, grows)
	}
	p.field("StorageClass", "%s", class)
	p.field("Access Modes", "%s", accessModes(d.claim.Spec.AccessModes))
	capacity := "<none>"
	if has, there := d.claim.Status.Capacity[corev1.ResourceStorage]; there {
		capacity = has.String()
	}
	p.field("Capacity", "%s (requested %s)", capacity, d.claim.Spec.Resources.Requests.Storage())
}

func (d *description) showUsage(p *page) {
	u := d.usage
	if u == nil {
		p.field("Used", "<unknown>: no node reports it")
		return
	}
	p.field("Used", "%s of %s (%d%%), says node %s", shortBytes(u.UsedBytes), shortBytes(u.CapacityBytes), u.UsedBytes*100/u.CapacityBytes, u.Node)
	if u.Inodes > 0 {
		p.field("Inodes Used", "%d of %d (%s)", u.InodesUsed, u.Inodes, u.inodes())
	}
}

func (d *description) showVolume(p *page) {
	if d.volume == nil {
		return
	}
	p.field("Volume", "%s", d.volume.Name)
	p.field("  Source", "%s", volumeSource(d.volume))
	p.field("  Reclaim Policy", "%s", d.volume.Spec.PersistentVolumeReclaimPolicy)
	p.field("  Mount Options", "%s", none(strings.Join(d.volume.Spec.MountOptions, ", ")))
}

// findings are what makes a share other than its users expect.
func (d *description) findings() []finding {
	var findings []finding
	if d.volume != nil {
		findings = lateOf(d.volume, "PersistentVolume "+d.volume.Name)
	}
	if u, size := d.usage, d.size(); u != nil && size != nil && u.CapacityBytes > 2*size.Value() {
		findings = append(findings, warn("the volume reports %s where the claim has %s: these are the figures of its whole server",
			shortBytes(u.CapacityBytes), size))
	}
	return findings
}

func (d *description) mayProduce() string {
	if producers := d.settings.Limits.Producers; len(producers) > 0 {
		return "pods of " + strings.Join(producers, ", ") + " (namespace/service account)"
	}
	if !d.settings.read {
		return "every pod of this namespace, unless the platform's configuration, which you may not read, says otherwise"
	}
	return "every pod of this namespace"
}

// titles begin the tables of pods.
var titles = []struct {
	role api.Role
	text string
}{{api.Producer, "Producers"}, {api.Consumer, "Consumers"}}

func (d *description) showPods(p *page, now time.Time) {
	if len(d.pods) == 0 {
		p.field("Pods", "<none>: the share is unused, and podshare keeps its data")
		return
	}
	for _, title := range titles {
		pods := slices.DeleteFunc(slices.Clone(d.pods), func(u podUse) bool { return u.role != title.role })
		if len(pods) == 0 {
			p.field(title.text, "<none>")
			continue
		}
		tally := d.tally(title.role)
		p.line("%s (%d ready of %d):", title.text, tally.Ready, tally.Wanted)
		p.head("Name", "Ready", "Age", "Node", "Message")
		for _, u := range pods {
			p.row(u.Name, readiness(u.Pod), age(u.CreationTimestamp.Time, now), none(u.Spec.NodeName), d.said(u.Pod))
		}
	}
}

// readiness is a pod's, in a word.
func readiness(pod *corev1.Pod) string {
	switch {
	case hasEnded(pod):
		return string(pod.Status.Phase)
	case isReady(pod):
		return "yes"
	default:
		return "no"
	}
}

// said is what keeps a pod from being ready, in a few words. Empty: it is ready, or has ended.
func (d *description) said(pod *corev1.Pod) string {
	return oneLine(complaint(pod, of(d.events, pod.UID)))
}

func (d *description) showEvents(p *page, now time.Time) {
	if len(d.events) == 0 {
		p.field("Events", "<none>")
		return
	}
	p.line("Events:")
	p.head("Type", "Reason", "Age", "From", "Object", "Message")
	for i := range d.events {
		e := &d.events[i]
		p.row(e.Type, e.Reason, when(e, now), source(e), strings.ToLower(e.InvolvedObject.Kind)+"/"+e.InvolvedObject.Name, oneLine(e.Message))
	}
}

func none(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}
