package plugin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/share"
)

// unread finds what seems to be meant for podshare in an object's metadata, and that nobody reads: annotations under another prefix,
// and labels. where is such as "Deployment web".
func unread(where string, annotations, labels map[string]string) []finding {
	var findings []finding
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if meant := lookalike(key); meant != "" {
			findings = append(findings, broken("annotation %s of %s is not podshare's", share.Quote(key), where).
				mend("write %s", meant))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if slices.Contains(api.Annotations, key) {
			findings = append(findings, broken("%s is a label of %s, and podshare reads annotations", key, where).
				mend("write it under annotations instead of labels"))
		}
	}
	return findings
}

// near is how many letters a word may be wrong and still be taken for another one.
const near = 2

// lookalike is the annotation that a key under another prefix was probably meant to be: podshare.io/consume, podshare.dev.consume. Empty: none.
// Keys under podshare's own prefix are share.Parse's.
func lookalike(key string) (meant string) {
	if strings.HasPrefix(key, api.Prefix) {
		return ""
	}
	lower := strings.ToLower(key)
	split := strings.LastIndexAny(lower, "/.")
	if split < 0 {
		split = strings.Index(lower, "-")
	}
	if split < 0 {
		return ""
	}
	prefix, name := lower[:split], lower[split+1:]
	ours := strings.TrimSuffix(api.Prefix, "/")
	if _, wrong := share.Nearest(prefix, []string{ours}); wrong > near && !strings.Contains(strings.ReplaceAll(prefix, "-", ""), api.ManagedBy) {
		return ""
	}
	if meant, wrong := share.Nearest(api.Prefix+name, api.Annotations); wrong <= near {
		return meant
	}
	return ""
}

// misplaced are annotations of podshare's on an object whose pods do not get them. right is where they would do something, how
// what to do to write them there.
func misplaced(kind, name, right, how string, keys []string) []finding {
	var findings []finding
	for _, key := range keys {
		findings = append(findings, broken("%s stands on the %s %s itself, where it does nothing", key, kind, name).
			mend("move it to %s: %s", right, how))
	}
	return findings
}

func edit(kind, namespace, name string) string {
	return fmt.Sprintf("kubectl -n %s edit %s %s", namespace, strings.ToLower(kind), name)
}

// ourKeys are an object's annotations of ours, without those that podshare writes.
func ourKeys(annotations map[string]string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if strings.HasPrefix(key, api.Prefix) && key != api.Status {
			keys = append(keys, key)
		}
	}
	return keys
}
