package webhook_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	kjson "sigs.k8s.io/json"

	"github.com/podshare/podshare/pkg/webhook"
)

// FuzzReview: whatever the body, the answer is a whole AdmissionReview with the uid of the request.
func FuzzReview(f *testing.F) {
	for _, seed := range [][]byte{
		nil, []byte("null"), []byte("[]"), []byte(`{"request":{"uid":"1","object":`),
		review(consumer), review(plain), review("null"), review(consumer, "uid", nil), review(consumer, "operation", "DELETE"),
		review(annotated(map[string]string{"podshare.dev/consume": "Team_A,a,a", "podshare.dev/size": "NaN"})),
		body("admission.k8s.io/v1", "AdmissionReview", nil),
	} {
		f.Add(seed)
	}
	fuzzReviews(f, "/mutate-pods")
}

// FuzzWorkloadReview is FuzzReview for workloads.
func FuzzWorkloadReview(f *testing.F) {
	for _, seed := range [][]byte{
		applied(deployment(nil, consumes("rules"))), applied(deployment(consumes("rules"), nil)), applied(deployment(nil, consumes("Team_A"))),
		applied(deployment(nil, consumes("Team_A")), "operation", "UPDATE", "oldObject", json.RawMessage(deployment(nil, consumes("Team_A")))),
		applied("null"), applied(plain), applied(`{"apiVersion":"batch/v1","kind":"CronJob","spec":{"jobTemplate":null}}`),
	} {
		f.Add(seed)
	}
	fuzzReviews(f, "/validate-workloads")
}

func fuzzReviews(f *testing.F, path string) {
	f.Helper()
	handler := webhook.NewReviewHandler(injectPod, slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, data []byte) {
		request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(data))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)

		var answer admissionv1.AdmissionReview
		decoder := json.NewDecoder(recorder.Body)
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&answer))
		_, err := decoder.Token()
		require.ErrorIs(t, err, io.EOF)
		response := answer.Response
		require.NotNil(t, response)
		assert.Equal(t, response.Allowed, response.Result == nil, "a refusal says why")
		assert.Equal(t, len(response.Patch) > 0, response.PatchType != nil)
		assert.True(t, response.Allowed || response.Patch == nil, "no patch for a refused pod")
		for _, w := range response.Warnings {
			assert.LessOrEqual(t, utf8.RuneCountInString(w), 120)
			assert.NotContains(t, w, "\n")
		}
		if response.Allowed {
			assert.NotEmpty(t, response.UID)
		}
		var sent admissionv1.AdmissionReview
		if kjson.UnmarshalCaseSensitivePreserveInts(data, &sent) == nil && sent.Request != nil {
			assert.Equal(t, sent.Request.UID, response.UID)
		}
	})
}
