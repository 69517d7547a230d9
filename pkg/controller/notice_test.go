package controller

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/client-go/tools/events"
)

func TestTheSameIsNotSaidAgainAtOnce(t *testing.T) {
	written := events.NewFakeRecorder(10)
	r := newRecorder(written)
	n := warning("ClaimTerminating", useClaim, "claim %q is being deleted", "podshare-rules")
	n.users = []user{asks("a", "", ""), asks("b", "", "")}
	for range 3 {
		r.tell(n, rules, existing())
	}
	assert.Len(t, written.Events, 3, "the claim and each pod, once")

	n.text = "something else"
	r.tell(n, rules, existing())
	assert.Len(t, written.Events, 6)
}
