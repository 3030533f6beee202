package sysclock

import (
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
)

// simKernel behaves as kernel/time/ntp.c does, as far as clock_adjtime shows it.
type simKernel struct {
	rawNow  discipline.Raw
	realNow float64 // ns since rawBase
	base    int64   // REALTIME at realNow = 0
	t       kernelTimex
	deny    bool
	state   int      // TIME_OK …
	deaf    bool     // it forgot when to make the leap second that it was told of
	calls   []uint32 // the modes of each call that set something
	tick    func() discipline.Raw
}

func newSimKernel() *simKernel {
	k := &simKernel{rawNow: 1e9, base: 1_790_000_000e9}
	k.t.tick, k.t.status, k.t.maxerror = tickNominal, unix.STA_UNSYNC, 16_000_000
	return k
}

// pass lets d of raw time go by.
func (k *simKernel) pass(d time.Duration) {
	k.rawNow = k.rawNow.Add(d)
	k.realNow += float64(d) * (1 + joinFrequency(k.t.tick, k.t.freq)*1e-6)
	k.t.maxerror = min(k.t.maxerror+int64(d/time.Second)*500, 16_000_000)
}

// set is what date -s does.
func (k *simKernel) set(d time.Duration) {
	k.base += int64(d)
	k.deaf = k.t.status&(unix.STA_INS|unix.STA_DEL) != 0
	k.t.status |= unix.STA_UNSYNC
	k.t.maxerror, k.t.esterror, k.t.offset = 16_000_000, 16_000_000, 0
}

func (k *simKernel) sync() {
	if k.tick != nil {
		if now := k.tick(); now > k.rawNow {
			k.pass(now.Sub(k.rawNow))
		}
	}
}

func (k *simKernel) real() int64                  { return k.base + int64(math.Round(k.realNow)) }
func (k *simKernel) now() discipline.Raw          { k.sync(); return k.rawNow }
func (k *simKernel) suspended() time.Duration     { return 0 }
func (k *simKernel) pair() discipline.HostReading { k.sync(); return k.reading() }
func (k *simKernel) reading() discipline.HostReading {
	return discipline.HostReading{Raw: k.rawNow, Real: k.real(), Width: 50}
}

func (k *simKernel) adjtime(x *kernelTimex) (int, error) {
	k.sync()
	if x.modes != 0 {
		if k.deny {
			return 0, unix.EPERM
		}
		k.calls = append(k.calls, x.modes)
	}
	if x.modes&unix.ADJ_SETOFFSET != 0 {
		if x.usec < 0 || x.usec >= 1e9 || x.modes&unix.ADJ_NANO == 0 {
			return 0, unix.EINVAL
		}
		k.set(time.Duration(x.sec*1e9 + x.usec))
	}
	if x.modes == unix.ADJ_OFFSET_SINGLESHOT {
		x.modes = 0
	}
	if x.modes&unix.ADJ_STATUS != 0 {
		if k.t.status&unix.STA_PLL != 0 && x.status&unix.STA_PLL == 0 {
			k.t.status, k.deaf, k.state = unix.STA_UNSYNC, false, unix.TIME_OK
		}
		k.t.status = k.t.status&unix.STA_NANO | x.status&^unix.STA_NANO
	}
	if x.modes&unix.ADJ_NANO != 0 {
		k.t.status |= unix.STA_NANO
	}
	if x.modes&unix.ADJ_FREQUENCY != 0 {
		k.t.freq = max(-500<<16, min(500<<16, x.freq))
	}
	if x.modes&unix.ADJ_MAXERROR != 0 {
		k.t.maxerror = x.maxerror
	}
	if x.modes&unix.ADJ_ESTERROR != 0 {
		k.t.esterror = x.esterror
	}
	if x.modes&unix.ADJ_TAI != 0 {
		k.t.tai = int32(x.constant)
	}
	if x.modes&unix.ADJ_OFFSET != 0 && k.t.status&unix.STA_PLL != 0 {
		k.t.offset = x.offset
	}
	if x.modes&unix.ADJ_TICK != 0 {
		if x.tick < 9000 || x.tick > 11000 {
			return 0, unix.EINVAL
		}
		k.t.tick = x.tick
	}
	modes := x.modes
	*x = k.t
	x.modes = modes
	x.sec, x.usec = k.real()/1e9, k.real()%1e9
	if k.t.status&unix.STA_NANO == 0 {
		x.usec /= 1000
	}
	return k.state, nil
}

var _ kernel = (*simKernel)(nil)
