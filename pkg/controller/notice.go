package controller

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrlrecorder "sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/podshare/podshare/pkg/api"
)

// notice is something to tell in an Event on the claim, where there is one, and on the pods that it concerns.
type notice struct {
	kind           string // corev1.EventTypeNormal or EventTypeWarning
	reason, action string
	// text names claims and shares, whose names are stable, and never a pod, whose name is generated.
	text     string
	users    []user
	podsOnly bool
}

// The actions of Events: what podshare did, or tried to do, when it came upon the reason.
const (
	readAnnotations = "ReadAnnotations"
	useClaim        = "UseClaim"
	createClaim     = "CreateClaim"
	growClaim       = "GrowClaim"
)

func normal(reason, action, format string, args ...any) notice {
	return notice{kind: corev1.EventTypeNormal, reason: reason, action: action, text: fmt.Sprintf(format, args...)}
}

func warning(reason, action, format string, args ...any) notice {
	return notice{kind: corev1.EventTypeWarning, reason: reason, action: action, text: fmt.Sprintf(format, args...)}
}

// invalidAnnotations tells of a pod that was labelled, or annotated, behind the webhook's back, or whose annotations
// the platform no longer allows.
func invalidAnnotations(mistakes field.ErrorList) notice {
	texts := make([]string, len(mistakes))
	for i, mistake := range mistakes {
		texts[i] = mistake.Error()
	}
	return warning("InvalidAnnotations", readAnnotations,
		"podshare makes no claims for this pod: %s", strings.Join(texts, "; "))
}

const (
	// quiet is how long nothing is said again about the same object: while the thousand pods of a share start, the
	// share is decided about up to a thousand times.
	quiet = 30 * time.Second
	// maxTold bounds the memory of what was said to some ten megabytes.
	maxTold = 20_000
)

// recorder writes Events. client-go writes one that repeats as a series, by its reason and the objects: so those carry
// no resource version here, and each reason stands for one problem.
type recorder struct {
	events ctrlrecorder.EventRecorder
	told   *cache.LRUExpireCache
}

func newRecorder(events ctrlrecorder.EventRecorder) recorder {
	return recorder{events, cache.NewLRUExpireCache(maxTold)}
}

// tell writes a notice about a share. claim is nil while there is none.
func (r recorder) tell(n notice, share types.NamespacedName, claim *corev1.PersistentVolumeClaim) {
	if claim != nil && !n.podsOnly {
		r.write(n, claimReference(claim.Namespace, claim.Name, claim.UID), corev1.ObjectReference{})
	}
	for _, u := range n.users {
		r.write(n, u.pod, claimReference(share.Namespace, api.ClaimName(share.Name), ""))
	}
}

// tellPod writes a notice that concerns a pod and no share in particular.
func (r recorder) tellPod(n notice, pod corev1.ObjectReference) {
	r.write(n, pod, corev1.ObjectReference{})
}

// write writes an Event that regards an object. related may be empty.
func (r recorder) write(n notice, regarding, related corev1.ObjectReference) {
	type saying struct {
		regarding, related corev1.ObjectReference
		text               string
	}
	said := saying{regarding, related, n.text}
	if _, ok := r.told.Get(said); ok {
		return
	}
	r.told.Add(said, nil, quiet)
	var other runtime.Object
	if related.Name != "" {
		other = &related
	}
	r.events.Eventf(&regarding, other, n.kind, n.reason, n.action, "%s", cutNote(n.text))
}

// maxNote is the longest note that the API takes, in bytes.
const maxNote = 1024

func cutNote(text string) string {
	if len(text) <= maxNote {
		return text
	}
	const ellipsis = "…"
	end := maxNote - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

func podReference(pod *metav1.PartialObjectMetadata) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
}

func claimReference(namespace, name string, uid types.UID) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name, UID: uid}
}
