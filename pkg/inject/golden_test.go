package inject_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/pkg/api"
	"github.com/podshare/podshare/pkg/config"
	"github.com/podshare/podshare/pkg/inject"
)

var update = flag.Bool("update", false, "write what injection makes of testdata/*.yaml to the files beside them")

// TestGoldenPods shows what injection makes of whole pods: beside each testdata/<name>.yaml stands <name>.want.
func TestGoldenPods(t *testing.T) {
	pods, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, pods)
	wanted := map[string]bool{}
	for _, pod := range pods {
		golden := strings.TrimSuffix(pod, ".yaml") + ".want"
		wanted[golden] = true
		t.Run(strings.TrimSuffix(filepath.Base(pod), ".yaml"), func(t *testing.T) {
			got := describe(t, pod)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "run `make golden`")
			assert.Equal(t, string(want), got, "if this is intended, run `make golden` and read its diff")
		})
	}
	files, err := filepath.Glob("testdata/*.want")
	require.NoError(t, err)
	for _, file := range files {
		assert.True(t, wanted[file], "%s belongs to no pod: delete it", file)
	}
}

// describe injects a pod and describes all that comes of it.
func describe(t *testing.T, filename string) string {
	t.Helper()
	content, err := os.ReadFile(filename)
	require.NoError(t, err)
	raw, err := yaml.YAMLToJSONStrict(content)
	require.NoError(t, err)
	result, err := injectJSON(raw, "shop", goldenConfig(filename))
	var refused *inject.RefusedError
	if errors.As(err, &refused) {
		var text strings.Builder
		for _, mistake := range refused.Mistakes {
			fmt.Fprintf(&text, "refused: %v\n", mistake)
		}
		return text.String()
	}
	require.NoError(t, err)
	var text strings.Builder
	for _, warning := range result.Warnings {
		fmt.Fprintf(&text, "warning: %s\n", warning)
	}
	for _, operation := range result.Patch {
		fmt.Fprintf(&text, "patch: %s\n", operation.Json())
	}
	if len(result.Patch) == 0 {
		fmt.Fprintln(&text, "patch: none")
		return text.String()
	}
	pod, err := yaml.JSONToYAML(apply(t, raw, result))
	require.NoError(t, err)
	return text.String() + "---\n" + string(pod)
}

// goldenConfig is the default, except that the pods that are about something else do without readiness, which adds much to look
// at.
func goldenConfig(pod string) *config.Config {
	c := config.Default()
	if !strings.HasPrefix(filepath.Base(pod), "readiness-") {
		c.Defaults.Readiness = api.ReadinessNone
	}
	if strings.Contains(pod, "-http-get") {
		c.Agent.Probe = config.ProbeHTTPGet
	}
	c.Agent.Metrics = strings.Contains(pod, "-metrics")
	return c
}

// apply gives the pod as the API server has it after the patch, with the library that the API server uses.
func apply(t require.TestingT, raw []byte, result *inject.Result) []byte {
	if len(result.Patch) == 0 {
		return raw
	}
	operations, err := json.Marshal(result.Patch)
	require.NoError(t, err)
	patch, err := jsonpatch.DecodePatch(operations)
	require.NoError(t, err)
	pod, err := patch.Apply(raw)
	require.NoError(t, err)
	return pod
}
