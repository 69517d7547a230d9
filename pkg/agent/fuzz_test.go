//go:build linux

package agent

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzReadHead: whatever a client sends, at most maxQuestion bytes are kept of it, and what is kept has a first line.
func FuzzReadHead(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "GET / HTTP/1.1\r\n\r\n", "GET /readyz HTTP/1.1\nHost: a\n\n", "\r\n\r\nGET", strings.Repeat("x", maxQuestion+1) + "\n\n", "GET\x00\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		lines, err := readHead(strings.NewReader(string(request)))
		if err != nil {
			assert.Empty(t, lines)
			return
		}
		assert.NotEmpty(t, lines)
		size := 0
		for _, line := range lines {
			assert.NotContains(t, line, "\n")
			size += len(line) + 1
		}
		assert.LessOrEqual(t, size, maxQuestion)
	})
}

// FuzzShares: what is accepted as a share is mounted at a clean absolute path, and a file of it lies on it.
func FuzzShares(f *testing.F) {
	f.Add("rules:/podshare/rules", "rules/pricing.py")
	f.Add("rules:/", "rules/../x")
	f.Add("a:/b:c", "a/./x")
	f.Add(":/x", "/etc/passwd")
	f.Fuzz(func(t *testing.T, text, file string) {
		share, err := ParseShare(text, false)
		if err != nil {
			return
		}
		assert.True(t, filepath.IsAbs(share.Path))
		assert.Equal(t, filepath.Clean(share.Path), share.Path)
		shares := []Share{share}
		if Await(shares, file) != nil {
			assert.Empty(t, shares[0].Awaited)
			return
		}
		path := filepath.Join(share.Path, shares[0].Awaited[0])
		assert.True(t, path == share.Path || strings.HasPrefix(path, strings.TrimSuffix(share.Path, "/")+"/"), "%q leaves %q", path, share.Path)
	})
}
