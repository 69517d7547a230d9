package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/podshare/podshare/pkg/program"
)

// call calls the program as main does, and returns the exit code with what would be printed.
func call(args ...string) (code int, stdout, message string) {
	command := newCommand()
	out := &bytes.Buffer{}
	command.SetOut(out)
	command.SetErr(&bytes.Buffer{})
	command.SetArgs(args)
	if err := command.ExecuteContext(context.Background()); err != nil {
		return program.ExitCode(err), out.String(), err.Error()
	}
	return 0, out.String(), ""
}

func TestEveryMistakeInTheWebhooksFlagsIsToldAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte("apiVersion: v1\nlimits: {sharesPerPod: many}\n"), 0o600))
	code, _, message := call("--config", file, "--bind-address", "9443", "--metrics-address", ":99999",
		"--drain-delay", "-1s", "--client-names", "api-server", "--log-format", "xml")
	assert.Equal(t, program.ExitUsage, code)
	assert.Equal(t, `--log-format "xml" must be one of text, json
--cert-dir is required: a directory that has, or will have, tls.crt and tls.key
--bind-address "9443" must be host:port with a port of 0 to 65535, such as ":9443" or "127.0.0.1:9443"
--metrics-address ":99999" must be host:port with a port of 0 to 65535, such as ":9443" or "127.0.0.1:9443"
--client-names has no effect without --client-ca-file, whose authorities vouch for names
--drain-delay -1s must be 0 or longer, such as "10s"
`+file+`:1: apiVersion: "v1" must be one of ["config.podshare.dev/v1alpha1"]
`+file+`:2: limits.sharesPerPod: "many" must be a whole number from 1 to 1000`, message)
}

func TestWebhookMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		args    []string
		message string
	}{
		"a file that is not there": {[]string{"--cert-dir", ".", "--config", "missing.yaml"},
			"reading the configuration: open missing.yaml: no such file or directory"},
		"an unknown flag": {[]string{"--port", "1"}, "unknown flag: --port; see podshare-webhook --help"},
		"an argument":     {[]string{"now"}, `unknown argument "now"; see podshare-webhook --help`},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, message := call(c.args...)
			assert.Equal(t, program.ExitUsage, code)
			assert.Equal(t, c.message, message)
		})
	}
}

func TestWebhookHelpNamesEveryFlag(t *testing.T) {
	code, help, _ := call("--help")
	assert.Equal(t, 0, code)
	for _, flag := range []string{"--config file", "--cert-dir directory", "--bind-address host:port",
		"--metrics-address host:port",
		"--drain-delay duration", "--log-format", "--debug"} {
		assert.Contains(t, help, flag)
	}
}
