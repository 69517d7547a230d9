package webhook

import (
	"log/slog"
	"net/http"
)

// NewReviewHandler is /mutate-pods without a network, for fuzzing.
func NewReviewHandler(injector Injector, log *slog.Logger) http.Handler {
	options := DefaultOptions()
	return newHandler(options, injector, newMetrics(newCertificates(options, log)), log)
}
