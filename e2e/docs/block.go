package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// entry is a command of a console and what it is shown to print.
type entry struct {
	typed   string // as it stands there, with its prompts
	command string
	shown   string
}

// entries are those of a console.
func (b block) entries() (all []entry) {
	for line := range strings.Lines(b.content) {
		command, begins := strings.CutPrefix(line, "$ ")
		more, goesOn := strings.CutPrefix(line, "> ")
		switch last := len(all) - 1; {
		case begins:
			all = append(all, entry{typed: line, command: strings.TrimSuffix(command, "\n")})
		case last < 0: // nothing was typed yet that could print it
			all = append(all, entry{shown: line})
		case goesOn && all[last].shown == "":
			all[last].typed += line
			all[last].command += "\n" + strings.TrimSuffix(more, "\n")
		default:
			all[last].shown += line
		}
	}
	return all
}

// file is the name of the file that the block is, "" where it is none.
func (b block) file() string {
	if b.language == "console" || b.language == "sh" || strings.Contains(b.info, " ") {
		return ""
	}
	return b.info
}

func (b block) notRun() bool { return strings.HasPrefix(b.info, "not run: ") }

// typed says whether the block has commands that a test types.
func (b block) typed() bool { return b.language == "console" && !b.notRun() }

// check says what is wrong with the block's info string, in the repository at root.
func (b block) check(root string) error {
	switch b.language {
	case "":
		return fmt.Errorf("a block says what it is: ```console, ```sh, ```yaml, ```text …; it begins with %q", firstLine(b.content))
	case "bash", "shell", "zsh", "shell-session":
		return fmt.Errorf("commands are ```console with what they print, or ```sh; this is ```%s", b.language)
	case "console":
		if b.info != "" && b.info != "fails" && !b.notRun() {
			return fmt.Errorf("```console %s: only \"fails\" or \"not run: REASON\" may follow", b.info)
		}
		if !strings.HasPrefix(b.content, "$ ") {
			return fmt.Errorf("```console begins with a command behind \"$ \", and not with %q", firstLine(b.content))
		}
	case "sh":
		return b.checkCommands(root)
	}
	return nil
}

// checkCommands says what is wrong with a block of commands: they have to be in what is said to run them.
func (b block) checkCommands(root string) error {
	if b.notRun() {
		return nil
	}
	runner, ok := strings.CutPrefix(b.info, "run by ")
	if !ok {
		return fmt.Errorf("```sh %s: \"run by PATH\" or \"not run: REASON\" must follow", b.info)
	}
	script, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(runner)))
	if err != nil {
		return err
	}
	for line := range strings.Lines(b.content) {
		command, _, _ := strings.Cut(line, " #")
		if command = strings.TrimSpace(command); !strings.Contains(string(script), command) {
			return fmt.Errorf("%s does not run %q", runner, command)
		}
	}
	return nil
}

func firstLine(content string) string {
	line, _, _ := strings.Cut(content, "\n")
	return line
}
