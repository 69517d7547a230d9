package api

import "strings"

// Labels that podshare writes.
const (
	// InjectedLabel is "true" on an injected pod: the controller finds pods by it.
	InjectedLabel = Prefix + "injected"
	// ShareLabel names the share on a claim that podshare created: the controller finds claims by it.
	ShareLabel = Prefix + "share"
	// ManagedByLabel is ManagedBy on a claim that podshare created.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of ManagedByLabel.
	ManagedBy = "podshare"
)

// Environment variables that podshare sets.
const (
	// EnvPythonPath is the interpreter's own variable for additional module directories.
	EnvPythonPath = "PYTHONPATH"
	// EnvBasePythonPath keeps a PYTHONPATH of the user's that is a valueFrom, under a name that ours can refer to.
	EnvBasePythonPath = "PODSHARE_BASE_PYTHONPATH"
	// EnvDontWriteBytecode keeps Python from writing __pycache__ on a share that others import from.
	EnvDontWriteBytecode = "PYTHONDONTWRITEBYTECODE"
)

// The readiness agent, which checks a pod's shares.
const (
	// AgentContainer is the init container that podshare adds: a sidecar that is the agent, or one that installs it.
	AgentContainer = "podshare-agent"
	// AgentVolume is the volume with the installed agent. No share has a volume of this name, since no share's name begins with "-".
	AgentVolume = "podshare--agent"
	// AgentDir is where it is mounted. No share can be mounted there.
	AgentDir = "/run/podshare-agent"
	// AgentProgram is the agent in its own image. No share can be mounted there either.
	AgentProgram = "/podshare-agent"
	// AgentMetricsPort names the sidecar's port where metrics are, for those who look for it: a PodMonitor.
	AgentMetricsPort = "podshare"
	// NoTokenVolume is the empty volume that takes the place of the service account's token in the sidecar.
	NoTokenVolume = "podshare--no-token" //nolint:gosec // a name
)

// namePrefix begins the name of a share's claim and volume. With it, a share's name of MaxShareNameLength characters
// is a label of 63: the longest volume name.
const namePrefix = "podshare-"

// MaxShareNameLength is the longest name of a share, in characters.
const MaxShareNameLength = 63 - len(namePrefix)

// ClaimName is the name of the PersistentVolumeClaim that is the share. The webhook that mounts it and the controller that creates
// it both take it from here.
func ClaimName(share string) string { return namePrefix + share }

// VolumeName is the name of the share's volume in a pod.
func VolumeName(share string) string { return namePrefix + share }

// DirEnv is the environment variable that tells a container where the share is mounted: PODSHARE_PRICE_RULES_DIR for
// "price-rules". Names of shares have no underscore, so two shares never have the same variable.
func DirEnv(share string) string {
	return "PODSHARE_" + strings.ToUpper(strings.ReplaceAll(share, "-", "_")) + "_DIR"
}
