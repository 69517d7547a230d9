package inject_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
)

// TestMain makes each property see 10,000 pods, unless the command line says otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "10000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestAnyPodComesOutAsIntended injects pods of all kinds and looks at them as the kubelet would.
func TestAnyPodComesOutAsIntended(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		raw, err := json.Marshal(c.pod)
		require.NoError(t, err)
		result, err := injectJSON(raw, "shop", c.platform)
		require.NoError(t, err)

		var after map[string]any
		injected := apply(t, raw, result)
		require.NoError(t, json.Unmarshal(injected, &after))
		requireSurvival(t, c.pod, after)

		var before, pod corev1.Pod
		require.NoError(t, json.Unmarshal(raw, &before))
		require.NoError(t, json.Unmarshal(injected, &pod))
		requireIntended(t, c, &before, &pod)
		for _, warning := range result.Warnings {
			require.LessOrEqual(t, len([]rune(warning)), 120)
			require.NotContains(t, warning, "\n")
		}

		again, err := injectJSON(injected, "shop", c.platform)
		require.NoError(t, err)
		require.Empty(t, again.Patch, "a second injection has nothing to do")
		require.Equal(t, result.Report, again.Report)
	})
}

// TestWhatComesBetweenTwoInjectionsTakesPart is the reinvocation: another webhook adds a container after ours.
func TestWhatComesBetweenTwoInjectionsTakesPart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		if c.named != nil {
			return // then a new container does not take part
		}
		raw, err := json.Marshal(c.pod)
		require.NoError(t, err)
		result, err := injectJSON(raw, "shop", c.platform)
		require.NoError(t, err)
		var between map[string]any
		require.NoError(t, json.Unmarshal(apply(t, raw, result), &between))
		spec := between["spec"].(map[string]any)
		containers := spec["containers"].([]any)
		for _, init := range asList(spec["initContainers"]) {
			if container := init.(map[string]any); container["name"] == api.AgentContainer {
				delete(container, "restartPolicy") // an old webhook does not know it
			}
		}
		place := rapid.IntRange(0, len(containers)).Draw(t, "place")
		spec["containers"] = slices.Insert(containers, place, any(map[string]any{"name": "late", "image": "mesh/proxy"}))

		raw, err = json.Marshal(between)
		require.NoError(t, err)
		result, err = injectJSON(raw, "shop", c.platform)
		require.NoError(t, err)
		var pod corev1.Pod
		require.NoError(t, json.Unmarshal(apply(t, raw, result), &pod))
		mounts := len(c.produced) + len(c.consumed)
		if c.readiness == "container" {
			mounts++ // the agent's
		}
		require.Len(t, pod.Spec.Containers[place].VolumeMounts, mounts)
		requireReadiness(t, c, &pod)
		for _, operation := range result.Patch {
			require.False(t, strings.HasPrefix(operation.Path, "/spec/volumes") && !strings.Contains(operation.Json(), api.AgentVolume), "%v", operation)
		}
	})
}

// requireIntended compares a pod with what its annotations ask for.
func requireIntended(t *rapid.T, c *podCase, before, after *corev1.Pod) {
	shares := slices.Concat(c.produced, c.consumed)
	for _, s := range shares {
		n := slices.IndexFunc(after.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "podshare-"+s })
		require.GreaterOrEqual(t, n, 0, "a volume for share %s", s)
		require.Equal(t, &corev1.PersistentVolumeClaimVolumeSource{
			ClaimName: "podshare-" + s, ReadOnly: slices.Contains(c.consumed, s),
		}, after.Spec.Volumes[n].PersistentVolumeClaim)
	}
	require.LessOrEqual(t, len(after.Spec.Volumes), len(before.Spec.Volumes)+len(shares)+1) // the agent's is one
	require.Equal(t, "true", after.Labels[api.InjectedLabel])

	requireReadiness(t, c, after)
	own := slices.DeleteFunc(slices.Clone(after.Spec.InitContainers), isAgent)
	requireContainers(t, c, before.Spec.InitContainers, own, false)
	requireContainers(t, c, before.Spec.Containers, after.Spec.Containers, true)
}

func isAgent(c corev1.Container) bool { return c.Name == api.AgentContainer }

