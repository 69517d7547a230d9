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

// full says that a file system is full, "" when it is not. What it does not report is not judged.
func (m MinFree) full(fs *syscall.Statfs_t) string {
	if space := spaceOf(fs); m.short(space, m.Bytes) {
		return fmt.Sprintf("%d%% full (%s of %s)", percent(space.used, space.usable()), bytes(space.used), bytes(space.usable()))
	}
	if inodes := inodesOf(fs); m.short(inodes, m.Inodes) {
		return fmt.Sprintf("%d%% of its inodes are used (%.0f of %.0f)", percent(inodes.used, inodes.usable()), inodes.used, inodes.usable())
	}
	return ""
}

// short is false of what is not reported.
func (m MinFree) short(a amount, least uint64) bool {
	return a.free < float64(least) && a.free < float64(m.Percent)/100*a.usable()
}

// amount is what a file system reports of its bytes, or of its inodes. Floats, since an "unlimited" file system has more bytes
// than 64 bits hold.
type amount struct {
	total, used float64
	// free is what an ordinary user may take. What is reserved for root counts neither as used nor as free, as in df.
	free float64
}

// unreported is the amount of what a file system does not report: network file systems and those that make inodes as they need
// them report 0 of 0, and some report more free than there is. No comparison with it is true.
var unreported = amount{math.NaN(), math.NaN(), math.NaN()}

func (a amount) usable() float64 { return a.used + a.free }

func spaceOf(fs *syscall.Statfs_t) amount {
	if fs.Blocks == 0 || fs.Bfree > fs.Blocks {
		return unreported
	}
	block := float64(fs.Frsize)
	return amount{float64(fs.Blocks) * block, float64(fs.Blocks-fs.Bfree) * block, float64(fs.Bavail) * block}
}

func inodesOf(fs *syscall.Statfs_t) amount {
	if fs.Files == 0 || fs.Ffree > fs.Files {
		return unreported
	}
	return amount{float64(fs.Files), float64(fs.Files - fs.Ffree), float64(fs.Ffree)}
}

// percent is 100 only when nothing is free.
func percent(used, total float64) int {
	if used >= total {
		return 100
	}
	return min(99, int(math.Round(100*used/total)))
}

// bytes writes a number of bytes as Kubernetes does, with one digit behind the point below 100: "9.7Gi", "10Gi", "512Mi".
func bytes(value float64) string {
	unit := 0
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
