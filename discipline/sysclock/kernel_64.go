//go:build linux && (amd64 || arm64 || loong64 || ppc64le || riscv64 || s390x)

package sysclock

import "golang.org/x/sys/unix"

// The system calls whose structures have 64-bit fields here.
const (
	sysClockGettime = unix.SYS_CLOCK_GETTIME
	sysClockAdjtime = unix.SYS_CLOCK_ADJTIME
)
