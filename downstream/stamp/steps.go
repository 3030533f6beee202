package stamp

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// hostSteps is told by the kernel when CLOCK_REALTIME is set: a timer on that clock is cancelled
// then (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). Slewing does not count.
type hostSteps struct{ timer *os.File }

func watchSteps() (*hostSteps, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("timer to notice clock steps: %w", err)
	}
	// A file that the runtime does not poll: it is only ever read without waiting.
	w := &hostSteps{timer: os.NewFile(uintptr(fd), "timerfd")}
	far := unix.ItimerSpec{Value: unix.Timespec{Sec: math.MaxInt32}} // 2038; it matters not if it expires
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &far, nil); err != nil {
		w.timer.Close()
		return nil, fmt.Errorf("timer to notice clock steps: %w", err)
	}
	return w, nil
}

// Stepped reports whether the host clock was set since the last call, and true when that can't be
// told.
func (w *hostSteps) Stepped() bool {
	conn, err := w.timer.SyscallConn()
	if err != nil {
		return true
	}
	stepped := true
	err = conn.Control(func(fd uintptr) {
		var b [8]byte
		_, err := unix.Read(int(fd), b[:])
		stepped = err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	return stepped || err != nil
}

func (w *hostSteps) Close() error { return w.timer.Close() }
