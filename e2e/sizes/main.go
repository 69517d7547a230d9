// Sizes says how large podshare's programs and images are, and fails when one has outgrown what it may have. `make sizes` runs it in the
// repository's root. An image holds programs and nothing else, and a node pulls it compressed.
package main

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// content is a program or an image. Its most is somewhat above what it has: more is to be noticed, and then decided.
type content struct {
	name     string
	programs []string
	most     float64 // MB
}

var contents = []content{
	{"podshare-webhook", []string{"podshare-webhook"}, 14},
	{"podshare-controller", []string{"podshare-controller"}, 37},
	{"podshare-agent", []string{"podshare-agent"}, 2.5},
	{"image podshare", []string{"podshare-webhook", "podshare-controller"}, 51},
	{"image podshare-agent", []string{"podshare-agent"}, 2.5},
}

func main() {
	if err := run(filepath.Join("bin", "linux_"+os.Getenv("ARCH"))); err != nil {
		fmt.Fprintln(os.Stderr, "sizes:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\tsize\tcompressed\tat most")
	var tooLarge []string
	for _, c := range contents {
		var size, compressed counter
		for _, program := range c.programs {
			text, err := os.ReadFile(filepath.Join(dir, program))
			if err != nil {
				return err
			}
			size += counter(len(text))
			z := gzip.NewWriter(&compressed)
			if _, err := z.Write(text); err != nil {
				return err
			}
			if err := z.Close(); err != nil {
				return err
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%.1f MB\t%.1f MB\t%g MB\n", c.name, size.megabytes(), compressed.megabytes(), c.most)
		if size.megabytes() > c.most {
			tooLarge = append(tooLarge, fmt.Sprintf("%s has %.1f MB of at most %g MB", c.name, size.megabytes(), c.most))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(tooLarge) > 0 {
		return fmt.Errorf("%q: see what has come in (go version -m, go tool nm -size), or allow it in e2e/sizes", tooLarge)
	}
	return nil
}

// counter counts the bytes that are written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (c *counter) megabytes() float64 { return float64(*c) / 1e6 }
