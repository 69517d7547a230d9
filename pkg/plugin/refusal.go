package plugin

import "strings"

// meanings are for what API servers say when a pod is refused: they say it to people, in words that no field repeats. Each with what is
// behind it and where to look.
var meanings = []struct{ says, means string }{
	{"x509: certificate signed by unknown authority", "the caBundle of the webhook configurations does not belong to the webhook's certificate: " +
		"with cert-manager, look at its cainjector; else write the authority's certificate into both"},
	{"certificate has expired", "the webhook's certificate has ended: kubectl -n " + systemNamespace + " describe certificate " + certificateName},
	{"x509: certificate is valid for", "the webhook's certificate is for another name than " + servingName + ": issue it anew"},
	{"x509: ", "the API server does not accept the webhook's certificate: kubectl podshare doctor"},
	{"no endpoints available for service", "no pod of the webhook is ready: kubectl -n " + systemNamespace + " get pods"},
	{"service \"" + webhookName + "\" not found", "the Service is gone: apply podshare's manifests again"},
	{"connection refused", "nothing listens where the API server asks: kubectl -n " + systemNamespace + " get pods"},
	{"context deadline exceeded", "the API server does not reach the webhook's pods in time: a firewall between control plane and nodes must let " +
		"their port 9443 through, and their nodes must have time for them"},
	{"i/o timeout", "the API server does not reach the webhook's pods: a firewall between control plane and nodes must let their port 9443 through"},
	{"no route to host", "the API server does not reach the webhook's pods: look at the cluster's network"},
	{"did not inject", "the API server does not ask podshare, or another webhook undoes it: kubectl podshare doctor"},
	{"denied the request: podshare: ", "mend what it names, in the template"},
}

// servingName is what API servers call the webhook by.
const servingName = webhookName + "." + systemNamespace + ".svc"

// meaning is what is behind an API server's message.
func meaning(message string) string {
	for _, m := range meanings {
		if strings.Contains(message, m.says) {
			return m.means
		}
	}
	return "kubectl podshare doctor"
}
