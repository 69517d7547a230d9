package inject

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/podshare/podshare/pkg/api"
)

var (
	interpreter = regexp.MustCompile(`^python[0-9.]*$`)
	shell       = regexp.MustCompile(`^(ba|da|a|z)?sh$`)
)

// warnOfIsolation says in which containers Python is told to ignore PYTHONPATH, as far as the pod shows it: not in a file, nor in
// what the image starts.
func (i *injection) warnOfIsolation() {
	if len(i.request.Of(api.Consumer)) == 0 || i.request.PythonPath == api.PythonPathNone {
		return
	}
	for _, c := range i.taking {
		if isolatesPython(slices.Concat(c.Command, c.Args)) {
			i.warnings.add("Python with -E or -I ignores PYTHONPATH, so imports nothing from its shares", c.Name)
		}
	}
}

// isolatesPython looks at the interpreter that a command starts, by itself or behind a wrapper such as env or tini, and at all in a
// script that a shell gets as its argument.
func isolatesPython(command []string) bool {
	if len(command) > 2 && shell.MatchString(path.Base(command[0])) {
		for _, script := range command[1:] {
			words := strings.Fields(script)
			for n, word := range words {
				if isInterpreter(word) && ignoresPythonPath(words[n+1:]) {
					return true
				}
			}
		}
		return false
	}
	first := slices.IndexFunc(command, isInterpreter)
	return first >= 0 && ignoresPythonPath(command[first+1:])
}

func isInterpreter(word string) bool { return interpreter.MatchString(path.Base(word)) }

// ignoresPythonPath looks for -E and -I among the interpreter's own options, which end with the program: a file, -c or -m
// (docs.python.org, "Command line and environment").
func ignoresPythonPath(arguments []string) bool {
	for n := 0; n < len(arguments); n++ {
		option := arguments[n]
		if len(option) < 2 || option[0] != '-' || option[1] == '-' {
			return false
		}
		letters := option[1:]
		program := strings.IndexAny(letters, "cm")
		if ends := strings.IndexAny(letters, "WX"); ends >= 0 && (program < 0 || ends < program) {
			if ends == len(letters)-1 {
				n++ // its value is the next one
			}
			letters, program = letters[:ends], -1
		}
		if program >= 0 {
			letters = letters[:program]
		}
		if strings.ContainsAny(letters, "EI") {
			return true
		}
		if program >= 0 {
			return false
		}
	}
	return false
}
