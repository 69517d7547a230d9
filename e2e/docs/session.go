package docs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// mark ends the output of each command.
const mark = "=== that was all, with status "

// session is a shell at which commands are typed: it keeps its directory, variables and background jobs from one to the next.
type session struct {
	shell  *exec.Cmd
	input  io.Writer
	output io.Closer
	lines  *bufio.Reader
}

// newSession starts one in a directory, with further variables in its environment (KEY=value).
func newSession(ctx context.Context, dir string, environment []string) (*session, error) {
	output, theirs, err := os.Pipe() // one for both of its outputs, as on a terminal
	if err != nil {
		return nil, err
	}
	defer theirs.Close() //nolint:errcheck // the shell has its own
	shell := exec.CommandContext(ctx, "bash", "--noprofile", "--norc")
	shell.Dir, shell.Env = dir, append(os.Environ(), environment...)
	shell.Stdout, shell.Stderr = theirs, theirs
	// Its jobs end with it.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	input, err := shell.StdinPipe()
	if err == nil {
		err = shell.Start()
	}
	if err != nil {
		return nil, errors.Join(err, output.Close())
	}
	return &session{shell: shell, input: input, output: output, lines: bufio.NewReader(output)}, nil
}

// run types a command, and returns what it prints and its exit status.
func (s *session) run(command string) (printed string, status int, err error) {
	// Nothing that it starts may read the next commands.
	if _, err := fmt.Fprintf(s.input, "{\n%s\n} </dev/null\nprintf '\\n%s%%d\\n' $?\n", command, mark); err != nil {
		return "", 0, err
	}
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return printed, 0, fmt.Errorf("the shell ended: %w", err)
		}
		if code, ended := strings.CutPrefix(line, mark); ended {
			status, err = strconv.Atoi(strings.TrimSpace(code))
			return strings.TrimSuffix(printed, "\n"), status, err
		}
		printed += line
	}
}

// end ends the shell and its jobs.
func (s *session) end() error {
	killed := s.shell.Cancel()
	if exit := (*exec.ExitError)(nil); !errors.As(s.shell.Wait(), &exit) {
		return errors.New("the shell was not ended")
	}
	return errors.Join(killed, s.output.Close())
}
