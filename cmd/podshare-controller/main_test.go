package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/program"
)

// controllerErr runs the command, on a machine without a cluster, and returns its error.
func controllerErr(t *testing.T, args ...string) error {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("KUBECONFIG", filepath.Join(home, "none"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	command := newCommand()
	command.SetArgs(args)
	command.SetOut(&bytes.Buffer{})
	command.SetErr(&bytes.Buffer{})
	return command.ExecuteContext(t.Context())
}

func TestMistakesInCallingTheController(t *testing.T) {
	dir := t.TempDir()
	platform := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(platform, []byte("apiVersion: v1\n"), 0o600))
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"nothing to work on": {
			nil,
			[]string{"no cluster to work on: this is not a pod with a service account's token, and there is no kubeconfig in ",
				"give one with --kubeconfig FILE"},
		},
		"a kubeconfig that is not there": {
			[]string{"--kubeconfig", filepath.Join(dir, "none")},
			[]string{"reading the kubeconfig: ", "none: no such file or directory"},
		},
		"all at once": {
			[]string{"--metrics-address", "8080", "--config", platform, "--log-format", "xml"},
			[]string{`--metrics-address "8080" must be host:port`, platform + `:1: apiVersion: `, `--log-format "xml" must be one of`,
				"no cluster to work on"},
		},
		"a flag that there is not": {[]string{"--lease"}, []string{"unknown flag: --lease; see podshare-controller --help"}},
		"a word":                   {[]string{"now"}, []string{`"now"`, "podshare-controller --help"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := controllerErr(t, test.args...)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Equal(t, program.ExitUsage, program.ExitCode(err))
		})
	}
}

func TestAnUnreachableAPIServerIsNoMistakeInCallingTheController(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
`), 0o600))
	err := controllerErr(t, "--kubeconfig", kubeconfig, "--metrics-address", "0")
	assert.ErrorContains(t, err, "connecting to the API server at https://127.0.0.1:1: ")
	assert.ErrorContains(t, err, "connection refused")
	assert.Equal(t, program.ExitFailure, program.ExitCode(err))
}

func TestTheLeasesNamespace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namespace")
	assert.Equal(t, "podshare-system", ownNamespace(file), "outside of a pod")
	require.NoError(t, os.WriteFile(file, []byte("elsewhere\n"), 0o600))
	assert.Equal(t, "elsewhere", ownNamespace(file))
}