// takesPart says whether a container does.
func (c *podCase) takesPart(name string, byDefault bool) bool {
	if c.named == nil {
		return byDefault
	}
	return slices.Contains(c.named, name)
}

// taking are the containers of a pod that take part.
func (c *podCase) taking(pod *corev1.Pod) []corev1.Container {
	var taking []corev1.Container
	for _, container := range pod.Spec.InitContainers {
		if c.takesPart(container.Name, false) {
			taking = append(taking, container)
		}
	}
	for _, container := range pod.Spec.Containers {
		if c.takesPart(container.Name, true) {
			taking = append(taking, container)
		}
	}
	return taking
}

const installed = api.AgentDir + "/podshare-agent"

// requireReadiness looks for what the mode promises.
func requireReadiness(t *rapid.T, c *podCase, pod *corev1.Pod) {
	agents := slices.DeleteFunc(slices.Clone(pod.Spec.InitContainers), func(c corev1.Container) bool { return !isAgent(c) })
	probed := 0
	for _, container := range c.taking(pod) {
		probe := container.ReadinessProbe
		if probe != nil && probe.Exec.Command[0] == installed {
			probed++
			require.Equal(t, 1, count(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == api.AgentDir }))
		}
		canProbe := !strings.HasPrefix(container.Name, "init-") || container.RestartPolicy != nil
		require.False(t, c.readiness == "container" && canProbe && probe == nil, "container %s has no probe", container.Name)
	}
	switch {
	case c.readiness == "none", c.readiness == "container" && probed == 0:
		require.Empty(t, agents)
		return
	case c.readiness == "container":
		require.Len(t, agents, 1)
		require.Nil(t, agents[0].RestartPolicy)
		return
	}
	require.Zero(t, probed, "the user's containers are left alone")
	require.Len(t, agents, 1)
	require.Equal(t, corev1.ContainerRestartPolicyAlways, *agents[0].RestartPolicy)
	for _, s := range slices.Concat(c.produced, c.consumed) {
		require.Contains(t, agents[0].VolumeMounts, corev1.VolumeMount{
			Name: "podshare-" + s, MountPath: "/podshare/" + s, ReadOnly: slices.Contains(c.consumed, s),
		})
	}
	requireAgentsPort(t, c, &agents[0])
	requireAgentsUser(t, c, pod, &agents[0])
}

// requireAgentsPort checks that the sidecar listens where the platform says so, and nowhere on the host's network.
func requireAgentsPort(t *rapid.T, c *podCase, agent *corev1.Container) {
	probe := agent.ReadinessProbe
	asked := !c.hostNetwork && c.platform.Agent.Probe == config.ProbeHTTPGet
	require.Equal(t, asked, probe.HTTPGet != nil)
	require.Equal(t, !asked, probe.Exec != nil)
	require.Equal(t, asked, slices.Contains(agent.Args, "--port=9472"))
	told := !c.hostNetwork && c.platform.Agent.Metrics
	require.Equal(t, told, slices.Contains(agent.Args, "--metrics-port=9472"))
	if !told {
		require.Empty(t, agent.Ports)
		return
	}
	require.Equal(t, []corev1.ContainerPort{{Name: "podshare", ContainerPort: 9472, Protocol: corev1.ProtocolTCP}}, agent.Ports)
}

// requireAgentsUser checks that the sidecar is never root, and that it judges permissions only as the user and group that all
// containers have.
func requireAgentsUser(t *rapid.T, c *podCase, pod *corev1.Pod, agent *corev1.Container) {
	user, group := ids(pod, agent)
	require.True(t, *agent.SecurityContext.RunAsNonRoot)
	require.NotEqual(t, "0", user)
	if !slices.Contains(agent.Args, "--same-user") {
		return
	}
	for _, container := range c.taking(pod) {
		itsUser, itsGroup := ids(pod, &container)
		require.Equal(t, user, itsUser)
		require.Equal(t, group, itsGroup)
		require.NotEmpty(t, itsUser)
		require.True(t, itsGroup != "" || pod.Spec.SecurityContext.FSGroup != nil)
	}
}

