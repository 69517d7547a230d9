package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// goCommand prepares the go command in the module's directory. When ctx ends, it and the compilers that it started are
// interrupted: they are a process group of their own, because the go command alone would wait for its compilers.
func goCommand(ctx context.Context, module string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = module
	command.Env = append(os.Environ(), "CGO_ENABLED=0") // one static program, and no C compiler needed
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = 10 * time.Second
	return command
}

// follow runs the command. It calls step with each line of its standard error (and of its standard output, unless that
// goes elsewhere), and every interval with ok false, so that a display stays alive while nothing is printed.
func follow(command *exec.Cmd, interval time.Duration, step func(line string, ok bool)) error {
	reader, writer := io.Pipe()
	command.Stderr = writer
	if command.Stdout == nil {
		command.Stdout = writer
	}
	result := make(chan error, 1)
	go func() {
		result <- command.Run()
		writer.Close() //nolint:errcheck // closing a pipe's writer never fails
	}()
	lines := make(chan string)
	go readLines(reader, lines)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case line, open := <-lines:
			if !open {
				return <-result
			}
			step(line, true)
		case <-ticker.C:
			step("", false)
		}
	}
}

// readLines sends each line, however long, and closes the channel at the end.
func readLines(from io.Reader, to chan<- string) {
	defer close(to)
	reader := bufio.NewReader(from)
	for {
		line, err := reader.ReadString('\n')
		if line != "" {
			to <- strings.TrimSuffix(line, "\n")
		}
		if err != nil {
			return
		}
	}
}

const downloading = "go: downloading "

// listPackages returns the import paths of all packages that the module's program is made of, standard library
// included. To know them the go command downloads the modules that are not in its cache yet.
func listPackages(ctx context.Context, module string, screen *screen) ([]string, error) {
	command := goCommand(ctx, module, "list", "-deps", "-f", "{{.ImportPath}}", ".")
	var packages, problems bytes.Buffer
	command.Stdout = &packages
	downloaded := 0
	err := follow(command, screen.interval, func(line string, ok bool) {
		switch {
		case ok && strings.HasPrefix(line, downloading):
			if downloaded++; downloaded == 1 {
				screen.announce()
				screen.say("Downloading Go modules: about a minute, once.")
			}
		case ok:
			fmt.Fprintln(&problems, line)
		}
		screen.status("%s, %s", downloads(downloaded), screen.elapsed())
	})
	screen.clear()
	if err != nil {
		return nil, fmt.Errorf("go list in %s failed (%w):\n%s", module, err, problems.String())
	}
	return strings.Fields(packages.String()), nil
}

func downloads(count int) string {
	if count == 0 {
		return "listing packages"
	}
	return fmt.Sprintf("%d modules downloaded", count)
}

// kubernetesVersion returns the version of Kubernetes that the module requires, such as v1.37.2.
func kubernetesVersion(ctx context.Context, module string) (string, error) {
	var problems bytes.Buffer
	command := goCommand(ctx, module, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	command.Stderr = &problems
	version, err := command.Output()
	if err != nil {
		return "", interruption(ctx, fmt.Errorf("go list -m in %s failed (%w):\n%s", module, err, problems.String()))
	}
	return strings.TrimSpace(string(version)), nil
}

var semanticVersion = regexp.MustCompile(`^v(\d+)\.(\d+)\.\d+`)

// versionFlags returns the linker's flags that write the version into the program, as Kubernetes' own build does:
// without them every component calls itself v0.0.0-master.
func versionFlags(version string) ([]string, error) {
	parts := semanticVersion.FindStringSubmatch(version)
	if parts == nil {
		return nil, fmt.Errorf("version %q of k8s.io/kubernetes is not vMAJOR.MINOR.PATCH: require a release in %s/go.mod",
			version, module)
	}
	const base = "-X k8s.io/component-base/version."
	return []string{"-ldflags", "-s -w " + base + "gitVersion=" + version + " " +
		base + "gitMajor=" + parts[1] + " " + base + "gitMinor=" + parts[2]}, nil
}
