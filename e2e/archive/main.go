// Archive packs the plugin kubectl podshare for a release: an archive for each platform, and the manifest by which krew, the plugin manager of
// kubectl, installs the one that fits. `make dist/podshare.yaml` runs it in the repository's root, after it has built the programs.
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// downloads is where a release's files are.
const downloads = "https://github.com/podshare/podshare/releases/download"

const (
	// licence is in each archive: it asks for that.
	licence = "LICENSE"
	// completion is beside the program where there are scripts.
	completion = "cmd/kubectl-podshare/kubectl_complete-podshare"
)

func main() {
	version := flag.String("version", "", `the release, such as "v0.1.0"`)
	flag.Parse()
	if err := release(*version, flag.Args(), "dist"); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

var versions = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// programs has a directory for each platform, such as linux_amd64.
const programs = "bin"

// release packs the programs of platforms, and writes krew's manifest beside the archives.
func release(version string, platforms []string, to string) error {
	if !versions.MatchString(version) {
		return fmt.Errorf(`-version %q must be a release, such as "v0.1.0"`, version)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	var packages []platform
	for _, name := range platforms {
		system, architecture, found := strings.Cut(name, "_")
		if !found {
			return fmt.Errorf(`platform %q must be <os>_<arch>, such as "linux_amd64"`, name)
		}
		p := platform{Selector: selector{map[string]string{"os": system, "arch": architecture}}, Bin: "kubectl-podshare"}
		pack, extension, files := packTar, ".tar.gz", []string{licence, completion}
		if system == "windows" { // whose users have no tar
			pack, extension, files, p.Bin = packZip, ".zip", files[:1], p.Bin+".exe"
		}
		archive := "kubectl-podshare_" + name + extension
		if err := writeFile(filepath.Join(to, archive), func(out io.Writer) error {
			digest := sha256.New()
			defer func() { p.SHA256 = fmt.Sprintf("%x", digest.Sum(nil)) }()
			return pack(io.MultiWriter(out, digest), append(files, filepath.Join(programs, name, p.Bin))...)
		}); err != nil {
			return err
		}
		p.URI = downloads + "/" + version + "/" + archive
		packages = append(packages, p)
	}
	manifest, err := yaml.Marshal(krewManifest(version, packages))
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(to, "podshare.yaml"), func(out io.Writer) error {
		_, err := out.Write(manifest)
		return err
	})
}

// writeFile writes a whole file or none.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	err = write(file)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}

// made is when all files of an archive were made: the same program gives the same archive, whoever builds it. Zip knows no earlier year.
var made = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func packTar(out io.Writer, files ...string) error {
	compressed := gzip.NewWriter(out)
	archive := tar.NewWriter(compressed)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.Base(file), Mode: modeOf(file), Size: int64(len(content)), ModTime: made}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

func packZip(out io.Writer, files ...string) error {
	archive := zip.NewWriter(out)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		entry, err := archive.CreateHeader(&zip.FileHeader{Name: filepath.Base(file), Method: zip.Deflate, Modified: made})
		if err != nil {
			return err
		}
		if _, err := entry.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// modeOf is a file's mode in an archive: all may run the program.
func modeOf(file string) int64 {
	if filepath.Base(file) == licence {
		return 0o644
	}
	return 0o755
}

// plugin is krew's manifest: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest
type plugin struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       pluginSpec        `json:"spec"`
}

type pluginSpec struct {
	Version          string     `json:"version"`
	Homepage         string     `json:"homepage"`
	ShortDescription string     `json:"shortDescription"`
	Description      string     `json:"description"`
	Platforms        []platform `json:"platforms"`
}

type platform struct {
	Selector selector `json:"selector"`
	URI      string   `json:"uri"`
	SHA256   string   `json:"sha256"`
	Bin      string   `json:"bin"`
}

type selector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

func krewManifest(version string, platforms []platform) plugin {
	return plugin{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2",
		Kind:       "Plugin",
		Metadata:   map[string]string{"name": "podshare"},
		Spec: pluginSpec{
			Version:          version,
			Homepage:         "https://github.com/podshare/podshare",
			ShortDescription: "See what podshare makes of pods, and why",
			Description: "podshare shares files between pods by one annotation. This plugin shows, before anything is applied, what its webhook\n" +
				"makes of manifests (inject); why a pod got a share, or got none (explain); the shares and who uses them (list,\n" +
				"describe); and whether the installation is well (doctor).\n",
			Platforms: platforms,
		},
	}
}
