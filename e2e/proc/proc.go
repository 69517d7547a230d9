//go:build linux

// Package proc reads what the kernel says of a process: its CPU time and its memory (proc(5)).
package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is a running process, by its number.
type Process int

// File is the path of one of the files about the process.
func (p Process) File(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// RunningTime is how long all threads of the process have run (schedstat: nanoseconds, where stat has hundredths of a second). A thread
// that has ended is not counted.
func (p Process) RunningTime() (time.Duration, error) {
	files, err := filepath.Glob(p.File("task/*/schedstat"))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range files {
		nanoseconds, err := ReadNumber(file)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(nanoseconds)
	}
	return sum, nil
}

// Field is the first word after a name and a colon in one of the files about the process.
func (p Process) Field(file, name string) (string, error) {
	content, err := os.ReadFile(p.File(file))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, name+":"); found && len(strings.Fields(value)) > 0 {
			return strings.Fields(value)[0], nil
		}
	}
	return "", fmt.Errorf("%s has no %s", p.File(file), name)
}

// Memory is a field that the kernel gives in KiB, in MiB: in status VmRSS, what is resident, and VmHWM, the most that was.
func (p Process) Memory(file, name string) (float64, error) {
	text, err := p.Field(file, name)
	if err != nil {
		return 0, err
	}
	kibibytes, err := strconv.ParseInt(text, 10, 64)
	return float64(kibibytes) / 1024, err
}

// ReadNumber reads the first number of a file.
func ReadNumber(file string) (int64, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(content)), " ")
	number, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return number, nil
}
