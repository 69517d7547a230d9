package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var claims = schema.GroupResource{Resource: "persistentvolumeclaims"}

func TestFailures(t *testing.T) {
	full := apierrors.NewForbidden(claims, "podshare-rules", errors.New("exceeded quota: small"))
	ending := apierrors.NewForbidden(claims, "podshare-rules", errors.New("it is being terminated"))
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	const again = "; podshare tries again, at least every 30s"
	for name, test := range map[string]struct {
		err    error
		text   string
		reason string
		ending bool
	}{
		"a full quota": {
			err: fmt.Errorf("wrapped: %w", full),
			text: `cannot create claim "podshare-rules": persistentvolumeclaims "podshare-rules" is forbidden: ` +
				`exceeded quota: small` + again,
			reason: "Forbidden",
		},
		"too many requests": {
			err:    apierrors.NewTooManyRequests("slow down", 1),
			text:   `cannot create claim "podshare-rules": slow down` + again,
			reason: "TooManyRequests",
		},
		"no answer": {
			err:    errors.New("read tcp 10.0.0.1:54321->10.96.0.1:443: connection reset by peer"),
			text:   `cannot create claim "podshare-rules": the API server did not answer` + again,
			reason: "Unreachable",
		},
		"a namespace that is ending": {
			err: ending,
			text: `cannot create claim "podshare-rules": persistentvolumeclaims "podshare-rules" is forbidden: ` +
				`it is being terminated` + again,
			reason: "Forbidden",
			ending: true,
		},
		"a namespace that is gone": {
			err:    apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"),
			text:   `cannot create claim "podshare-rules": namespaces "shop" not found` + again,
			reason: "NotFound",
			ending: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := createFailure(observation{users: []user{asks("a", "", "")}}, "podshare-rules", test.err)
			assert.Equal(t, []told{{"ClaimNotCreated", test.text, true, []string{"a"}}}, describeNotices([]notice{n}))
			assert.Equal(t, test.reason, errorReason(test.err))
			assert.Equal(t, test.ending, isNamespaceEnding(test.err))
		})
	}
}

func TestGrowFailureIsToldToThePodsThatAskForMore(t *testing.T) {
	o := observation{share: rules, users: []user{asks("a", "", ""), asks("b", "5Gi", "")}, claim: existing()}
	n := growFailure(o, apierrors.NewForbidden(claims, "podshare-rules", errors.New("exceeded quota: small")))
	const text = `cannot grow claim "podshare-rules" from 1Gi: persistentvolumeclaims "podshare-rules" is forbidden: ` +
		`exceeded quota: small; podshare tries again, at least every 30s`
	assert.Equal(t, []told{{"ClaimNotGrown", text, true, []string{"b"}}}, describeNotices([]notice{n}))
}

func TestNotesFitTheAPI(t *testing.T) {
	assert.Equal(t, "short", cutNote("short"))
	long := cutNote(strings.Repeat("ö", 1000))
	assert.LessOrEqual(t, len(long), 1024)
	assert.Equal(t, strings.Repeat("ö", 510)+"…", long)
}
