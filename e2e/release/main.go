// Release writes the manifest of a release to standard output: manifests/overlays/default with images pinned by their digests, so that what is
// installed is what was built, whatever becomes of a tag. `make dist/install.yaml` runs it in the repository's root.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"

	"sigs.k8s.io/yaml"

	"github.com/podshare/podshare/e2e/install"
)

func main() {
	var o install.Overlay
	flag.StringVar(&o.Image, "image", "", "reference of podshare's image, with its digest")
	flag.StringVar(&o.AgentImage, "agent-image", "", "reference of the agent's image, with its digest")
	flag.Parse()
	if err := write(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var pinned = regexp.MustCompile(`^[^@\s]+@sha256:[0-9a-f]{64}$`)

func write(out io.Writer, o install.Overlay) error {
	for flag, reference := range map[string]string{"-image": o.Image, "-agent-image": o.AgentImage} {
		if !pinned.MatchString(reference) {
			return fmt.Errorf("%s %q must be an image with its digest, such as registry.example.com/podshare@sha256:<64 digits>", flag, reference)
		}
	}
	objects, err := o.Render(".")
	if err != nil {
		return err
	}
	for _, object := range objects {
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}
