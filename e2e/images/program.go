// Package images makes container images without a container engine, as archives that `docker load` and containerd read.
package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// nobody is the user of an image that needs no root.
const nobody = "65532:65532"

// Program writes an image that holds one static program and runs it, as no particular user. tag is its name and version, archive
// the file.
func Program(tag, program, archive string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	base := filepath.Base(program)
	var layer bytes.Buffer
	writer := tar.NewWriter(&layer)
	if err := writer.WriteHeader(&tar.Header{Name: base, Mode: 0o755, Size: int64(len(content))}); err != nil {
		return err
	}
	if _, err := writer.Write(content); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return write(tag, archive, layer.Bytes(), v1.Config{User: nobody, Entrypoint: []string{"/" + base}})
}

// write writes an image of one layer, for this machine's architecture.
func write(tag, archive string, layer []byte, config v1.Config) error {
	reference, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	content, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil })
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, content)
	if err != nil {
		return err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return err
	}
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return err
	}
	if err := tarball.WriteToFile(archive, reference, image); err != nil {
		return fmt.Errorf("writing the image %s to %s: %w", tag, archive, err)
	}
	return nil
}
