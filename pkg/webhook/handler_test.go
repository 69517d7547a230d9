package webhook_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/inject"
	"github.com/podshare/podshare/pkg/webhook"
)

func TestWhatIsNoReviewGetsAnHTTPError(t *testing.T) {
	s := start(t, injectPod).ready()
	const jsonType = "application/json"
	large := strings.Repeat(" ", 7<<20+1)
	for name, c := range map[string]struct {
		method, path, contentType string
		body                      io.Reader
		code                      int
		text                      string
	}{
		"GET": {"GET", "/mutate-pods", "", nil, http.StatusMethodNotAllowed,
			"podshare: method \"GET\" is not allowed; POST an AdmissionReview\n"},
		"PUT": {"PUT", "/mutate-pods", jsonType, strings.NewReader("{}"), http.StatusMethodNotAllowed,
			"podshare: method \"PUT\" is not allowed; POST an AdmissionReview\n"},
		"another path": {"POST", "/mutate", jsonType, strings.NewReader("{}"), http.StatusNotFound, "404 page not found\n"},
		"metrics, which are not for every caller": {"GET", "/metrics", "", nil, http.StatusNotFound, "404 page not found\n"},
		"YAML": {"POST", "/mutate-pods", "application/yaml", strings.NewReader("{}"), http.StatusUnsupportedMediaType,
			"podshare: Content-Type \"application/yaml\" must be application/json\n"},
		"no type": {"POST", "/mutate-pods", "", strings.NewReader("{}"), http.StatusUnsupportedMediaType,
			"podshare: Content-Type \"\" must be application/json\n"},
		"a body that says that it is too large": {"POST", "/mutate-pods", jsonType, strings.NewReader(large),
			http.StatusRequestEntityTooLarge, "podshare: the body has more than the 7340032 bytes that are allowed\n"},
		"a body that does not say so": {"POST", "/mutate-pods", jsonType, io.MultiReader(strings.NewReader(large)),
			http.StatusRequestEntityTooLarge, "podshare: the body has more than the 7340032 bytes that are allowed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(c.method, "https://"+s.address+c.path, c.body)
			require.NoError(t, err)
			request.Header.Set("Content-Type", c.contentType)
			response, err := s.client.Do(request)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Equal(t, c.code, response.StatusCode)
			assert.Equal(t, c.text, string(text))
			if c.code == http.StatusMethodNotAllowed {
				assert.Equal(t, "POST", response.Header.Get("Allow"))
			}
		})
	}
}

func TestAContentTypeMayHaveParameters(t *testing.T) {
	s := start(t, injectPod).ready()
	response, err := s.client.Post("https://"+s.address+"/mutate-pods?timeout=3s", "application/json; charset=utf-8",
		bytes.NewReader(review(plain)))
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

func TestAPanicIsOurFaultAndInjectsNothing(t *testing.T) {
	s := start(t, func(*inject.Pod, string) (*inject.Result, error) { panic("no such case\n") }).ready()
	response, err := s.post(review(consumer))
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
	assert.Equal(t, "podshare: internal error; the log of podshare-webhook has it\n", string(text))

	panics := s.logged("panic")
	require.Len(t, panics, 1)
	assert.Equal(t, "no such case\ufffd", panics[0]["cause"])
	assert.Contains(t, panics[0]["stack"], "TestAPanicIsOurFault")
	lines := s.logged("admission request")
	require.Len(t, lines, 1)
	assert.Equal(t, "ERROR", lines[0]["level"])
	assert.Equal(t, "shop", lines[0]["namespace"])

	code, answer := s.get("https://" + s.address + "/healthz")
	assert.Equal(t, http.StatusOK, code, answer)
}

func TestLargeRequestsTakeTurnsAndSmallOnesPass(t *testing.T) {
	large := review(annotated(map[string]string{"note": strings.Repeat("x", 64<<10)}))
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, func(pod *inject.Pod, _ string) (*inject.Result, error) {
		if len(pod.Metadata().Annotations["note"]) > 0 {
			entered <- struct{}{}
			<-leave
		}
		return injectPod(pod, "shop")
	}, func(o *webhook.Options) { o.MaxWait = 10 * time.Millisecond }).ready()
	post := func(body []byte) string {
		response, err := s.post(body)
		if err != nil {
			return err.Error()
		}
		defer func() { _ = response.Body.Close() }()
		text, _ := io.ReadAll(response.Body) // what is missing of it fails the comparison
		return response.Status + " " + string(text[:min(len(text), 80)])
	}
	answers := make(chan string, 2)
	for range 2 {
		go func() { answers <- post(large) }()
		<-entered
	}
	assert.Equal(t, "503 Service Unavailable podshare: other large requests are being answered; try again\n", post(large))
	assert.Contains(t, post(review(consumer)), "200 OK ")
	close(leave)
	for range 2 {
		assert.Contains(t, <-answers, "200 OK ")
	}
}

