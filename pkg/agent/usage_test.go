//go:build linux

package agent

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatIsFull(t *testing.T) {
	const gi = 1 << 30
	least := MinFree{Percent: 5, Bytes: gi, Inodes: 10_000}
	for name, test := range map[string]struct {
		minFree MinFree
		fs      syscall.Statfs_t
		want    string
	}{
		"3 % and less than 1 Gi free": {
			least, syscall.Statfs_t{Frsize: 1 << 20, Blocks: 10 << 10, Bfree: 307, Bavail: 307},
			"97% full (9.7Gi of 10Gi)",
		},
		"3 % of a large server, so more than 1 Gi": {
			least, syscall.Statfs_t{Frsize: gi, Blocks: 10_000, Bfree: 300, Bavail: 300}, "",
		},
		"10 % of a small volume, so less than 1 Gi": {
			least, syscall.Statfs_t{Frsize: 1 << 20, Blocks: 100, Bfree: 10, Bavail: 10}, "",
		},
		"what is left is reserved for root": {
			least, syscall.Statfs_t{Frsize: 1 << 20, Blocks: 1000, Bfree: 50, Bavail: 0}, "100% full (950Mi of 950Mi)",
		},
		"a size that is not reported":     {least, syscall.Statfs_t{Frsize: 4096}, ""},
		"inodes that are not reported":    {least, syscall.Statfs_t{Frsize: gi, Blocks: 100, Bfree: 90, Bavail: 90}, ""},
		"more free inodes than there are": {least, syscall.Statfs_t{Files: 1, Ffree: 1 << 62}, ""},
		"few inodes": {
			least, syscall.Statfs_t{Frsize: gi, Blocks: 100, Bfree: 90, Bavail: 90, Files: 65536, Ffree: 100},
			"99% of its inodes are used (65436 of 65536)",
		},
		"more free than there is": {least, syscall.Statfs_t{Frsize: 4096, Blocks: 10, Bfree: 11}, ""},
		"more bytes than 64 bits count": {
			least, syscall.Statfs_t{Frsize: 4096, Blocks: 1<<52 + 1000, Bfree: 1 << 52, Bavail: 1 << 52}, "",
		},
		"nothing is asked for": {MinFree{}, syscall.Statfs_t{Frsize: 4096, Blocks: 100, Files: 100}, ""},
		"a number alone": {
			MinFree{Percent: 100, Bytes: 50 * gi}, syscall.Statfs_t{Frsize: gi, Blocks: 100, Bfree: 49, Bavail: 49},
			"51% full (51Gi of 100Gi)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, test.minFree.full(&test.fs))
		})
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 1023: "1023", 1024: "1Ki", 1536: "1.5Ki", 10<<30 - 1: "10Gi", 512 << 20: "512Mi", 1<<63 + 1: "8Ei",
	} {
		assert.Equal(t, want, bytes(n))
	}
}
