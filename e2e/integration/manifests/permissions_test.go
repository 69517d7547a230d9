package manifests_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
)

// can asks the API server, as `kubectl auth can-i` does. What is "verb resource[.group][/subresource] [name] [in
// namespace]"; without a namespace it means all of them.
func can(t *testing.T, account, what string) bool {
	t.Helper()
	what, namespace, _ := strings.Cut(what, " in ")
	words := strings.Fields(what)
	resource, subresource, _ := strings.Cut(words[1], "/")
	resource, group, _ := strings.Cut(resource, ".")
	attributes := &authorizationv1.ResourceAttributes{
		Verb: words[0], Resource: resource, Group: group, Subresource: subresource, Namespace: namespace,
	}
	if len(words) > 2 {
		attributes.Name = words[2]
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:podshare-system:" + account,
		Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:podshare-system", "system:authenticated"},
		ResourceAttributes: attributes,
	}}
	require.NoError(t, api.Create(t.Context(), review))
	return review.Status.Allowed
}

// needed is all that the controller does.
var needed = []string{
	"get pods", "list pods", "watch pods",
	"get persistentvolumeclaims", "list persistentvolumeclaims", "watch persistentvolumeclaims",
	"create persistentvolumeclaims", "patch persistentvolumeclaims",
	"get storageclasses.storage.k8s.io",
	"create events.events.k8s.io", "patch events.events.k8s.io",
	"create leases.coordination.k8s.io in podshare-system",
	"get leases.coordination.k8s.io podshare-controller in podshare-system",
	"update leases.coordination.k8s.io podshare-controller in podshare-system",
	"create events in podshare-system", "patch events in podshare-system",
}

func TestTheControllerMayDoWhatItNeeds(t *testing.T) {
	for _, what := range needed {
		assert.True(t, can(t, "podshare-controller", what), what)
	}
}

func TestTheControllerMayDoNothingElse(t *testing.T) {
	for _, what := range []string{
		"get secrets", "list secrets", "get secrets in podshare-system", "list secrets in podshare-system", "get configmaps in podshare-system",
		"delete persistentvolumeclaims", "deletecollection persistentvolumeclaims", "update persistentvolumeclaims",
		"patch persistentvolumeclaims/status", "delete persistentvolumes", "get persistentvolumes",
		"create pods", "update pods", "patch pods", "delete pods", "create pods/exec", "get pods/log", "create pods/eviction",
		"list storageclasses.storage.k8s.io", "create storageclasses.storage.k8s.io",
		"create events", "list events.events.k8s.io", "delete events.events.k8s.io",
		"create leases.coordination.k8s.io", "get leases.coordination.k8s.io podshare-controller in kube-system",
		"get leases.coordination.k8s.io another in podshare-system", "delete leases.coordination.k8s.io podshare-controller in podshare-system",
		"get nodes", "list namespaces", "create serviceaccounts/token in podshare-system",
		"get deployments.apps", "list jobs.batch", "get clusterroles.rbac.authorization.k8s.io",
		"patch mutatingwebhookconfigurations.admissionregistration.k8s.io",
		"impersonate users", "* *", "get *.*",
	} {
		assert.False(t, can(t, "podshare-controller", what), what)
	}
}

func TestTheWebhookMayDoNothing(t *testing.T) {
	for _, what := range append([]string{"get secrets", "get configmaps in podshare-system", "create pods", "* *"}, needed...) {
		assert.False(t, can(t, "podshare-webhook", what), what)
	}
}
