//go:build linux

package agent

import (
	"fmt"
	"math"
	"strings"
	"syscall"
)

// MinFree says when a share is full: when less is free than Percent of it, and less than the number beside it too. A
// percentage alone would call a server of many terabytes full that has room for years, a number alone would never call a small
// volume anything else. Inodes are judged in the same way.
type MinFree struct {
	Percent int
	Bytes   uint64
	Inodes  uint64
}

// full says that a file system is full, "" when it is not. What it does not report is not judged: network file systems
// and those that make inodes as they need them report 0 of 0.
func (m MinFree) full(fs *syscall.Statfs_t) string {
	// Bavail is what an ordinary user may take. What is reserved for root counts neither as used nor as free, as in df.
	block := uint64(fs.Frsize) //nolint:gosec // a block's size is above 0
	used, free := (fs.Blocks-fs.Bfree)*block, fs.Bavail*block
	if fs.Blocks > 0 && m.short(used, free, m.Bytes) {
		return fmt.Sprintf("%d%% full (%s of %s)", percent(used, used+free), bytes(used), bytes(used+free))
	}
	used, free = fs.Files-fs.Ffree, fs.Ffree
	if fs.Files > 0 && fs.Ffree <= fs.Files && m.short(used, free, m.Inodes) {
		return fmt.Sprintf("%d%% of its inodes are used (%d of %d)", percent(used, used+free), used, used+free)
	}
	return ""
}

func (m MinFree) short(used, free, least uint64) bool {
	return free < least && float64(free) < float64(m.Percent)/100*float64(used+free)
}

// percent is 100 only when nothing is free.
func percent(used, total uint64) int {
	if used >= total {
		return 100
	}
	return min(99, int(math.Round(100*float64(used)/float64(total))))
}

// bytes writes a number of bytes as Kubernetes does, with one digit behind the point below 100: "9.7Gi", "10Gi", "512Mi".
func bytes(n uint64) string {
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	digits := 0
	if value < 100 {
		digits = 1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.*f", digits, value), ".0") + units[unit]
}

var units = []string{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}
