package webhook

import (
	"fmt"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A pod may have as many mistakes as it has room for annotations, far more than anybody reads.
const (
	maxTold   = 16  // in the message, which is all that an Event shows
	maxCauses = 100 // in the details, which kubectl prints a line each
)

// refusal is the status that tells of a pod's mistakes: Forbidden when policy is all that is in the way, so that asking
// the platform team helps, else Invalid, since the pod itself has to be written differently.
func refusal(mistakes field.ErrorList) *metav1.Status {
	status := &metav1.Status{
		Code:    http.StatusForbidden,
		Reason:  metav1.StatusReasonForbidden,
		Message: tell(mistakes),
		Details: &metav1.StatusDetails{},
	}
	for _, m := range mistakes {
		if m.Type != field.ErrorTypeForbidden {
			status.Code, status.Reason = http.StatusUnprocessableEntity, metav1.StatusReasonInvalid
		}
	}
	for _, m := range mistakes[:min(len(mistakes), maxCauses)] {
		status.Details.Causes = append(status.Details.Causes,
			metav1.StatusCause{Type: metav1.CauseType(m.Type), Message: m.ErrorBody(), Field: m.Field})
	}
	return status
}

// tell puts mistakes into one line: a line break would not survive everywhere that it is shown.
func tell(mistakes field.ErrorList) string {
	if len(mistakes) == 1 {
		return mistakes[0].Error()
	}
	var told []string
	for n, m := range mistakes[:min(len(mistakes), maxTold)] {
		told = append(told, fmt.Sprintf("(%d) %s", n+1, m.Error()))
	}
	if more := len(mistakes) - maxTold; more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d mistakes: %s", len(mistakes), strings.Join(told, "; "))
}
