// Package command runs programs whose output matters only when they fail.
package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Run runs a program, with further variables in its environment (KEY=value). The error has the end of what it printed.
func Run(ctx context.Context, environment []string, name string, arguments ...string) error {
	return RunIn(ctx, "", environment, name, arguments...)
}

// RunIn is Run in a directory.
func RunIn(ctx context.Context, dir string, environment []string, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir, command.Env = dir, append(os.Environ(), environment...)
	printed, err := command.CombinedOutput()
	if err != nil {
		const lines = 15
		all := strings.Split(strings.TrimSpace(string(printed)), "\n")
		end := strings.Join(all[max(0, len(all)-lines):], "\n")
		return fmt.Errorf("%s %s: %w:\n%s", name, strings.Join(arguments, " "), err, end)
	}
	return nil
}
