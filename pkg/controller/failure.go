package controller

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// isNamespaceEnding says that nothing can be created in the namespace, now or later: its pods are about to go too.
func isNamespaceEnding(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err)
}

// createFailure and growFailure tell what the API server answered: a quota that is full, a policy, too many requests.
func createFailure(o observation, claim string, err error) notice {
	n := warning("ClaimNotCreated", createClaim, "cannot create claim %q: %s; podshare tries again, at least every %s",
		claim, answer(err), lastRetry)
	n.users = o.users
	return n
}

// tooManyShares tells of policy. Nothing tells when a claim of the namespace goes, so podshare looks again by itself.
func tooManyShares(o observation, full string) notice {
	n := warning("TooManyShares", createClaim, "no claim for the share %q: %s; delete one that is not needed, or ask the platform team; "+
		"podshare looks again every %s", o.share.Name, full, recheck)
	n.users = o.users
	return n
}

func growFailure(o observation, err error) notice {
	n := warning("ClaimNotGrown", growClaim, "cannot grow claim %q from %s: %s; podshare tries again, at least every %s",
		o.claim.Name, o.claim.Spec.Resources.Requests.Storage(), answer(err), lastRetry)
	n.users = askingForMore(o)
	return n
}

// answer is the API server's own sentence. Other errors name addresses and ports, which help nobody who reads Events.
func answer(err error) string {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return status.Status().Message
	}
	return "the API server did not answer"
}

// newErrorCounter counts failed reconciliations, by the reason that the API server gives.
func newErrorCounter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "podshare_reconcile_errors_total",
		Help: "Reconciliations of a share that failed and are tried again, by the API server's reason; " +
			"Unreachable: it did not answer. Only the leader reconciles.",
	}, []string{"reason"})
}

// errorReason is one of the API's reasons, of which there are about 20.
func errorReason(err error) string {
	if reason := apierrors.ReasonForError(err); reason != "" {
		return string(reason)
	}
	return "Unreachable"
}
