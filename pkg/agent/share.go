//go:build linux

// Package agent tells whether the shares of a pod work, for the pod's readiness: a watchdog touches them on an interval,
// and whoever asks gets the last it knows, at once, also when a mount hangs. It runs in users' pods, in an image without
// anything else, so it imports the standard library only.
package agent

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Share is one share of the pod.
type Share struct {
	Name string
	// Path is where it is mounted: absolute.
	Path string
	// Produced is true when the pod writes it.
	Produced bool
	// Awaited are the files, relative to Path, without which it is not ready.
	Awaited []string
}

// ParseShare reads "name:path". The error shows the text and says what is allowed.
func ParseShare(text string, produced bool) (Share, error) {
	name, path, found := strings.Cut(text, ":")
	if !found || name == "" || !filepath.IsAbs(path) {
		return Share{}, fmt.Errorf(`%q must be a share and the absolute path of its mount, such as "rules:/podshare/rules"`, text)
	}
	return Share{Name: name, Path: filepath.Clean(path), Produced: produced}, nil
}

// Await adds a file "share/relative/path" to the share of that name. The error shows the text and says what is allowed.
func Await(shares []Share, text string) error {
	name, path, _ := strings.Cut(text, "/")
	for n := range shares {
		if shares[n].Name == name && filepath.IsLocal(path) {
			shares[n].Awaited = append(shares[n].Awaited, path)
			return nil
		}
	}
	names := make([]string, len(shares))
	for n := range shares {
		names[n] = shares[n].Name
	}
	return fmt.Errorf(`%q must be a file on one of the shares (%s), such as "rules/pricing.py"`, text, strings.Join(names, ", "))
}
