package suite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAProducerRunsCodeInItsConsumersAsTheDocumentationShows runs the commands of docs/security.md.
func TestAProducerRunsCodeInItsConsumersAsTheDocumentationShows(t *testing.T) {
	t.Parallel()
	kubectl := os.Getenv("KUBECTL")
	if kubectl == "" {
		t.Skip("KUBECTL is not set")
	}
	namespace := newNamespace(t)
	producer := newPod(namespace, "rule-editor", map[string]string{"produce": "rules"})
	consumer := newPod(namespace, "price-service", map[string]string{"consume": "rules"})
	create(t, producer, consumer)
	awaitReady(t, producer, consumer)
	page, err := os.ReadFile(repositoryPath("docs", "security.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		commands := strings.Split("\n"+block[1], "\n$ ")[1:]
		for _, command := range commands {
			line, want, _ := strings.Cut(command, "\n")
			line = strings.ReplaceAll(line, "--namespace shop", "--namespace "+namespace)
			shell := exec.CommandContext(t.Context(), "sh", "-c", line) // what the documentation says
			shell.Env = append(os.Environ(), "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"))
			said, _ := shell.CombinedOutput()
			assert.Equal(t, strings.TrimRight(want, "\n"), strings.TrimRight(string(said), "\n"), line)
		}
	}
}
