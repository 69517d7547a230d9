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
func (b Block) entries() (all []entry) {
	for line := range strings.Lines(b.Content) {
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
func (b Block) file() string {
	if b.Language == "console" || b.Language == "sh" || strings.Contains(b.Info, " ") {
		return ""
	}
	return b.Info
}

func (b Block) notRun() bool { return strings.HasPrefix(b.Info, "not run: ") }

// Typed says whether the block has commands that a test types.
func (b Block) Typed() bool { return b.Language == "console" && !b.notRun() }

// Check says what is wrong with the block's info string, in the repository at root.
func (b Block) Check(root string) error {
	switch b.Language {
	case "":
		return fmt.Errorf("a block says what it is: ```console, ```sh, ```yaml, ```text …; it begins with %q", firstLine(b.Content))
	case "bash", "shell", "zsh", "shell-session":
		return fmt.Errorf("commands are ```console with what they print, or ```sh; this is ```%s", b.Language)
	case "console":
		if b.Info != "" && b.Info != "fails" && !b.notRun() {
			return fmt.Errorf("```console %s: only \"fails\" or \"not run: REASON\" may follow", b.Info)
		}
		if !strings.HasPrefix(b.Content, "$ ") {
			return fmt.Errorf("```console begins with a command behind \"$ \", and not with %q", firstLine(b.Content))
		}
	case "sh":
		return b.checkCommands(root)
	}
	return nil
}

// checkCommands says what is wrong with a block of commands: they have to be in what is said to run them.
func (b Block) checkCommands(root string) error {
	if b.notRun() {
		return nil
	}
	runner, ok := strings.CutPrefix(b.Info, "run by ")
	if !ok {
		return fmt.Errorf("```sh %s: \"run by PATH\" or \"not run: REASON\" must follow", b.Info)
	}
	script, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(runner)))
	if err != nil {
		return err
	}
	for line := range strings.Lines(b.Content) {
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
