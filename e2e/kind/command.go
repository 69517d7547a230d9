package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// run runs a program. The error has the end of what it printed.
func run(ctx context.Context, environment []string, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(os.Environ(), environment...)
	printed, err := command.CombinedOutput()
	if err != nil {
		const lines = 15
		all := strings.Split(strings.TrimSpace(string(printed)), "\n")
		end := strings.Join(all[max(0, len(all)-lines):], "\n")
		return fmt.Errorf("%s %s: %w:\n%s", name, strings.Join(arguments, " "), err, end)
	}
	return nil
}

// kind runs the version of kind that go.tools.mod pins.
func kind(ctx context.Context, arguments ...string) error {
	return run(ctx, nil, "go", append([]string{"tool", "-modfile=go.tools.mod", "kind"}, arguments...)...)
}

func docker(ctx context.Context, arguments ...string) error {
	return run(ctx, nil, "docker", arguments...)
}
