package monitoring_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"

	"github.com/podshare/podshare/e2e/cluster"
)

// server is a Prometheus that runs.
type server struct{ url string }

const rulesFile = "manifests/monitoring/rules.yaml"

// configuration scrapes every second, so that a test need not wait for minutes. The jobs are those of manifests/monitoring/scrape.yaml,
// with addresses in the place of pods, and that which every Prometheus of a cluster has for the API servers.
const configuration = `global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%[1]s/rules.yaml]
scrape_configs:
  - job_name: podshare
    honor_labels: true
    static_configs: [{targets: [%[2]q, %[3]q]}]
  - job_name: podshare-agents
    static_configs: [{targets: ["127.0.0.1:%[5]d"], labels: {namespace: default, pod: reader}}]
  - job_name: apiserver
    scheme: https
    tls_config: {ca_file: %[1]s/ca.crt}
    authorization: {credentials_file: %[1]s/token}
    static_configs: [{targets: [%[4]q]}]
`

// holds are the times that an alert's condition has to hold.
var holds = regexp.MustCompile(`(?m)^( +for:) .*$`)

// startPrometheus runs it with podshare's rules, of which only the times are shorter that a condition has to hold.
func startPrometheus(ctx context.Context, program, dir string) (*server, error) {
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		return nil, err
	}
	access := kubernetes.Config()
	host, err := url.Parse(access.Host)
	if err != nil {
		return nil, err
	}
	ports, err := cluster.FreePorts(2)
	if err != nil {
		return nil, err
	}
	if err := startAgent(dir, ports[1]); err != nil {
		return nil, err
	}
	webhook, controller := podshare.MetricsAddresses()
	for name, content := range map[string][]byte{
		"rules.yaml":      holds.ReplaceAll(rules, []byte("$1 0s")),
		"prometheus.yaml": fmt.Appendf(nil, configuration, dir, webhook, controller, host.Host, ports[1]),
		"ca.crt":          access.CAData, "token": []byte(access.BearerToken),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	process, err := kubernetes.Run("prometheus", []string{
		program, "--config.file=" + filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + address,
	})
	if err != nil {
		return nil, err
	}
	s := &server{"http://" + address}
	return s, process.Await(ctx, "Prometheus to be ready", limit, func(ctx context.Context) error {
		return s.get(ctx, "/api/v1/status/runtimeinfo", nil, nil)
	})
}

// startAgent runs an agent as in a pod. Its share is this machine's file system, in which it waits for a file.
func startAgent(programs string, port int) error {
	_, err := kubernetes.Run("agent", []string{
		filepath.Join(programs, "podshare-agent"), "run", "--consume=reader:/", "--await=reader/podshare/never-there",
		fmt.Sprintf("--metrics-port=%d", port), fmt.Sprintf("--socket=@podshare-monitoring-%d", port),
	})
	return err
}

// get asks the HTTP API; into gets the answer's data.
func (s *server) get(ctx context.Context, path string, parameters url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path+"?"+parameters.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	var answer struct {
		Status, Error string
		Warnings      []string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s answers %s: %w", path, response.Status, err)
	}
	if answer.Status != "success" || len(answer.Warnings) > 0 {
		return fmt.Errorf("%s answers %s: %s %q", path, answer.Status, answer.Error, answer.Warnings)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, into)
}

// alert is one that is pending or fires.
type alert struct {
	Labels, Annotations map[string]string
	State               string
}

func (s *server) alerts(ctx context.Context) ([]alert, error) {
	var answer struct{ Alerts []alert }
	err := s.get(ctx, "/api/v1/alerts", nil, &answer)
	return answer.Alerts, err
}
