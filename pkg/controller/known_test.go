package controller

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"
)

func TestKnownClaims(t *testing.T) {
	known := newKnownClaims()
	assert.Empty(t, known.of(rules))
	known.remember(rules, "first")
	known.remember(types.NamespacedName{Namespace: "other", Name: "rules"}, "other")
	assert.Equal(t, types.UID("first"), known.of(rules))
	known.forgetSoon(rules)
	assert.Equal(t, types.UID("first"), known.of(rules), "for a while")
	known.remember(rules, "second")
	assert.Equal(t, types.UID("second"), known.of(rules))
	known.forget(rules)
	assert.Empty(t, known.of(rules))
}
