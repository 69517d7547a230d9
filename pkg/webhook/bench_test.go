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

// object is the pod of the captured review.
func object(b *testing.B) []byte {
	b.Helper()
	var review admissionv1.AdmissionReview
	require.NoError(b, json.Unmarshal(captured(b), &review))
	return review.Request.Object.Raw
}

// BenchmarkParse is reading what is needed of the pod.
func BenchmarkParse(b *testing.B) {
	raw := object(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := inject.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInject is computing the patch.
func BenchmarkInject(b *testing.B) {
	pod, err := inject.Parse(object(b))
	require.NoError(b, err)
	platform := config.Default()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pod.Inject("shop", platform); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPatch is writing it.
func BenchmarkPatch(b *testing.B) {
	pod, err := inject.Parse(object(b))
	require.NoError(b, err)
	result, err := pod.Inject("shop", config.Default())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := webhook.WritePatch(result.Patch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnnotations is reading what a pod asks for: a part of BenchmarkInject.
func BenchmarkAnnotations(b *testing.B) {
	pod, err := inject.Parse(object(b))
	require.NoError(b, err)
	annotations, platform := pod.Metadata().Annotations, config.Default()
	b.ReportAllocs()
	for b.Loop() {
		if _, mistakes := share.Parse(annotations, platform); len(mistakes) > 0 {
			b.Fatal(mistakes)
		}
	}
}
