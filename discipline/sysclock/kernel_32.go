//go:build linux && (arm || 386 || mipsle || mips)

package sysclock

import "golang.org/x/sys/unix"

// The system calls whose structures have 64-bit fields here: without them time ends in 2038.
// They are there since Linux 5.1.
const (
	sysClockGettime = unix.SYS_CLOCK_GETTIME64
	sysClockAdjtime = unix.SYS_CLOCK_ADJTIME64
)
