package images

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podshare/podshare/e2e/command"
)

// merged are the directories that today's distributions have below /usr, with links in their former places.
var merged = []string{"bin", "lib", "lib32", "lib64", "libx32", "sbin"}

// unneeded is what no program reads.
var unneeded = []string{"usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/"}

// PythonImage is what Python makes.
const PythonImage = "localhost/python:e2e"

// Python writes an image with Python 3 and a shell, made of the packages of Debian or Ubuntu, whichever this is. It needs root, apt
// and a mirror, and installs nothing here. An archive that is there is left as it is.
func Python(ctx context.Context, archive string) error {
	if _, err := os.Stat(archive); err == nil {
		return nil
	}
	half := archive + ".half"
	if err := makePython(ctx, half); err != nil {
		return err
	}
	return os.Rename(half, archive)
}

func makePython(ctx context.Context, archive string) error {
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return err
	}
	parent, err := filepath.Abs(filepath.Dir(archive)) // apt takes other paths from its own directory on
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "packages-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover harms nobody
	packages, err := downloadPackages(ctx, dir, "python3", "dash", "coreutils")
	if err != nil {
		return err
	}
	var layer bytes.Buffer
	writer := tar.NewWriter(&layer)
	if err := writeRoot(writer); err != nil {
		return err
	}
	for _, file := range packages {
		if err := unpack(ctx, file, writer); err != nil {
			return fmt.Errorf("unpacking %s: %w", filepath.Base(file), err)
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return write(PythonImage, archive, layer.Bytes(), v1.Config{Cmd: []string{"python3"}, Env: []string{"PATH=/usr/sbin:/usr/bin"}})
}

// downloadPackages returns the files of the packages and of all that they need.
func downloadPackages(ctx context.Context, dir string, packages ...string) ([]string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "partial"), 0o755); err != nil {
		return nil, err
	}
	arguments := []string{
		"-o", "Dir::State::Status=/dev/null", // as if nothing were installed: all is needed
		"-o", "Dir::Cache::Archives=" + dir, "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
		"install", "--yes", "--download-only", "--no-install-recommends",
	}
	if err := command.Run(ctx, nil, "apt-get", append(arguments, packages...)...); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err == nil && len(files) == 0 {
		err = errors.New("apt-get downloaded no packages")
	}
	return files, err
}

// writeRoot writes what no package has.
func writeRoot(writer *tar.Writer) error {
	headers := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeSymlink, Name: "usr/bin/sh", Linkname: "dash"},
		{Typeflag: tar.TypeSymlink, Name: "usr/bin/python", Linkname: "python3"},
	}
	for _, dir := range merged {
		headers = append(headers, &tar.Header{Typeflag: tar.TypeDir, Name: "usr/" + dir + "/", Mode: 0o755},
			&tar.Header{Typeflag: tar.TypeSymlink, Name: dir, Linkname: "usr/" + dir})
	}
	for _, header := range headers {
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
	}
	return nil
}

// unpack adds the files of a package. None of its scripts is run: Python needs none.
func unpack(ctx context.Context, file string, writer *tar.Writer) error {
	content, err := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", file).Output()
	if err != nil {
		return err
	}
	for reader := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, wanted := place(header)
		if !wanted {
			continue
		}
		header.Name = name
		if header.Typeflag == tar.TypeLink {
			header.Linkname = below(header.Linkname)
		}
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(writer, reader); err != nil { //nolint:gosec // the distribution's own package
			return err
		}
	}
}

// place is where a file of a package goes.
func place(header *tar.Header) (name string, wanted bool) {
	name = below(header.Name)
	if header.Typeflag == tar.TypeDir {
		name += "/"
	}
	for _, prefix := range unneeded {
		if strings.HasPrefix(name, prefix) {
			return "", false
		}
	}
	// The links that writeRoot made, and its directories, stay as they are.
	top := strings.Trim(name, "/")
	for _, dir := range merged {
		if top == dir || top == "usr/"+dir {
			return "", false
		}
	}
	return name, top != "" && top != "." && top != "tmp" && top != "usr/bin/sh"
}

// below is a path without its slash, and below of usr where that is its place.
func below(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	top, _, _ := strings.Cut(name, "/")
	for _, dir := range merged {
		if top == dir && name != dir {
			return "usr/" + name
		}
	}
	return name
}
