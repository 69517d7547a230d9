// Package manifest reads files of Kubernetes objects and changes single fields of them, so that all else stays as it was written:
// comments, order, quoting, blank lines.
package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// StandardInput is the name of a file that is read from there.
const StandardInput = "-"

// extensions are those that kubectl reads in a folder.
var extensions = []string{".yaml", ".yml", ".json"}

const (
	// fetchLimit is how long a server may take for a file, all in all.
	fetchLimit = 30 * time.Second
	// maxSize bounds a file: many times what etcd would take of its objects.
	maxSize = 64 << 20
)

// File is a text with documents in it.
type File struct {
	// Name is for messages.
	Name string
	// Documents are its parts, each with the line that separates it from the one before: together they are the file again.
	Documents []Document
}

// Document is a part of a file.
type Document struct {
	Text string
	// Line is that of the file in which it begins, the first being 1.
	Line int
}

// Read reads files, folders (with those below, where recursive says so), http and https URLs, and standard input, for which StandardInput
// stands. In folders it takes files that end in .yaml, .yml or .json, sorted by name.
func Read(ctx context.Context, names []string, recursive bool, stdin io.Reader) ([]File, error) {
	var files []File
	for _, name := range names {
		var read []File
		var err error
		switch {
		case name == StandardInput:
			read, err = one("standard input", stdin)
		case strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://"):
			read, err = fetch(ctx, name)
		default:
			read, err = readPath(name, recursive)
		}
		if err != nil {
			return nil, err
		}
		files = append(files, read...)
	}
	return files, nil
}

func one(name string, content io.Reader) ([]File, error) {
	text, err := io.ReadAll(io.LimitReader(content, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("%s: is larger than the %d MiB that are read of a file", name, maxSize>>20)
	}
	return []File{{Name: name, Documents: split(string(text))}}, nil
}

func fetch(ctx context.Context, url string) ([]File, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the server answered %s", url, response.Status)
	}
	return one(url, response.Body)
}

func readPath(name string, recursive bool) ([]File, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%q: there is no such file or folder", name)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return readFile(name)
	}
	var files []File
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && !recursive:
			return fs.SkipDir
		case entry.IsDir() || !slices.Contains(extensions, filepath.Ext(path)):
			return nil
		}
		read, err := readFile(path)
		files = append(files, read...)
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%q: no file in this folder ends in %s", name, strings.Join(extensions, ", "))
	}
	return files, err
}

func readFile(name string) ([]File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return one(name, file)
}

// split cuts a text at the lines that begin a document of YAML.
func split(text string) []Document {
	current := Document{Line: 1}
	var documents []Document
	line := 0
	for content := range strings.Lines(text) {
		line++
		if isMarker(content, "---") && strings.TrimSpace(current.Text) != "" {
			documents = append(documents, current)
			current = Document{Line: line}
		}
		current.Text += content
	}
	return append(documents, current)
}

// isMarker says whether a line is one of those that YAML separates documents with: nothing else can begin so, not even in a text
// of several lines.
func isMarker(line, marker string) bool {
	rest, found := strings.CutPrefix(line, marker)
	return found && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}
