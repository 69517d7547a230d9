// Build makes the local cluster: it compiles the nested module e2e/kube, which holds etcd, all of Kubernetes and
// kubectl in one program, to bin/kube, and links bin/assets/<component> to it for whoever looks for them by
// name (controller-runtime's envtest, e2e/cluster). It imports the standard library only, so that `go run` of it
// starts at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// module is where the nested module is, seen from the repository's root.
const module = "e2e/kube"

// components are the names by which the program is called: each makes it another component.
var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"}

func main() {
	output := flag.String("output", "bin", "directory that gets the program (kube) and the links to it (assets)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *output, newScreen(os.Stdout))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/build:", err)
		os.Exit(1)
	}
}

// run builds output/kube when it is missing or stale, and links output/assets to it.
func run(ctx context.Context, output string, screen *screen) error {
	if _, err := os.Stat(filepath.Join(module, "go.mod")); err != nil {
		return fmt.Errorf("no Go module in %s: run this in the repository's root", module)
	}
	version, err := kubernetesVersion(ctx, module)
	if err != nil {
		return err
	}
	flags, err := versionFlags(version)
	if err != nil {
		return err
	}
	target := filepath.Join(output, "kube")
	screen.announcement = fmt.Sprintf("Building %s from source: %s, all of Kubernetes %s, in one program.\n"+
		"The first time takes 15 to 20 minutes on two cores. Later builds take seconds: they use the Go build cache.",
		target, strings.Join(components, ", "), version)
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
		screen.announce()
	}
	built, err := build(ctx, module, target, flags, screen)
	if err != nil {
		return interruption(ctx, err)
	}
	if err := link(output); err != nil {
		return err
	}
	if built {
		screen.say("Built %s (Kubernetes %s) in %s.", target, version, screen.elapsed())
	} else {
		screen.say("%s is up to date (Kubernetes %s).", target, version)
	}
	return nil
}

// interruption replaces the errors of a build that was told to stop: what it says then is of no use to anybody.
func interruption(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return errors.New("interrupted; what was compiled so far is in the Go build cache, so the next run continues there")
}

// build compiles the module to target and says whether that changed anything. The compiler never writes to target: a
// build that is killed leaves the old program, or none, but not half of one.
func build(ctx context.Context, module, target string, flags []string, screen *screen) (bool, error) {
	packages, err := listPackages(ctx, module, screen)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return false, err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(target), ".kube-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // a leftover harms nobody, and the build's own error matters more
	// A hard link to the old program tells the go command what is there already: it leaves an up-to-date one alone,
	// which saves the link step, and replaces another (it never writes into it).
	fresh := filepath.Join(scratch, "kube")
	if err := os.Link(target, fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		screen.say("Linking anew, since the old program cannot be compared: %v", err)
	}
	if err := compile(ctx, module, fresh, flags, packages, screen); err != nil {
		return false, err
	}
	if same(fresh, target) {
		return false, nil
	}
	return true, os.Rename(fresh, target)
}

func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// compile runs `go build` and shows how far it is. packages is what the program is made of.
func compile(ctx context.Context, module, target string, flags []string, packages []string, screen *screen) error {
	target, err := filepath.Abs(target) // the command runs in another directory
	if err != nil {
		return err
	}
	// No -trimpath: with the same flags as the tests, both share what is in the build cache.
	arguments := append([]string{"build", "-buildvcs=false", "-v"}, flags...)
	command := goCommand(ctx, module, append(arguments, "-o", target, ".")...)
	filter := newFilter(packages)
	begun := time.Now()
	err = follow(command, screen.interval, func(line string, ok bool) {
		if ok && filter.add(line) {
			screen.announce()
		}
		if time.Since(begun) > 10*time.Second {
			screen.announce()
		}
		screen.status("%s, %s", filter, screen.elapsed())
	})
	screen.clear()
	if err != nil {
		return fmt.Errorf("go build in %s failed (%w):\n%s", module, err, filter.rest())
	}
	return nil
}

// link makes output/assets/<component> for each component: relative links, so that the directory can be moved.
func link(output string) error {
	assets := filepath.Join(output, "assets")
	if err := os.MkdirAll(assets, 0o755); err != nil {
		return err
	}
	target := filepath.Join("..", "kube")
	for _, component := range components {
		path := filepath.Join(assets, component)
		if old, err := os.Readlink(path); err == nil && old == target {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}
