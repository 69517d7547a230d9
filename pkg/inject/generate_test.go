package inject_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// podCase is a generated pod and what it is meant to be.
type podCase struct {
	pod                map[string]any
	produced, consumed []string
	named              []string // of the annotation containers; nil without it
	mode               string   // of PYTHONPATH
	image              string   // the PYTHONPATH of the image, which its annotation says too
	readiness          string   // of the annotation; the default without it
	configMap          map[string]string
	platform           *config.Config
	hostNetwork        bool
}

// drawCase generates pods that are accepted: with and without each list, half injected, with variables of every kind and with
// fields that nobody knows.
func drawCase(t *rapid.T) *podCase {
	c := &podCase{mode: rapid.SampledFrom([]string{"", "append", "prepend", "none"}).Draw(t, "mode")}
	for _, name := range rapid.Permutation([]string{"rules", "models", "price-rules", "x1"}).Draw(t, "shares") {
		switch rapid.IntRange(0, 3).Draw(t, "role") {
		case 0:
			c.produced = append(c.produced, name)
		case 1:
			c.consumed = append(c.consumed, name)
		}
	}
	if len(c.produced)+len(c.consumed) == 0 {
		c.consumed = []string{"rules"}
	}
	c.image = rapid.SampledFrom([]string{"", "/usr/lib/app", "/app:/podshare/rules"}).Draw(t, "image")
	c.readiness = rapid.SampledFrom([]string{"", "sidecar", "container", "none"}).Draw(t, "readiness")
	c.platform = config.Default()
	c.platform.Agent.Probe = rapid.SampledFrom(config.ProbeKinds).Draw(t, "probe")
	c.platform.Agent.Metrics = rapid.Bool().Draw(t, "metrics")
	c.configMap = map[string]string{"LOG_LEVEL": "debug"}
	if rapid.Bool().Draw(t, "configMap sets PYTHONPATH") {
		c.configMap[api.EnvPythonPath] = "/from/configmap"
	}
	spec := c.mapping(t, "spec")
	c.security(t, "pod", spec, "fsGroup")
	if c.hostNetwork = rapid.IntRange(0, 3).Draw(t, "is on the host's network") == 0; c.hostNetwork {
		spec["hostNetwork"] = true
	}
	if rapid.Bool().Draw(t, "has no token") {
		spec["automountServiceAccountToken"] = false
	}
	c.pod = map[string]any{"apiVersion": "v1", "kind": "Pod", "spec": spec, "metadata": c.metadata(t)}
	containers := c.containers(t, "app", 1)
	spec["containers"] = containers
	if rapid.Bool().Draw(t, "has init containers") {
		spec["initContainers"] = c.containers(t, "init", 0)
	}
	c.volumes(t, spec)
	if rapid.Bool().Draw(t, "names containers") {
		c.named = []string{"app-0"}
		if init, ok := spec["initContainers"].([]any); ok && len(init) > 0 {
			c.named = append(c.named, "init-0")
		}
		c.annotate(api.Containers, strings.Join(c.named, ","))
	}
	return c
}

func (c *podCase) annotate(key, value string) {
	c.pod["metadata"].(map[string]any)["annotations"].(map[string]any)[key] = value
}

func (c *podCase) metadata(t *rapid.T) map[string]any {
	annotations := map[string]any{"example.com/~odd/key": "x"}
	for key, value := range map[string]string{
		api.Produce: strings.Join(c.produced, ","), api.Consume: strings.Join(c.consumed, ","),
		api.PythonPath: c.mode, api.ImagePythonPath: c.image, api.Readiness: c.readiness,
	} {
		if value != "" {
			annotations[key] = value
		}
	}
	if rapid.Bool().Draw(t, "has a stale report") {
		annotations[api.Status] = "stale"
	}
	metadata := c.mapping(t, "metadata")
	metadata["annotations"] = annotations
	switch rapid.IntRange(0, 3).Draw(t, "labels") {
	case 0:
		metadata["labels"] = map[string]any{}
	case 1:
		metadata["labels"] = map[string]any{"app": "x", api.InjectedLabel: "no"}
	case 2:
		metadata["labels"] = nil
	}
	return metadata
}