func TestEachRequestIsALineOfTheLog(t *testing.T) {
	s := start(t, injectPod).ready()
	mistaken := map[string]string{"podshare.dev/produce": "rules", "podshare.dev/size": "10GB"}
	evil := "\n\u202elevel=ERROR" + strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		body []byte
		line map[string]any
	}{
		"an injected pod": {review(consumer, "dryRun", true), map[string]any{
			"level": "INFO", "result": "injected", "operation": "CREATE", "namespace": "shop", "pod": "web-6d4cf56db6-",
			"owner": "ReplicaSet/web-6d4cf56db6", "dryRun": true, "shares": []any{"consumer:rules"}, "containers": 1.0,
		}},
		"a pod that asks for nothing": {review(plain), map[string]any{
			"level": "DEBUG", "result": "unchanged", "operation": "CREATE", "namespace": "shop", "pod": "web", "dryRun": false,
		}},
		"a deletion": {review(plain, "operation", "DELETE", "name", "db"), map[string]any{
			"level": "DEBUG", "result": "ignored", "reason": "operation", "operation": "DELETE", "namespace": "shop", "pod": "db",
			"dryRun": false,
		}},
		"a refusal": {review(annotated(mistaken)), map[string]any{
			"level": "INFO", "result": "refused", "reason": "invalid", "operation": "CREATE", "namespace": "shop", "pod": "web",
			"dryRun": false,
			"message": `podshare: metadata.annotations[podshare.dev/size]: Invalid value: "10GB": ` +
				`must be a whole number of bytes above 0, such as "500Mi", "10Gi" or "1Ti"`,
		}},
		"the longest name that there is": {review(plain, "name", strings.Repeat("x", 253)), map[string]any{
			"level": "DEBUG", "result": "unchanged", "operation": "CREATE", "namespace": "shop", "dryRun": false,
			"pod": strings.Repeat("x", 253),
		}},
		"a name to deceive readers": {review(plain, "name", evil), map[string]any{
			"level": "DEBUG", "result": "unchanged", "operation": "CREATE", "namespace": "shop", "dryRun": false,
			"pod": "\ufffd\ufffdlevel=ERROR" + strings.Repeat("x", 50) + "…",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			id := "id of " + name
			s.review(bytes.Replace(c.body, []byte(uid), []byte(id), 1))
			c.line["uid"] = id
			require.EventuallyWithT(t, func(collect *assert.CollectT) { // it is written after the answer
				lines := s.logged("admission request")
				require.NotEmpty(collect, lines)
				last := lines[len(lines)-1]
				assert.Contains(collect, last, "duration")
				delete(last, "duration")
				assert.Equal(collect, c.line, last)
			}, bound, bound/1000)
		})
	}
}

func TestRequestsAreCounted(t *testing.T) {
	s := start(t, func(pod *inject.Pod, _ string) (*inject.Result, error) {
		if _, asked := pod.Metadata().Annotations["panic"]; asked {
			panic("as asked")
		}
		return injectPod(pod, "shop")
	}).ready()
	both := map[string]string{"podshare.dev/produce": "a", "podshare.dev/consume": "b"}
	for _, body := range [][]byte{
		review(consumer), review(consumer),
		review(annotated(map[string]string{"podshare.dev/produce": "rules"})),
		review(annotated(both)),
		review(plain),
		review(plain, "operation", "UPDATE"),
		review(plain, "subResource", "status"),
		review(annotated(map[string]string{"podshare.dev/consume": "Team_A"})),
		review(annotated(map[string]string{"podshare.dev/consumes": "rules"})),
		review(`{"apiVersion":"v1","kind":"ConfigMap"}`),
		review(annotated(map[string]string{"panic": ""})),
		nil,
	} {
		response, err := s.post(body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	s.get("https://" + s.address + "/mutate-pods")

	const count = "podshare_webhook_requests_total"
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, text := s.get("http://" + s.metrics + "/metrics")
		for _, line := range []string{
			count + `{reason="",result="injected",role="consumer",webhook="pods"} 2`,
			count + `{reason="",result="injected",role="producer",webhook="pods"} 1`,
			count + `{reason="",result="injected",role="both",webhook="pods"} 1`,
			count + `{reason="",result="unchanged",role="none",webhook="pods"} 1`,
			count + `{reason="operation",result="ignored",role="none",webhook="pods"} 1`,
			count + `{reason="subresource",result="ignored",role="none",webhook="pods"} 1`,
			count + `{reason="invalid",result="refused",role="consumer",webhook="pods"} 1`,
			count + `{reason="invalid",result="refused",role="none",webhook="pods"} 1`,
			count + `{reason="pod",result="malformed",role="none",webhook="pods"} 1`,
			count + `{reason="review",result="malformed",role="none",webhook="pods"} 1`,
			count + `{reason="method",result="malformed",role="none",webhook="pods"} 1`,
			count + `{reason="panic",result="error",role="none",webhook="pods"} 1`,
			"podshare_webhook_request_duration_seconds_count{webhook=\"pods\"} 13",
			`podshare_webhook_request_duration_seconds_bucket{webhook="pods",le="0.0005"}`,
			"go_goroutines ",
			"process_resident_memory_bytes ",
		} {
			assert.Contains(c, text, "\n"+line)
		}
		assert.Regexp(c, `\npodshare_webhook_certificate_expiry_timestamp_seconds 1\.\d+e\+09\n`, text)
	}, bound, bound/1000)
}
