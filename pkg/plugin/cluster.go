package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cluster is what commands ask, with the user's own credentials. They change nothing there: all that they send are dry runs.
type cluster struct {
	client.Client
	access *rest.Config
}

func (o *options) cluster() (*cluster, error) {
	access, err := o.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	access = rest.CopyConfig(access)
	access.QPS, access.Burst = 50, 100                 // it asks a few dozen questions, and ends
	access.WarningHandler = rest.NoWarnings{}          // of dry runs
	asked, err := client.New(access, client.Options{}) // asks when it is asked
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &cluster{asked, access}, nil
}

// typed is the client for what is no object: the proxies of nodes and pods.
func (c *cluster) typed() (*kubernetes.Clientset, error) { return kubernetes.NewForConfig(c.access) }

// now is the API server's time: that of this machine may be another one, and a lease is a matter of seconds.
func (c *cluster) now(ctx context.Context) (time.Time, error) {
	typed, err := c.typed()
	if err != nil {
		return time.Time{}, err
	}
	asking, err := rest.HTTPClientFor(c.access)
	if err != nil {
		return time.Time{}, err
	}
	url := typed.Discovery().RESTClient().Get().AbsPath("/version").URL()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url.String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	response, err := asking.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing of it is read
	return http.ParseTime(response.Header.Get("Date"))
}

// read gets an object and reports whether it is there. The error is about something else: most often the user may not look.
func (c *cluster) read(ctx context.Context, key client.ObjectKey, object client.Object) (found bool, err error) {
	if err := c.Get(ctx, key, object); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return true, nil
}

// notes are what could not be read, each with why.
type notes []string

func (n *notes) add(what string, err error) {
	if err != nil {
		*n = append(*n, what+": "+reason(err))
	}
}

func (n notes) show(p *page) {
	for _, what := range n {
		p.field("Not Read", "%s", what)
	}
}

// reason says in a few words why something could not be looked at.
func reason(err error) string {
	if apierrors.IsForbidden(err) {
		return "you may not read it"
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}
