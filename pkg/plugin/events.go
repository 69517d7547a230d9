package plugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// eventsOn are an object's Events, the oldest first.
func (c *cluster) eventsOn(ctx context.Context, namespace string, object types.UID) ([]corev1.Event, error) {
	var list corev1.EventList
	err := c.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{"involvedObject.uid": string(object)})
	sortEvents(list.Items)
	return list.Items, err
}

// eventsAbout are the Events of some objects of a namespace, the oldest first.
func (c *cluster) eventsAbout(ctx context.Context, namespace string, objects map[types.UID]bool) ([]corev1.Event, error) {
	var list corev1.EventList
	err := c.List(ctx, &list, client.InNamespace(namespace))
	events := slices.DeleteFunc(list.Items, func(e corev1.Event) bool { return !objects[e.InvolvedObject.UID] })
	sortEvents(events)
	return events, err
}

// of picks an object's Events.
func of(events []corev1.Event, object types.UID) []corev1.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e corev1.Event) bool { return e.InvolvedObject.UID != object })
}

func sortEvents(events []corev1.Event) {
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return lastSeen(&a).Compare(lastSeen(&b)) })
}

// lastSeen is when an Event happened last, in whichever of the two forms it was written.
func lastSeen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	default:
		return e.CreationTimestamp.Time
	}
}

// times is how often an Event happened.
func times(e *corev1.Event) int32 {
	if e.Series != nil {
		return e.Series.Count
	}
	return max(e.Count, 1)
}

// source is who wrote an Event.
func source(e *corev1.Event) string { return cmp.Or(e.ReportingController, e.Source.Component) }

// when is an Event's age, and how often it happened, as kubectl describe writes it.
func when(e *corev1.Event, now time.Time) string {
	text := age(lastSeen(e), now)
	if n := times(e); n > 1 {
		text += fmt.Sprintf(" (x%d)", n)
	}
	return text
}
