package webhook_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/share"
	"github.com/podshare/podshare/pkg/webhook"
)

// captured is what an API server sent for a Deployment's pod with two containers and an init container.
func captured(b *testing.B) []byte {
	b.Helper()
	review, err := os.ReadFile("testdata/review.json")
	require.NoError(b, err)
	return review
}

// BenchmarkReview answers the whole request, without the network.
func BenchmarkReview(b *testing.B) {
	body := captured(b)
	handler := webhook.NewReviewHandler(injectPod, slog.New(slog.NewTextHandler(io.Discard, nil))) //nolint:sloglint // the line is made, as in production
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, "/mutate-pods", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusOK {
			b.Fatal(recorder.Body)
		}
	}
}

// BenchmarkInject is what of it is the injection: reading the pod, and the patch.
func BenchmarkInject(b *testing.B) {
	var review admissionv1.AdmissionReview
	require.NoError(b, json.Unmarshal(captured(b), &review))
	b.ReportAllocs()
	for b.Loop() {
		pod, err := inject.Parse(review.Request.Object.Raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pod.Inject("shop", config.Default()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPatch is the encoding of a patch.
func BenchmarkPatch(b *testing.B) {
	var review admissionv1.AdmissionReview
	require.NoError(b, json.Unmarshal(captured(b), &review))
	pod, err := inject.Parse(review.Request.Object.Raw)
	require.NoError(b, err)
	result, err := pod.Inject("shop", config.Default())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(result.Patch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnnotations is reading what a pod asks for.
func BenchmarkAnnotations(b *testing.B) {
	var review admissionv1.AdmissionReview
	require.NoError(b, json.Unmarshal(captured(b), &review))
	var pod struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	require.NoError(b, json.Unmarshal(review.Request.Object.Raw, &pod))
	platform := config.Default()
	b.ReportAllocs()
	for b.Loop() {
		if _, mistakes := share.Parse(pod.Metadata.Annotations, platform); len(mistakes) > 0 {
			b.Fatal(mistakes)
		}
	}
}
