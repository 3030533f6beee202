package sysclock

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelTimespec is struct __kernel_timespec: 64 bits on every architecture.
type kernelTimespec struct {
	sec  int64
	nsec int64
}

// kernelTimex is struct __kernel_timex (include/uapi/linux/timex.h): 64 bits on every
// architecture, with the paddings written out because Go aligns int64 to 4 bytes on 32-bit
// machines. On 64-bit machines it is struct timex itself.
type kernelTimex struct {
	modes     uint32
	_         int32
	offset    int64
	freq      int64 // ppm · 2^16
	maxerror  int64 // µs
	esterror  int64 // µs
	status    int32
	_         int32
	constant  int64
	precision int64
	tolerance int64
	sec       int64
	usec      int64 // ns with ADJ_NANO
	tick      int64 // µs a tick of USER_HZ
	ppsfreq   int64
	jitter    int64
	shift     int32
	_         int32
	stabil    int64
	jitcnt    int64
	calcnt    int64
	errcnt    int64
	stbcnt    int64
	tai       int32
	_         [11]int32
}

// timexSize is the size that the kernel copies; a compile-time check holds kernelTimex to it.
const timexSize = 208

var _ [timexSize]byte = [unsafe.Sizeof(kernelTimex{})]byte{}

// read returns a clock in nanoseconds. The clocks used here exist on every kernel that runs
// the program (2.6.39 and later; 5.1 on 32-bit machines), so it can't fail.
func read(clock int32) int64 {
	var ts kernelTimespec
	_, _, errno := unix.RawSyscall(sysClockGettime, uintptr(clock), uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		panic("clock_gettime: " + errno.Error())
	}
	return ts.sec*1e9 + ts.nsec
}

// realAdjtime is clock_adjtime on CLOCK_REALTIME; it returns the clock state (TIME_OK …).
func realAdjtime(t *kernelTimex) (state int, err error) {
	r, _, errno := unix.RawSyscall(sysClockAdjtime, uintptr(unix.CLOCK_REALTIME), uintptr(unsafe.Pointer(t)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
