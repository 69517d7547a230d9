package webhook

import (
	"cmp"
	"log/slog"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// level is that of the request's line in the log: what people look for is in it without --debug, and a cluster's other
// requests are not.
func (v *verdict) level() slog.Level {
	switch v.result {
	case unchanged, ignored:
		return slog.LevelDebug
	case failed:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// attributes are the request's line in the log. Whatever users write is bounded, and free of control characters.
func (v *verdict) attributes() []slog.Attr {
	attributes := make([]slog.Attr, 0, 16)
	attributes = append(attributes, slog.String("result", string(v.result)))
	add := func(key, value string) {
		if value != "" {
			attributes = append(attributes, slog.String(key, value))
		}
	}
	add("reason", v.reason)
	if r := v.request; r != nil {
		add("operation", name(r.operation))
		add("namespace", name(r.namespace))
		add(v.nameKey(), name(cmp.Or(r.name, v.object.Name)))
		add("owner", v.owner())
		add("uid", name(r.uid))
		attributes = append(attributes, slog.Bool("dryRun", r.dryRun))
	}
	if v.report != nil {
		shares := make([]string, len(v.report.Shares))
		for n, s := range v.report.Shares {
			shares[n] = string(s.Role) + ":" + s.Name
		}
		attributes = append(attributes, slog.Any("shares", shares), slog.Int("containers", len(v.report.Containers)))
	}
	add("message", safe(v.message, maxMessage))
	return attributes
}

// nameKey says in the log what has the name: "pod", "deployment".
func (v *verdict) nameKey() string {
	for _, t := range v.endpoint.types {
		if t.kind.Kind == v.request.kind.Kind {
			return strings.ToLower(t.kind.Kind)
		}
	}
	return v.endpoint.object
}

// owner is who makes the pod, such as "ReplicaSet/web-6d4cf56db6".
func (v *verdict) owner() string {
	if v.object.OwnerName == "" {
		return ""
	}
	return safe(v.object.OwnerKind, maxText) + "/" + name(v.object.OwnerName)
}

// How much of a text a line in the log has, in characters.
const (
	maxText    = 64 // of what users made up
	maxMessage = 2048
)

// name leaves alone what Kubernetes takes as one, which nobody is deceived by; the API server has not checked them yet.
func name(text string) string {
	if len(text) > maxText && len(validation.IsDNS1123Subdomain(text)) == 0 {
		return text
	}
	return safe(text, maxText)
}

// safe cuts a text, and puts a replacement in the place of each character that is not printable: line breaks, and those
// that change the direction of writing.
func safe(text string, limit int) string {
	if utf8.RuneCountInString(text) > limit {
		text = string([]rune(text)[:limit-1]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}