// mapping is an object with or without fields that our version of the API does not know.
func (c *podCase) mapping(t *rapid.T, of string) map[string]any {
	m := map[string]any{}
	if rapid.Bool().Draw(t, of+" has a new field") {
		m["newField"] = rapid.SampledFrom([]any{
			nil, true, 1.5, "<&>", []any{}, map[string]any{}, map[string]any{"a": []any{nil, 1.0}},
		}).Draw(t, "new field")
	}
	return m
}

func (c *podCase) containers(t *rapid.T, prefix string, least int) []any {
	var containers []any
	for n := range rapid.IntRange(least, 3).Draw(t, prefix+" containers") {
		container := c.mapping(t, "container")
		container["name"] = fmt.Sprintf("%s-%d", prefix, n)
		c.security(t, "container", container)
		if prefix == "init" && rapid.Bool().Draw(t, "is a sidecar") {
			container["restartPolicy"] = "Always"
		}
		if rapid.IntRange(0, 3).Draw(t, "has a probe") == 0 {
			container["readinessProbe"] = map[string]any{"exec": map[string]any{"command": []any{"/ready"}}, "newField": true}
		}
		if rapid.Bool().Draw(t, "has env") {
			container["env"] = c.env(t)
		}
		switch rapid.IntRange(0, 2).Draw(t, "envFrom") {
		case 0:
			container["envFrom"] = []any{map[string]any{"configMapRef": map[string]any{"name": "app"}}}
		case 1:
			container["envFrom"] = []any{map[string]any{"configMapRef": map[string]any{"name": "app"}, "prefix": "APP_"}}
		}
		if rapid.Bool().Draw(t, "has mounts") {
			container["volumeMounts"] = c.mounts(t)
		}
		containers = append(containers, container)
	}
	if containers == nil {
		return []any{}
	}
	return containers
}

// security gives a pod or a container users and groups.
func (c *podCase) security(t *rapid.T, of string, object map[string]any, more ...string) {
	context := c.mapping(t, of+" security")
	for _, key := range append([]string{"runAsUser", "runAsGroup"}, more...) {
		if id := rapid.SampledFrom([]float64{-1, -1, 0, 1000, 2000}).Draw(t, of+" "+key); id >= 0 {
			context[key] = id
		}
	}
	if len(context) > 0 {
		object["securityContext"] = context
	}
}

// env are variables of the user's, among them what an earlier injection may have left.
func (c *podCase) env(t *rapid.T) []any {
	fromConfigMap := map[string]any{"configMapKeyRef": map[string]any{"name": "app", "key": "pythonpath"}}
	choices := []map[string]any{
		{"name": "PYTHONPATH", "value": "/app:"},
		{"name": "PYTHONPATH", "value": "/app:/podshare/rules"},
		{"name": "PYTHONPATH"},
		{"name": "PYTHONPATH", "valueFrom": fromConfigMap},
		{"name": "USES_PYTHONPATH", "value": "$(PYTHONPATH)/x"},
		{"name": "OTHER", "value": "$$(LOG_LEVEL) <&>"},
		{"name": "PYTHONDONTWRITEBYTECODE", "value": "0"},
	}
	for _, s := range slices.Concat(c.produced, c.consumed) {
		choices = append(choices, map[string]any{"name": api.DirEnv(s), "value": "/podshare/" + s})
	}
	env := []any{}
	for range rapid.IntRange(0, 4).Draw(t, "variables") {
		variable := c.mapping(t, "variable")
		maps.Copy(variable, rapid.SampledFrom(choices).Draw(t, "variable"))
		env = append(env, variable)
	}
	return env
}

func (c *podCase) mounts(t *rapid.T) []any {
	mounts := []any{}
	if rapid.Bool().Draw(t, "mounts data") {
		mount := c.mapping(t, "mount")
		mount["name"], mount["mountPath"] = "data", rapid.SampledFrom([]string{"/data", "/podshare"}).Draw(t, "path")
		mounts = append(mounts, mount)
	}
	for _, s := range slices.Concat(c.produced, c.consumed) {
		if rapid.IntRange(0, 3).Draw(t, "is mounted already") == 0 {
			mount := map[string]any{"name": "podshare-" + s, "mountPath": "/podshare/" + s}
			if slices.Contains(c.consumed, s) {
				mount["readOnly"] = true
			}
			mounts = append(mounts, mount)
		}
	}
	return mounts
}

