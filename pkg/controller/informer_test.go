package controller

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestWhatAnInformerWaitsFor(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	tooLarge := apierrors.NewTimeoutError("Too large resource version", 1)
	tooLarge.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
	for name, test := range map[string]struct {
		err   error
		waits bool
	}{
		"nobody answers":                     {errors.New("dial tcp 10.0.0.1:443: connect: connection refused"), true},
		"a load balancer alone answers":      {apierrors.NewGenericServerResponse(http.StatusBadGateway, "get", pods, "", "", 0, true), true},
		"the API server starts":              {apierrors.NewServiceUnavailable("not ready"), true},
		"etcd is away":                       {apierrors.NewInternalError(errors.New("etcdserver: no leader")), true},
		"a permission is missing":            {apierrors.NewForbidden(pods, "", errors.New("no")), false},
		"too many requests":                  {apierrors.NewTooManyRequests("later", 1), false},
		"a resource version that is old":     {apierrors.NewResourceExpired("too old"), false},
		"a resource version that is not yet": {tooLarge, false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.waits, isUnavailable(test.err)) })
	}
}

func TestAnInformerIsBackSoonAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		logger := funcr.New(func(_, line string) { log = append(log, line) }, funcr.Options{})
		begun := time.Now()
		answer, err := untilAvailable(t.Context(), logger, func() (string, error) {
			switch passed := time.Since(begun); {
			case passed < 10*time.Minute:
				return "", errors.New("connection refused")
			case passed < 11*time.Minute:
				return "", apierrors.NewServiceUnavailable("not ready")
			}
			return "pods", nil
		})
		assert.NoError(t, err)
		assert.Equal(t, "pods", answer)
		assert.LessOrEqual(t, time.Since(begun), 11*time.Minute+2*unavailableRetry)
		assert.Len(t, log, 2, "each reason once: %s", strings.Join(log, "\n"))
	})
}

func TestAnInformerThatWaitsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := untilAvailable(ctx, funcr.New(func(_, _ string) {}, funcr.Options{}), func() (string, error) {
			return "", errors.New("connection refused")
		})
		assert.EqualError(t, err, "connection refused")
	})
}
