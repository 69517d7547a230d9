package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/podshare/podshare/pkg/share"
)

// handler answers the requests to an endpoint. An AdmissionReview, right or wrong, gets one back with HTTP status 200; what is none, by
// its header or size, gets an HTTP error.
type handler struct {
	endpoint *endpoint

	inject  Injector
	clients *clients
	maxBody int64         // bytes
	maxWait time.Duration // of a large body for its turn
	large   turns
	metrics *metrics
	log     *slog.Logger
}

// at is the same handler at another endpoint.
func (h *handler) at(e *endpoint) *handler {
	other := *h
	other.endpoint = e
	return &other
}

func newHandler(options Options, injector Injector, clients *clients, metrics *metrics, log *slog.Logger) *handler {
	return &handler{
		inject:  injector,
		clients: clients,
		maxBody: options.MaxBodyBytes,
		maxWait: options.MaxWait,
		large:   make(turns, maxLarge),
		metrics: metrics,
		log:     log,
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, v := time.Now(), &verdict{endpoint: h.endpoint}
	answer := buffers.Get().(*bytes.Buffer)
	defer recycle(answer)
	if err := h.answer(w, r, v, answer); err != nil {
		v.fail(err)
		http.Error(w, v.message, err.code)
	} else {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(answer.Len())) // else it goes out in chunks
		// A caller that is gone gets no answer, and there is nobody else to tell.
		_, _ = w.Write(answer.Bytes())
	}
	took := time.Since(start)
	h.metrics.observe(v, took)
	h.log.LogAttrs(r.Context(), v.level(), "admission request", append(v.attributes(), slog.Duration("duration", took))...)
}

// answer makes the whole body of the response, which is sent only when it is complete: a panic on the way leaves no part of it.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, v *verdict, answer *bytes.Buffer) (httpErr *httpError) {
	defer func() {
		if cause := recover(); cause != nil {
			h.log.Error("panic", "cause", safe(fmt.Sprint(cause), maxMessage), "stack", string(debug.Stack()))
			httpErr = &httpError{http.StatusInternalServerError, "panic", "internal error; the log of podshare-webhook has it"}
		}
	}()
	if httpErr = h.check(w, r); httpErr != nil {
		return httpErr
	}
	if isLarge(r) {
		if !h.large.take(h.maxWait) {
			return &httpError{http.StatusServiceUnavailable, "busy", "other large requests are being answered; try again"}
		}
		defer h.large.leave()
	}
	body := buffers.Get().(*bytes.Buffer)
	defer recycle(body)
	if httpErr = h.read(w, r, body); httpErr != nil {
		return httpErr
	}
	if err := json.NewEncoder(answer).Encode(v.decide(body.Bytes(), h.inject)); err != nil {
		panic(err) // impossible: it is made of strings, numbers and bytes
	}
	return nil
}

// httpError is an answer without an AdmissionReview.
type httpError struct {
	code    int
	reason  string
	message string
}

func (v *verdict) fail(err *httpError) {
	v.result, v.reason, v.message = malformed, err.reason, "podshare: "+err.message
	if err.code >= http.StatusInternalServerError {
		v.result = failed
	}
}

// check refuses who may not ask, and what is no AdmissionReview by its header.
func (h *handler) check(w http.ResponseWriter, r *http.Request) *httpError {
	if err := h.clients.check(r); err != nil {
		return err
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &httpError{http.StatusMethodNotAllowed, "method",
			fmt.Sprintf("method %s is not allowed; POST an AdmissionReview", share.Quote(r.Method))}
	}
	written := r.Header.Get("Content-Type")
	if mediaType, _, err := mime.ParseMediaType(written); err != nil || mediaType != "application/json" {
		return &httpError{http.StatusUnsupportedMediaType, "media-type",
			fmt.Sprintf("Content-Type %s must be application/json", share.Quote(written))}
	}
	if r.ContentLength > h.maxBody {
		return h.tooLarge() // before a client that asked whether to go on sends it all
	}
	return nil
}

// buffers are for a request's body and for its answer. Nothing refers to one when the request is over.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// recycle keeps a buffer for another request, unless it is much larger than nearly all need.
func recycle(buffer *bytes.Buffer) {
	if buffer.Cap() <= largeBody {
		buffer.Reset()
		buffers.Put(buffer)
	}
}

// read takes the body, at most maxBody bytes of it.
func (h *handler) read(w http.ResponseWriter, r *http.Request, body *bytes.Buffer) *httpError {
	body.Grow(firstSize(r) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, h.maxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return h.tooLarge()
	case err != nil:
		return &httpError{http.StatusRequestTimeout, "read", fmt.Sprintf("the body did not arrive: %v", err)}
	}
	return nil
}

// firstSize is the memory that a body gets before it is there, in bytes. Growing to what a large one has would take several times as
// much, and few of them are read at a time; of the others there may be any number that say more than they send.
func firstSize(r *http.Request) int {
	const most = 16 << 10 // more than nearly all reviews have
	if r.ContentLength > largeBody {
		return int(r.ContentLength)
	}
	return int(min(max(r.ContentLength, 0), most))
}

func (h *handler) tooLarge() *httpError {
	return &httpError{http.StatusRequestEntityTooLarge, "size",
		fmt.Sprintf("the body has more than the %d bytes that are allowed", h.maxBody)}
}
