// Package servers runs podshare's two programs beside a control plane of e2e/cluster, where no node would run their pods: with the
// arguments that the manifests give them.
package servers

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/podshare/podshare/e2e/cluster"
	"github.com/podshare/podshare/e2e/install"
)

const (
	namespace = "podshare-system"

	webhookName    = "podshare-webhook"
	controllerName = "podshare-controller"

	// readyLimit bounds the wait for each server: many times what it takes.
	readyLimit = 30 * time.Second
	// tokenSeconds is how long a cluster that was kept works.
	tokenSeconds = 24 * 60 * 60
)

// Servers are an installation's. Webhook and Controller are nil until they are started.
type Servers struct {
	Webhook, Controller *cluster.Process
	// WebhookPort is where the webhook listens, at the cluster's gateway.
	WebhookPort int

	cluster  *cluster.Cluster
	programs string                       // the directory with both
	objects  []*unstructured.Unstructured // the installation
	dir      string                       // for their files

	webhookMetrics, controllerMetrics int
}

// New prepares the files of both, and points the installation's webhooks to this machine. programs is the directory with both.
func New(c *cluster.Cluster, programs string, objects []*unstructured.Unstructured) (*Servers, error) {
	ports, err := cluster.FreePorts(3)
	if err != nil {
		return nil, err
	}
	s := &Servers{
		cluster: c, objects: objects, dir: filepath.Join(filepath.Dir(c.Kubeconfig()), "podshare"),
		WebhookPort: ports[0], webhookMetrics: ports[1], controllerMetrics: ports[2],
	}
	if s.programs, err = filepath.Abs(programs); err != nil {
		return nil, err
	}
	ca, err := install.WriteServingCertificate(s.Certificates(), c.Gateway())
	if err != nil {
		return nil, err
	}
	config, err := install.ConfigFile(objects)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.config(), config, 0o600); err != nil {
		return nil, err
	}
	return s, install.PointWebhooks(objects, c.Gateway(), s.WebhookPort, ca)
}

// Certificates is the directory with the webhook's certificate and key.
func (s *Servers) Certificates() string { return filepath.Join(s.dir, "certificates") }
func (s *Servers) config() string       { return filepath.Join(s.dir, "config.yaml") }

// StartWebhook runs the webhook, which gets no credentials, and waits until it is ready.
func (s *Servers) StartWebhook(ctx context.Context) (err error) {
	s.Webhook, err = s.start(ctx, webhookName, s.webhookMetrics,
		"--cert-dir="+s.Certificates(), fmt.Sprintf("--bind-address=%s:%d", s.cluster.Gateway(), s.WebhookPort),
		"--drain-delay=0s") // no Service sends it requests that a leaving pod still has to answer
	return err
}

// StartController runs the controller as its ServiceAccount, so with what rbac.yaml allows it, and waits until it is ready. It reaches
// the API server at a URL, the API server's own if that is empty. Flags come after those of the Deployment.
func (s *Servers) StartController(ctx context.Context, apiServer string, flags ...string) (err error) {
	kubeconfig := filepath.Join(s.dir, "controller.kubeconfig")
	if err := s.writeKubeconfig(ctx, kubeconfig, apiServer, controllerName); err != nil {
		return err
	}
	s.Controller, err = s.start(ctx, controllerName, s.controllerMetrics, append(flags, "--kubeconfig="+kubeconfig)...)
	return err
}

// start runs a Deployment's program, which has its name, with its own arguments and then with those that replace addresses and files.
func (s *Servers) start(ctx context.Context, deployment string, metrics int, replacements ...string) (*cluster.Process, error) {
	arguments, err := install.Arguments(s.objects, deployment)
	if err != nil {
		return nil, err
	}
	arguments = slices.Concat([]string{filepath.Join(s.programs, deployment)}, arguments, replacements,
		[]string{"--config=" + s.config(), fmt.Sprintf("--metrics-address=127.0.0.1:%d", metrics)})
	process, err := s.cluster.Run(deployment, arguments)
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/readyz", metrics)
	return process, process.Await(ctx, url, readyLimit, func(ctx context.Context) error {
		_, err := get(ctx, url)
		return err
	})
}

// writeKubeconfig writes a kubeconfig that holds a token of the ServiceAccount and nothing else.
func (s *Servers) writeKubeconfig(ctx context.Context, path, apiServer, account string) error {
	config := s.cluster.Config()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	token, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenSeconds))},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("a token for ServiceAccount %s/%s: %w", namespace, account, err)
	}
	const name = "local"
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: cmp.Or(apiServer, config.Host), CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, path)
}

// get returns the body of an answer of 200 OK.
func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}
