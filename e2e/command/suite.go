package command

import (
	"context"
	"os"
	"os/exec"
)

// Suite runs the tests of e2e/suite, which are told all by their environment: variables are KEY=value, as e2e/suite names them.
// TESTS, in this process's environment, picks tests by a pattern.
func Suite(ctx context.Context, variables ...string) error {
	arguments := []string{"test", "./e2e/suite", "-count=1", "-v", "-timeout=40m"}
	if tests := os.Getenv("TESTS"); tests != "" {
		arguments = append(arguments, "-run", tests)
	}
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Env = append(append(os.Environ(), "PODSHARE_E2E=1"), variables...)
	return command.Run()
}
