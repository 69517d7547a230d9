package webhook

import (
	"log/slog"
	"net/http"
)

// NewReviewHandler is the HTTPS server without a network, for fuzzing.
func NewReviewHandler(injector Injector, log *slog.Logger) http.Handler {
	options := DefaultOptions()
	reviews := newHandler(options, injector, &clients{}, newMetrics(newCertificates(options, log)), log)
	return httpsRoutes(reviews, &readiness{})
}

// WritePatch is measured by itself.
var WritePatch = writePatch
