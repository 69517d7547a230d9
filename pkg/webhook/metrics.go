package webhook

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the server counts. Labels have fixed values only: nothing that users write becomes one.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(c *certificates) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podshare_webhook_requests_total",
			Help: "Requests, by webhook (pods, workloads), by the pod's or the template's role (producer, consumer, both, none), by result (injected, " +
				"unchanged, ignored, refused, malformed, error), and by the reason of a result that has several.",
		}, []string{"webhook", "role", "result", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podshare_webhook_request_duration_seconds",
			Help: "Time from a request's header to its answer, reading the body included.",
			// An answer takes about a millisecond; an API server waits 3 s.
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3},
		}, []string{"webhook"}),
	}
	expiry := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "podshare_webhook_certificate_expiry_timestamp_seconds",
		Help: "When the serving certificate ends, in seconds since 1970; 0 while there is none.",
	}, func() float64 {
		if end := c.expiry(); !end.IsZero() {
			return float64(end.Unix())
		}
		return 0
	})
	m.registry.MustRegister(m.requests, m.duration, expiry,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(v *verdict, took time.Duration) {
	m.requests.WithLabelValues(v.endpoint.name, v.role(), string(v.result), v.reason).Inc()
	m.duration.WithLabelValues(v.endpoint.name).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
