// Package samples_test runs the example's programs as its pods do, with a directory in the place of the share.
package samples_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const limit = 30 * time.Second

func TestAPressOfTheButtonChangesPricesWithoutARestart(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	app, err := filepath.Abs("app")
	require.NoError(t, err)
	share := t.TempDir()
	// What podshare adds to the pods. A consumer's mount is read-only, so that Python writes no bytecode there: here it
	// has to be told.
	editor := start(t, []string{"app/rule_editor.py"}, "PODSHARE_RULES_DIR="+share, "PORT=0")
	service := start(t, []string{"-m", "price_service"}, "PYTHONPATH="+app+":"+share, "PORT=0", "PYTHONDONTWRITEBYTECODE=1")
	worker := start(t, []string{"app/invoice_worker.py"}, "PYTHONPATH="+share, "PAUSE_SECONDS=0.02", "PYTHONDONTWRITEBYTECODE=1")
	button := address(t, editor, "rule-editor") + "/"
	prices := address(t, service, "price-service") + "/price"

	assert.Equal(t, answer{100, "20.00", "no rule yet: the list price"}, ask(t, prices+"?quantity=100"))
	awaitLine(t, worker, `^invoice \d+: 60 x 20\.00 = 1200\.00 \(list price\)$`)

	press(t, button, "25", "50", http.StatusOK, "Published.")
	assert.Equal(t, answer{100, "15.00", "25 % off from 50 pieces"}, ask(t, prices+"?quantity=100"))
	assert.Equal(t, answer{10, "20.00", "25 % off from 50 pieces"}, ask(t, prices+"?quantity=10"))
	awaitLine(t, worker, `^invoice \d+: 60 x 15\.00 = 900\.00 \(25 % off from 50 pieces\)$`)

	// A file of the same size within the same second, which Python could not tell apart by its time.
	press(t, button, "30", "50", http.StatusOK, "Published.")
	assert.Equal(t, answer{100, "14.00", "30 % off from 50 pieces"}, ask(t, prices+"?quantity=100"))
	awaitLine(t, worker, `^invoice \d+: 60 x 14\.00 = 840\.00 \(30 % off from 50 pieces\)$`)

	press(t, button, "101", "50", http.StatusBadRequest,
		"Not published: a discount of 101 % from 50 pieces: must be 0 to 100 %, from 1 piece or more")
	assert.Equal(t, answer{100, "14.00", "30 % off from 50 pieces"}, ask(t, prices+"?quantity=100"))

	files, err := filepath.Glob(filepath.Join(share, "*"))
	require.NoError(t, err)
	hidden, err := filepath.Glob(filepath.Join(share, ".*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(share, "price_rule.py")}, append(files, hidden...), "what is on the share")
}

func TestFreshnessIsMeasuredInEveryWayInWhichAProgramCanLook(t *testing.T) {
	share := t.TempDir()
	asks, answers := measureFreshness(t, share, "node-a", "node-b")
	assert.Equal(t, "node-b answers", awaitLine(t, answers, ""))
	awaitLine(t, asks, `^from node-a to node-b and back, 2 rounds; half of each way is shown$`)
	awaitLine(t, asks, `^a new file, by its name: \d+\.\d{3} s$`)
	awaitLine(t, asks, `^from write to sight:$`)
	for _, way := range []string{
		"a new module, by importing it", "a changed module, by importing it", "a new file, by its name", "a changed file, by its time",
	} {
		assert.Regexp(t, `^  `+way+`: \d+\.\d{3} s \(median\), never more than \d+\.\d{3} s$`, awaitLine(t, asks, ""))
	}
	for name, lines := range map[string]<-chan string{"the one that asks": asks, "the one that answers": answers} {
		line, more := <-lines
		assert.False(t, more, "%s has ended its report, and says %q", name, line)
	}
	left, err := os.ReadDir(share)
	require.NoError(t, err)
	assert.Empty(t, left, "what is left on the share")
}

func TestFreshnessOnOneNodeSaysThatItTellsNothingAboutOthers(t *testing.T) {
	asks, answers := measureFreshness(t, t.TempDir(), "node-a", "node-a")
	awaitLine(t, answers, "^node-a answers$")
	awaitLine(t, asks, `^Both pods ran on one node, which sees its own writes at once: this says nothing about other nodes\.$`)
}

// measureFreshness runs the Job's two pods, with what podshare and the Job add to them, and returns what each prints.
func measureFreshness(t *testing.T, share, asking, answering string) (asks, answers <-chan string) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	pod := func(index, node string) <-chan string {
		return start(t, []string{"freshness/freshness.py"}, "PODSHARE_FRESHNESS_DIR="+share, "PYTHONDONTWRITEBYTECODE=1",
			"RUN=1", "ROUNDS=2", "PAUSE_SECONDS=0", "JOB_COMPLETION_INDEX="+index, "NODE_NAME="+node)
	}
	return pod("0", asking), pod("1", answering)
}

// start runs a program until the test ends, and returns the lines that it prints.
func start(t *testing.T, arguments []string, env ...string) <-chan string {
	t.Helper()
	command := exec.Command("python3", arguments...)
	command.Env = append(os.Environ(), env...)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(output)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-t.Context().Done():
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait() // its error is the kill
	})
	return lines
}

// awaitLine returns the first line that matches.
func awaitLine(t *testing.T, lines <-chan string, pattern string) string {
	t.Helper()
	wanted, timeout := regexp.MustCompile(pattern), time.After(limit)
	for last := ""; ; {
		select {
		case line, open := <-lines:
			require.True(t, open, "the program ended; its last line was %q", last)
			if wanted.MatchString(line) {
				return line
			}
			last = line
		case <-timeout:
			require.Fail(t, "no line matches "+pattern, "the last one was %q", last)
		}
	}
}

// address waits until the server listens and returns its URL.
func address(t *testing.T, lines <-chan string, name string) string {
	t.Helper()
	line := awaitLine(t, lines, "^"+name+` listens on port \d+$`)
	return "http://127.0.0.1:" + line[strings.LastIndex(line, " ")+1:]
}

// press fills in the editor's form and sends it.
func press(t *testing.T, address, percent, quantity string, status int, message string) {
	t.Helper()
	response, err := http.PostForm(address, url.Values{"percent": {percent}, "quantity": {quantity}})
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, status, response.StatusCode)
	assert.Contains(t, string(page), "<p>"+message+"</p>")
}

type answer struct {
	Quantity  int    `json:"quantity"`
	UnitPrice string `json:"unit_price"`
	Rule      string `json:"rule"`
}

func ask(t *testing.T, address string) answer {
	t.Helper()
	response, err := http.Get(address)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	require.Equal(t, http.StatusOK, response.StatusCode)
	var a answer
	require.NoError(t, json.NewDecoder(response.Body).Decode(&a))
	return a
}
