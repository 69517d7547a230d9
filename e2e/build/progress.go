package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// screen shows progress: on a terminal one line that is rewritten in place, elsewhere (a CI log) a line now and then.
type screen struct {
	out      *os.File
	terminal bool
	begun    time.Time
	// announcement says what is going to take long. It is shown once, and only when something does.
	announcement string
	// interval is how often there is something to show, also when the go command is silent.
	interval time.Duration
	shown    time.Time
}

func newScreen(out *os.File) *screen {
	s := &screen{out: out, begun: time.Now(), shown: time.Now(), interval: 30 * time.Second}
	if info, err := out.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
		s.terminal, s.interval = true, time.Second
	}
	return s
}

func (s *screen) announce() {
	if s.announcement != "" {
		s.say("%s", s.announcement)
		s.announcement = ""
	}
}

// say prints a line that stays.
func (s *screen) say(format string, arguments ...any) {
	s.clear()
	fmt.Fprintf(s.out, format+"\n", arguments...)
}

// status replaces the line of progress on a terminal; elsewhere it prints one when the last one is an interval ago.
func (s *screen) status(format string, arguments ...any) {
	if s.terminal {
		s.clear()
		fmt.Fprintf(s.out, "  "+format, arguments...)
		return
	}
	if time.Since(s.shown) >= s.interval {
		s.shown = time.Now()
		fmt.Fprintf(s.out, "  "+format+"\n", arguments...)
	}
}

// clear empties the line of progress, so that nothing of it is left beside what is printed next.
func (s *screen) clear() {
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

func (s *screen) elapsed() time.Duration { return time.Since(s.begun).Round(time.Second) }

// filter parts what `go build -v` prints: a line per package that it compiles, and among them what went wrong.
type filter struct {
	packages map[string]bool
	main     string
	compiled int
	linking  bool
	problems []string
}

// newFilter wants the packages in the order of `go list -deps`, in which the program's own comes last.
func newFilter(packages []string) *filter {
	f := &filter{packages: make(map[string]bool, len(packages))}
	for _, name := range packages {
		f.packages[name] = true
		f.main = name
	}
	return f
}

// add takes a line and says whether it names a package.
func (f *filter) add(line string) bool {
	if !f.packages[line] {
		f.problems = append(f.problems, line)
		return false
	}
	f.compiled++
	f.linking = f.linking || line == f.main
	return true
}

// String says how far the build is. The count of packages is a bound: those in the build cache are not compiled again.
func (f *filter) String() string {
	switch {
	case f.linking:
		return "linking"
	case f.compiled == 0:
		return "comparing with the build cache"
	}
	return fmt.Sprintf("%d of at most %d packages compiled", f.compiled, len(f.packages))
}

// rest returns the lines that name no package.
func (f *filter) rest() string { return strings.Join(f.problems, "\n") }
