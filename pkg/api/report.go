package api

// Report is the JSON value of the annotation Status: what podshare did to the pod, for people and tools to read.
// It describes the pod as it is after injection and not the change that one admission made, so it stays the same when
// the webhook is called again.
type Report struct {
	// Shares are the pod's shares: those it produces, then those it consumes, each as written.
	Shares []ShareStatus `json:"shares"`
	// Containers are the names of the containers that take part, init containers first.
	Containers []string `json:"containers"`
	// Readiness says who checks the shares.
	Readiness ReadinessMode `json:"readiness"`
	// LeftAlone are the parts of the pod that injection could have changed and did not.
	LeftAlone []LeftAlone `json:"leftAlone,omitempty"`
}

// ShareStatus is one share of a pod.
type ShareStatus struct {
	Name  string `json:"name"`
	Role  Role   `json:"role"`
	Claim string `json:"claim"`
	Path  string `json:"path"`
}

// LeftAlone says what was not touched, and why.
type LeftAlone struct {
	What string `json:"what"`
	Why  string `json:"why"`
}
