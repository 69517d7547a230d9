package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

func TestAReleaseHasAnArchiveForEachPlatformAndAManifestThatNamesThem(t *testing.T) {
	dir := workingDirectory(t)
	require.NoError(t, release("v1.2.3", []string{"linux_amd64", "windows_amd64"}, "dist"))

	assert.Equal(t, map[string]string{
		"kubectl-podshare": "linux -rwxr-xr-x", "kubectl_complete-podshare": "completion -rwxr-xr-x", "LICENSE": "licence -rw-r--r--",
	}, readTar(t, "dist/kubectl-podshare_linux_amd64.tar.gz"))
	archive, err := zip.OpenReader("dist/kubectl-podshare_windows_amd64.zip")
	require.NoError(t, err)
	defer func() { _ = archive.Close() }()
	require.Len(t, archive.File, 2)
	assert.Equal(t, "kubectl-podshare.exe", archive.File[1].Name)

	text, err := os.ReadFile("dist/podshare.yaml")
	require.NoError(t, err)
	var manifest plugin
	require.NoError(t, yaml.UnmarshalStrict(text, &manifest))
	require.Len(t, manifest.Spec.Platforms, 2)
	content, err := os.ReadFile("dist/kubectl-podshare_linux_amd64.tar.gz")
	require.NoError(t, err)
	assert.Equal(t, platform{
		Selector: selector{map[string]string{"os": "linux", "arch": "amd64"}},
		URI:      "https://github.com/podshare/podshare/releases/download/v1.2.3/kubectl-podshare_linux_amd64.tar.gz",
		SHA256:   fmt.Sprintf("%x", sha256.Sum256(content)),
		Bin:      "kubectl-podshare",
	}, manifest.Spec.Platforms[0])
	assert.LessOrEqual(t, len(manifest.Spec.ShortDescription), 50, "what krew allows")

	require.NoError(t, release("v1.2.3", []string{"linux_amd64"}, "again"))
	again, err := os.ReadFile(filepath.Join(dir, "again/kubectl-podshare_linux_amd64.tar.gz"))
	require.NoError(t, err)
	assert.Equal(t, content, again, "the same programs give the same archive")
}

func TestAReleaseThatCannotBe(t *testing.T) {
	workingDirectory(t)
	assert.EqualError(t, release("main", nil, "dist"), `-version "main" must be a release, such as "v0.1.0"`)
	assert.EqualError(t, release("v1.2.3", []string{"linux"}, "dist"), `platform "linux" must be <os>_<arch>, such as "linux_amd64"`)
	assert.EqualError(t, release("v1.2.3", []string{"linux_arm64"}, "dist"), "open bin/linux_arm64/kubectl-podshare: no such file or directory")
	assert.NoFileExists(t, "dist/kubectl-podshare_linux_arm64.tar.gz")
}

// workingDirectory makes a directory with what is packed the working one.
func workingDirectory(t *testing.T) string {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, content := range map[string]string{
		"LICENSE": "licence", "cmd/kubectl-podshare/kubectl_complete-podshare": "completion", "bin/linux_amd64/kubectl-podshare": "linux", "bin/windows_amd64/kubectl-podshare.exe": "windows",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	}
	return dir
}

func readTar(t *testing.T, name string) map[string]string {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	compressed, err := gzip.NewReader(file)
	require.NoError(t, err)
	archive, files := tar.NewReader(compressed), map[string]string{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		content, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[header.Name] = string(content) + " " + header.FileInfo().Mode().String()
	}
}
