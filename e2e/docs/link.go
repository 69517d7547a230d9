package docs

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// addAnchor adds what GitHub makes of a heading: lower case, without punctuation, with "-" for a space, and a number where
// there is one of that name already.
func (p *Page) addAnchor(heading string) {
	anchor := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
	unique := anchor
	for n := 1; p.anchors[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", anchor, n)
	}
	p.anchors[unique] = true
}

// check says what is wrong with a link of the page. Of what is in the repository at root, file and heading have to be there; of
// what is elsewhere, only the form is looked at.
func (p *Page) check(root string, l link) error {
	target, err := url.Parse(l.target)
	switch {
	case err != nil:
		return fmt.Errorf("%s:%d: the link %q is no URL: %w", p.Name, l.line, l.target, err)
	case target.Scheme == "" && target.Host == "":
		if err := p.checkInside(root, target); err != nil {
			return fmt.Errorf("%s:%d: the link %q leads nowhere: %w", p.Name, l.line, l.target, err)
		}
		return nil
	case target.Scheme != "https" || !strings.Contains(target.Host, "."):
		return fmt.Errorf("%s:%d: the link %q must begin with https:// and name a host", p.Name, l.line, l.target)
	}
	return nil
}

func (p *Page) checkInside(root string, target *url.URL) error {
	page := p
	if target.Path != "" {
		if path.IsAbs(target.Path) {
			return fmt.Errorf("it must be relative to %s", p.Name)
		}
		name := path.Join(path.Dir(p.Name), target.Path)
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%s is outside of the repository", name)
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("there is no %s", name)
		}
		if target.Fragment == "" {
			return nil
		}
		var err error
		if page, err = Read(root, name); err != nil {
			return err
		}
	}
	if !page.anchors[target.Fragment] {
		return fmt.Errorf("%s has no heading #%s", page.Name, target.Fragment)
	}
	return nil
}