// ids are the user and group of a container, "" where they are the image's.
func ids(pod *corev1.Pod, c *corev1.Container) (user, group string) {
	if of := pod.Spec.SecurityContext; of != nil {
		user, group = text(of.RunAsUser), text(of.RunAsGroup)
	}
	if of := c.SecurityContext; of != nil {
		user, group = cmp.Or(text(of.RunAsUser), user), cmp.Or(text(of.RunAsGroup), group)
	}
	return user, group
}

func text(id *int64) string {
	if id == nil {
		return ""
	}
	return strconv.FormatInt(*id, 10)
}

func requireContainers(t *rapid.T, c *podCase, before, after []corev1.Container, byDefault bool) {
	require.Len(t, after, len(before))
	for n := range before {
		if !c.takesPart(before[n].Name, byDefault) {
			require.Equal(t, before[n], after[n], "a container that takes no part")
			continue
		}
		for _, s := range slices.Concat(c.produced, c.consumed) {
			require.Equal(t, 1, count(after[n].VolumeMounts, func(m corev1.VolumeMount) bool {
				return m.Name == "podshare-"+s && m.MountPath == "/podshare/"+s && m.ReadOnly == slices.Contains(c.consumed, s)
			}), "container %s mounts share %s once", after[n].Name, s)
			require.Equal(t, "/podshare/"+s, c.effective(&after[n])[api.DirEnv(s)])
		}
		requireEnvironment(t, c, &before[n], &after[n])
		if before[n].ReadinessProbe != nil {
			require.Equal(t, before[n].ReadinessProbe, after[n].ReadinessProbe, "the user's own probe")
		}
	}
}

// requireEnvironment compares what a process would see in its environment.
func requireEnvironment(t *rapid.T, c *podCase, before, after *corev1.Container) {
	was, is := c.effective(before), c.effective(after)
	if len(c.produced) > 0 {
		want := "1"
		if own, set := was[api.EnvDontWriteBytecode]; set && hasEnv(before, api.EnvDontWriteBytecode) {
			want = own
		}
		require.Equal(t, want, is[api.EnvDontWriteBytecode])
	}
	if len(c.consumed) > 0 && c.mode != "none" {
		require.Equal(t, c.wantPythonPath(before, was[api.EnvPythonPath]), strings.Split(is[api.EnvPythonPath], ":"))
	} else {
		require.Equal(t, was[api.EnvPythonPath], is[api.EnvPythonPath])
	}
	for name, value := range was { // nothing of the user's is lost or changed
		switch name {
		case api.EnvPythonPath, api.EnvDontWriteBytecode:
		case "USES_PYTHONPATH": // it refers to what changed
		default:
			require.Equal(t, value, is[name], "variable %s", name)
		}
	}
	for name := range is {
		_, known := was[name]
		require.True(t, known || strings.HasPrefix(name, "PODSHARE_") || strings.HasPrefix(name, "PYTHON"), "new variable %s", name)
	}
}

// wantPythonPath are the entries that a container should see, given the value that it saw before.
func (c *podCase) wantPythonPath(before *corev1.Container, was string) []string {
	entries := []string{}
	if was != "" {
		entries = strings.Split(was, ":")
	}
	fromEnvFrom := slices.ContainsFunc(before.EnvFrom, func(e corev1.EnvFromSource) bool { return e.Prefix == "" })
	if !hasEnv(before, api.EnvPythonPath) && fromEnvFrom {
		if _, given := c.configMap[api.EnvPythonPath]; !given { // stays literal, and no directory has that name
			entries = append([]string{"$(PYTHONPATH)"}, entries...)
		} else if c.image != "" {
			entries = append(entries, strings.Split(c.image, ":")...)
		}
	}
	var missing []string
	for _, s := range c.consumed {
		if path := "/podshare/" + s; !slices.Contains(entries, path) {
			missing = append(missing, path)
		}
	}
	if c.mode == "prepend" {
		return append(missing, entries...)
	}
	return append(entries, missing...)
}

func hasEnv(c *corev1.Container, name string) bool {
	return slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name })
}

// asList is a list of a pod, which may be absent.
func asList(value any) []any {
	list, _ := value.([]any)
	return list
}

func count[T any](items []T, is func(T) bool) int {
	n := 0
	for _, item := range items {
		if is(item) {
			n++
		}
	}
	return n
}
