package sysclock

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
)

// Kind is what kind of change somebody else made to the clock.
type Kind string

// The kinds.
const (
	// KindSet: the clock was set (date -s, clock_settime), once.
	KindSet Kind = "clock-set"
	// KindFrequency: the kernel's frequency isn't the one that was set here.
	KindFrequency Kind = "frequency"
	// KindPhase: the kernel's own loop, or an adjtime, is slewing.
	KindPhase Kind = "phase"
)

// Interference is a change of the clock that this process did not make.
type Interference struct {
	Kind Kind
	At   discipline.Raw
	By   time.Duration // KindSet: how far the clock was moved
	PPM  float64       // KindFrequency: the frequency found
}

// String is one sentence for a log.
func (i Interference) String() string {
	switch i.Kind {
	case KindSet:
		return fmt.Sprintf("the host clock was set by somebody else: it moved by %v", i.By)
	case KindFrequency:
		return fmt.Sprintf("the host clock's frequency was changed by somebody else, to %.3f ppm", i.PPM)
	}
	return "the host clock is being slewed by somebody else through the kernel's own loop"
}

// watch compares each reading with what was set and read before. What the kernel does at a
// leap second that it was told of is recognised by its TAI offset moving along.
type watch struct {
	begun  bool
	last   discipline.HostReading
	tick   int64
	freq   int64
	tai    int32
	phase  bool // KindPhase was reported and has not ended
	set    bool // the clock was set, by whomever, and takeOver not done since
	good   bool // the kernel was told that its clock is synchronized, which it forgets when that is set
	events []Interference
}

// The tolerances: what a reading may differ from the prediction without anybody's doing. A
// frequency takes effect at the kernel's next tick, up to 10 ms after it was set.
const (
	jumpFloor = 100 * time.Microsecond
	jumpRate  = 50e-6
	mostKept  = 64
)

// after takes a reading made right after this process set something, which moved the clock by so much at once. What
// moved it else since the reading just before that was somebody else.
func (w *watch) after(h discipline.HostReading, t *kernelTimex, by time.Duration) {
	w.compare(h, t, by)
	w.own(h, t)
}

// own takes a reading as what the next one is compared with.
func (w *watch) own(h discipline.HostReading, t *kernelTimex) {
	w.begun, w.last, w.tick, w.freq, w.tai = true, h, t.tick, t.freq, t.tai
}

// see takes a reading and the kernel's state read just before it.
func (w *watch) see(h discipline.HostReading, t *kernelTimex) {
	if !w.begun {
		w.own(h, t)
		return
	}
	if t.tick != w.tick || t.freq != w.freq {
		now := joinFrequency(t.tick, t.freq)
		w.note(Interference{Kind: KindFrequency, At: h.Raw, PPM: now})
	}
	if pending := t.offset != 0; pending != w.phase {
		w.phase = pending
		if pending {
			w.note(Interference{Kind: KindPhase, At: h.Raw})
		}
	}
	w.set = w.set || w.good && t.status&unix.STA_UNSYNC != 0 // by too little to be seen
	w.compare(h, t, 0)
	w.own(h, t)
}

// compare notes it when the clock was set since the last reading, by more than what this process did.
func (w *watch) compare(h discipline.HostReading, t *kernelTimex, own time.Duration) {
	dt := float64(h.Raw - w.last.Raw)
	ppm := joinFrequency(w.tick, w.freq)
	moved := time.Duration(h.Real-w.last.Real-int64(math.Round(dt*(1+ppm*1e-6)))) - own
	slack := jumpFloor + h.Width + w.last.Width + time.Duration(dt*jumpRate)
	if t.tick != w.tick || t.freq != w.freq {
		slack += time.Duration(dt * math.Abs(joinFrequency(t.tick, t.freq)-ppm) * 1e-6)
	}
	if leap := time.Duration(t.tai-w.tai) * time.Second; leap != 0 && (moved+leap).Abs() <= slack {
		moved = 0 // the kernel's own leap second
	}
	if moved.Abs() > slack {
		w.set = true
		w.note(Interference{Kind: KindSet, At: h.Raw, By: moved})
	}
}

func (w *watch) note(i Interference) {
	if len(w.events) < mostKept {
		w.events = append(w.events, i)
	}
}

func (w *watch) take() []Interference {
	e := w.events
	w.events = nil
	return e
}