func (c *podCase) volumes(t *rapid.T, spec map[string]any) {
	switch rapid.IntRange(0, 2).Draw(t, "volumes") {
	case 0:
		return
	case 1:
		spec["volumes"] = nil
		return
	}
	data := c.mapping(t, "volume")
	data["name"], data["emptyDir"] = "data", map[string]any{}
	volumes := []any{data}
	for _, s := range slices.Concat(c.produced, c.consumed) {
		if rapid.IntRange(0, 3).Draw(t, "has its volume already") == 0 {
			claim := map[string]any{"claimName": "podshare-" + s}
			if slices.Contains(c.consumed, s) {
				claim["readOnly"] = true
			}
			volumes = append(volumes, map[string]any{"name": "podshare-" + s, "persistentVolumeClaim": claim})
		}
	}
	spec["volumes"] = volumes
}

// effective is the environment of a process in a container, made as kubelet and the container runtime make it
// (k8s.io/kubernetes, kubelet.makeEnvironmentVariables): the image's, then envFrom, then env with its references to
// what came before.
func (c *podCase) effective(container *corev1.Container) map[string]string {
	image := map[string]string{}
	if c.image != "" {
		image[api.EnvPythonPath] = c.image
	}
	given := map[string]string{}
	for _, source := range container.EnvFrom {
		for name, value := range c.configMap {
			given[source.Prefix+name] = value
		}
	}
	for _, e := range container.Env {
		if e.ValueFrom != nil {
			given[e.Name] = "/from/key"
			continue
		}
		given[e.Name] = expand(e.Value, given)
	}
	maps.Copy(image, given)
	return image
}

// expand replaces $(NAME); $$ is a dollar, and a name that is not known stays as it is written.
func expand(value string, known map[string]string) string {
	var out strings.Builder
	for value != "" {
		name, rest, isReference := "", "", strings.HasPrefix(value, "$(")
		if isReference {
			name, rest, isReference = strings.Cut(value[2:], ")")
		}
		replacement, isKnown := known[name]
		switch {
		case strings.HasPrefix(value, "$$"):
			out.WriteByte('$')
			value = value[2:]
		case isReference && isKnown:
			out.WriteString(replacement)
			value = rest
		default:
			out.WriteByte(value[0])
			value = value[1:]
		}
	}
	return out.String()
}

// requireSurvival checks that everything of a value is still there after injection, in its order: members of objects
// and items of lists may only be added. What injection may edit is left out.
func requireSurvival(t *rapid.T, before, after any) {
	switch before := before.(type) {
	case map[string]any:
		object, ok := after.(map[string]any)
		require.True(t, ok, "an object became %v", after)
		for key, value := range before {
			if edited(before, key) || (value == nil && (key == "volumes" || key == "labels")) {
				continue
			}
			require.Contains(t, object, key)
			requireSurvival(t, value, object[key])
		}
	case []any:
		list, ok := after.([]any)
		require.True(t, ok, "a list became %v", after)
		next := 0
		for _, item := range before {
			for next < len(list) && identity(list[next]) != identity(item) {
				next++
			}
			require.Less(t, next, len(list), "%v is gone or was moved", item)
			requireSurvival(t, item, list[next])
			next++
		}
	default:
		require.Equal(t, before, after)
	}
}

// edited says what of an object injection may change: its own label and report, and a PYTHONPATH.
func edited(object map[string]any, key string) bool {
	return key == api.InjectedLabel || key == api.Status ||
		(object["name"] == api.EnvPythonPath && (key == "name" || key == "value"))
}

// identity tells the items of a list apart. The renamed PYTHONPATH counts as the same.
func identity(item any) string {
	object, ok := item.(map[string]any)
	if !ok {
		return fmt.Sprint(item)
	}
	if object["name"] == api.EnvBasePythonPath {
		return fmt.Sprint(api.EnvPythonPath, nil)
	}
	return fmt.Sprint(object["name"], object["mountPath"])
}
