// Package docs holds the documentation to what it says: its links lead somewhere, and its commands print what it shows.
//
// A fenced block says by its info string what it is:
//
//	```LANGUAGE FILE        a file that the reader writes: deploy.yaml, rules.py
//	```console              commands behind "$ " (lines that go on behind "> "), and below each what it prints
//	```console fails        the same, and the last of them fails
//	```console not run: …   neither is typed by a test; the reason follows
//	```sh run by PATH       commands without output, all of which the file PATH has too
//	```sh not run: …        and those that no test types
//
// In what is printed, "…" stands for anything in its line, and a line of only "…" for any lines; ages and generated names may differ.
package docs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is a Markdown file.
type Page struct {
	Name    string // its path from the repository's root, with slashes
	Source  []byte
	blocks  []block
	links   []link
	html    []string // raw, whose links are not among links
	anchors map[string]bool
}

// block is a fenced block of code. It stands in the page's source from start to end.
type block struct {
	language, info string // the first word behind the fence, and the others
	content        string
	line           int
	start, end     int
}

// link is what a link or an image leads to.
type link struct {
	target string
	line   int
}

// Read reads the page of that name in the repository at root.
func Read(root, name string) (*Page, error) {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	return parse(name, source), nil
}

func parse(name string, source []byte) *Page {
	page := &Page{Name: name, Source: source, anchors: map[string]bool{}}
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM))
	document := markdown.Parser().Parse(text.NewReader(source))
	line := 1 // of the block that is being walked: inline nodes do not know theirs
	_ = ast.Walk(document, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if node.Type() == ast.TypeBlock && node.Lines() != nil && node.Lines().Len() > 0 {
			line = lineOf(source, node.Lines().At(0).Start)
		}
		page.add(node, line)
		return ast.WalkContinue, nil
	})
	return page
}

func (p *Page) add(node ast.Node, line int) {
	switch node := node.(type) {
	case *ast.FencedCodeBlock:
		p.addBlock(node, line)
	case *ast.Heading:
		p.addAnchor(inlineText(node, p.Source))
	case *ast.Link:
		p.links = append(p.links, link{string(node.Destination), line})
	case *ast.Image:
		p.links = append(p.links, link{string(node.Destination), line})
	case *ast.AutoLink:
		p.links = append(p.links, link{string(node.URL(p.Source)), line})
	case *ast.RawHTML:
		p.html = append(p.html, string(node.Segments.Value(p.Source)))
	case *ast.HTMLBlock:
		p.html = append(p.html, string(node.Lines().Value(p.Source)))
	}
}

func (p *Page) addBlock(node *ast.FencedCodeBlock, line int) {
	b := block{content: string(node.Lines().Value(p.Source)), line: line}
	if node.Info != nil {
		b.language, b.info, _ = strings.Cut(strings.TrimSpace(string(node.Info.Value(p.Source))), " ")
	}
	if lines := node.Lines(); lines.Len() > 0 {
		b.start, b.end = lines.At(0).Start, lines.At(lines.Len()-1).Stop
	}
	p.blocks = append(p.blocks, b)
}

func lineOf(source []byte, offset int) int {
	return bytes.Count(source[:offset], []byte("\n")) + 1
}

// inlineText is what a reader sees of a heading.
func inlineText(node ast.Node, source []byte) string {
	var all strings.Builder
	_ = ast.Walk(node, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := node.(*ast.Text); ok && entering {
			all.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return all.String()
}
