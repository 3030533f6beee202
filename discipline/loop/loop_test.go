package loop

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/discipline/thermal"
	"github.com/ntsgw/ntsgw/downstream/suspend"
)

// world is a gateway in a bubble: three servers that tell true time, a host clock, a loop.
type world struct {
	t      *testing.T
	clock  *simClock
	engine *discipline.Discipline
	loop   *Loop
	meas   chan discipline.Measurement
	events chan SourceEvent
	log    bytes.Buffer
	done   chan error
	cancel context.CancelFunc
	lie    time.Duration // what every server adds to the truth
	mute   atomic.Bool   // no server answers
	quit   chan struct{}
	wait   sync.WaitGroup
}

const poll = 4 * time.Second

func newWorld(t *testing.T, clock *simClock, mode Mode, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, clock: clock, meas: make(chan discipline.Measurement), events: make(chan SourceEvent),
		done: make(chan error, 1), quit: make(chan struct{})}
	config := discipline.Config{
		Sources:       []discipline.SourceConfig{{Name: "a", Operator: "a"}, {Name: "b", Operator: "b"}, {Name: "c", Operator: "c"}},
		StepThreshold: 100 * time.Millisecond, PanicThreshold: 1000 * time.Second,
		HoldoverMax: 8 * time.Hour, Observing: mode != System, MaxFrequencyPPM: clock.limit,
	}
	w.engine = discipline.New(config)
	o := Options{Engine: w.engine, Clock: clock, Mode: mode, Measurements: w.meas, Sources: w.events, MaxFrequencyPPM: clock.limit,
		Log: slog.New(slog.NewTextHandler(&w.log, nil))}
	if change != nil {
		change(&o)
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.loop = l
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.wait.Go(func() { w.done <- l.Run(ctx) })
	w.wait.Go(w.servers)
	return w
}

// servers answers for the three servers, one poll after the other.
func (w *world) servers() {
	turn := time.NewTicker(poll / 3)
	defer turn.Stop()
	for i := 0; ; i++ {
		select {
		case <-w.quit:
			return
		case <-turn.C:
		}
		if w.mute.Load() {
			continue
		}
		at := w.clock.Now()
		m := discipline.Measurement{Source: string(rune('a' + i%3)), At: at,
			Offset: time.Now().Add(w.lie).UnixNano() - int64(at),
			Delay:  2 * time.Millisecond, RootDelay: 100 * time.Microsecond, RootDispersion: 50 * time.Microsecond,
			Precision: time.Microsecond, Stratum: 1, Authenticated: true, Poll: poll}
		select {
		case w.meas <- m:
		case <-w.quit:
			return
		}
	}
}

// pass lets d go by and checks the promise each second.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(time.Second)
		synctest.Wait()
		s, now := w.loop.Snapshot(), w.clock.Now()
		if s.Serving() {
			if off := time.Duration(s.UTCAt(now).UnixNano() - time.Now().Add(w.lie).UnixNano()); off.Abs() > s.MaxError(now) {
				w.t.Errorf("the timeline is off by %v, its bound says %v", off, s.MaxError(now))
			}
		}
		if k := w.clock.kernel(); k.Synchronized {
			if off := w.clock.wrong() - w.lie; off.Abs() > k.MaxError+500*time.Microsecond {
				w.t.Errorf("the host clock is off by %v, the kernel was told %v", off, k.MaxError)
			}
		}
	}
}

func (w *world) end() error {
	w.cancel()
	close(w.quit)
	w.wait.Wait()
	return <-w.done
}

func TestAWrongClockIsSteppedOnceThenHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(3*time.Second, 42)
		w := newWorld(t, c, System, nil)
		w.pass(5 * time.Minute)
		if len(c.steps) != 1 || (c.steps[0]+3*time.Second).Abs() > 10*time.Millisecond {
			t.Errorf("steps %v", c.steps)
		}
		if off := c.wrong(); off.Abs() > 2*time.Millisecond {
			t.Errorf("the host clock is off by %v", off)
		}
		if s := w.loop.Snapshot(); s.State != discipline.Synchronized {
			t.Errorf("state %v", s.State)
		}
		if k := c.kernel(); !k.Synchronized || k.MaxError > 10*time.Millisecond {
			t.Errorf("kernel %+v", k)
		}
		if h := w.loop.Host(); !h.PhaseKnown || h.Steps != 1 || h.MaxError > 10*time.Millisecond {
			t.Errorf("host %+v", h)
		}
		c.setByOperator(20 * time.Millisecond)
		w.pass(3 * time.Second)
		if math.Abs(c.ppm+42) < 100 {
			t.Errorf("no slew in progress: %v ppm", c.ppm)
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		// The end leaves the learned rate, not a slew in progress.
		if math.Abs(c.ppm+42) > 5 {
			t.Errorf("left at %v ppm", c.ppm)
		}
	})
}

func TestObserveAndFollowNeverSet(t *testing.T) {
	for _, mode := range []Mode{Observe, Follow} {
		synctest.Test(t, func(t *testing.T) {
			c := newSimClock(3*time.Second, -20)
			w := newWorld(t, c, mode, nil)
			w.pass(2 * time.Minute)
			s := w.loop.Snapshot()
			if s.State != discipline.Synchronized || len(c.steps) != 0 || c.statuses != 0 || c.ppm != 0 {
				t.Errorf("%s: state %v, steps %v, statuses %d, %v ppm", mode, s.State, c.steps, c.statuses, c.ppm)
			}
			if h := w.loop.Host(); (h.Phase + 3*time.Second).Abs() > 20*time.Millisecond {
				t.Errorf("%s: phase %v", mode, h.Phase)
			}
			// Following, the bound covers the host clock too; observing, only the timeline.
			if e := s.MaxError(c.Now()); (e >= 2900*time.Millisecond) != (mode == Follow) {
				t.Errorf("%s: bound %v", mode, e)
			}
			w.end()
		})
	}
}

// Following, what another daemon does to the host clock is in the bound at once, and without servers nothing is stated.
func TestFollowSeesAStepAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, Follow, nil)
		w.pass(time.Minute)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		c.setByOperator(5 * time.Second) // chrony's makestep
		if s := w.loop.Snapshot(); !s.Serving() || s.MaxError(c.Now()) < c.wrong().Abs() || s.RootDelay/2+s.RootDispersion < c.wrong().Abs() {
			t.Errorf("%v, stated %v, the host clock is off by %v", s.State, s.MaxError(c.Now()), c.wrong())
		}
		w.mute.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := w.loop.Snapshot(); s.State != discipline.Unsynchronized {
			t.Errorf("%v without a server for an hour", s.State)
		}
		w.end()
	})
}

// max_error_limit is for what is served, and following that is the bound on the host clock.
func TestFollowKeepsToTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100 * time.Millisecond
		c := newSimClock(3*time.Second, 10)
		w := newWorld(t, c, Follow, func(o *Options) { o.MaxErrorLimit = limit })
		w.pass(time.Minute)
		if s := w.loop.Snapshot(); s.Serving() || s.Stratum != 16 {
			t.Errorf("%v, the host clock is off by %v, the limit %v", s.State, c.wrong(), limit)
		}
		if s := w.loop.Timeline(); s.State != discipline.Synchronized {
			t.Errorf("the timeline is %v", s.State)
		}
		c.setByOperator(-3 * time.Second)
		if s := w.loop.Snapshot(); s.State != discipline.Synchronized || s.MaxError(c.Now()) > limit {
			t.Errorf("the host clock is off by %v, and it is %v, stated %v", c.wrong(), s.State, s.MaxError(c.Now()))
		}
		// What another daemon does is seen at once.
		c.setByOperator(limit)
		if s := w.loop.Snapshot(); s.Serving() {
			t.Errorf("the host clock was moved by %v, and it is %v, stated %v", limit, s.State, s.MaxError(c.Now()))
		}
		w.end()
	})
}

func TestFollowNeverTrustsASmallerKernelError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 0)
		c.status = sysclock.KernelStatus{Synchronized: true, MaxError: 80 * time.Millisecond}
		w := newWorld(t, c, Follow, nil)
		w.pass(time.Minute)
		if e := w.loop.Snapshot().MaxErrorAt; e < 80*time.Millisecond {
			t.Errorf("the kernel says 80 ms, the bound %v", e)
		}
		c.mu.Lock()
		c.status.MaxError = 0 // as systemd-timesyncd does
		c.mu.Unlock()
		w.pass(time.Minute)
		if e := w.loop.Snapshot().MaxErrorAt; e < time.Millisecond || e > 20*time.Millisecond {
			t.Errorf("bound %v", e)
		}
		w.end()
	})
}

// Following, a host clock that another daemon keeps wrong is named, with what to do about what is known to do that.
func TestFollowNamesAHostClockThatIsOff(t *testing.T) {
	for _, c := range []struct {
		wrong time.Duration
		says  string // empty: no warning
	}{
		{0, ""}, {50 * time.Millisecond, ""}, {-50 * time.Millisecond, ""},
		{37*time.Second + 3*time.Millisecond, "37s ahead of the servers' time, which every bound contains that is served: it shows TAI rather than UTC"},
		{time.Second, "1s ahead of the servers' time, which every bound contains that is served: whole seconds are leap seconds"},
		{-37 * time.Second, "37s behind the servers' time, which every bound contains that is served: whole seconds are leap seconds"},
		{18*time.Second - 20*time.Millisecond, "17.98s ahead of the servers' time, which every bound contains that is served: whole seconds are leap seconds"},
		{-2400 * time.Millisecond, "2.4s behind the servers' time, which every bound contains that is served: see whom its daemon follows"},
		{2 * time.Hour, "2h0m0s ahead of the servers' time, which every bound contains that is served: see whom its daemon follows"},
	} {
		synctest.Test(t, func(t *testing.T) {
			clock := newSimClock(c.wrong, 10)
			w := newWorld(t, clock, Follow, nil)
			w.pass(time.Minute)
			text := ""
			for _, warning := range w.loop.Snapshot().Warnings {
				if warning.ID == "host-clock-off" {
					text = warning.Text
				}
			}
			if (text == "") != (c.says == "") || !strings.Contains(text, c.says) {
				t.Errorf("off by %v: %q", c.wrong, text)
			}
			clock.setByOperator(-c.wrong) // its daemon was mended
			w.pass(3 * time.Second)
			if warned(w.loop.Snapshot(), "host-clock-off") {
				t.Errorf("still warned of after %v were taken back", c.wrong)
			}
			w.end()
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newSimClock(37*time.Second, 10), Observe, nil)
		w.pass(time.Minute)
		if warned(w.loop.Snapshot(), "host-clock-off") {
			t.Error("observing, nothing rests on the host clock")
		}
		w.end()
	})
}

func TestAnOperatorsDateIsSteeredBackAndTheEpochStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.pass(time.Minute)
		epoch := w.loop.Snapshot().Epoch
		c.setByOperator(-90 * time.Second)
		w.pass(5 * time.Second)
		if off := c.wrong(); off.Abs() > 5*time.Millisecond {
			t.Errorf("off by %v", off)
		}
		s := w.loop.Snapshot()
		if s.Epoch != epoch || !s.Serving() {
			t.Errorf("epoch %x became %x, state %v", epoch, s.Epoch, s.State)
		}
		if !warned(s, "host-clock-set") || !strings.Contains(w.log.String(), "set by somebody else") {
			t.Errorf("no warning: %v\n%s", s.Warnings, w.log.String())
		}
		w.pass(setRemember)
		if warned(w.loop.Snapshot(), "host-clock-set") {
			t.Error("the warning never ends")
		}
		w.end()
	})
}

// Somebody sets the clock in the moment between our reading it and telling the kernel how good
// it is: what the kernel then says must not be about the clock as it was.
func TestAClockSetDuringATurnIsNotVouchedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.pass(time.Minute)
		var was atomic.Bool
		c.mu.Lock()
		c.onStatus = func() { c.setByOperator(-50 * time.Millisecond); was.Store(true) }
		c.mu.Unlock()
		for !was.Load() {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if k := c.kernel(); k.Synchronized && c.wrong().Abs() > k.MaxError {
			t.Errorf("off by %v, the kernel was told %v", c.wrong(), k.MaxError)
		}
		w.pass(3 * time.Minute)
		w.end()
	})
}

// fight has another daemon steer the clock until the loop gives way.
func (w *world) fight() {
	for range fightCount {
		w.clock.note(sysclock.KindFrequency)
		w.pass(10 * time.Second)
	}
}

func TestAnotherDaemonEndsOurSteering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.pass(time.Minute)
		w.fight()
		n := c.statuses
		w.pass(time.Minute)
		s := w.loop.Snapshot()
		if c.statuses != n || !warned(s, "another-daemon") || !s.Serving() {
			t.Errorf("statuses %d → %d, warnings %v, state %v", n, c.statuses, s.Warnings, s.State)
		}
		w.pass(fightQuiet)
		if c.statuses == n || warned(w.loop.Snapshot(), "another-daemon") {
			t.Error("steering didn't begin again")
		}
		w.end()
	})
}

// Who gives way to another daemon no longer knows how good the host clock is, so the kernel must not go on saying
// what it was told; what the other tells it stands.
func TestTheKernelVouchesForNoClockThatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.pass(time.Minute)
		if !c.kernel().Synchronized {
			t.Fatal("not synchronized before")
		}
		w.fight()
		if k := c.kernel(); k.Synchronized {
			t.Errorf("the kernel says %+v of a clock that another steers", k)
		}
		theirs := sysclock.KernelStatus{Synchronized: true, MaxError: time.Millisecond}
		if err := c.SetStatus(theirs); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		if k := c.kernel(); k != theirs {
			t.Errorf("the kernel says %+v, the other told it %+v", k, theirs)
		}
		w.end()
	})
}

// keptRTC counts how often the battery clock was kept.
type keptRTC struct{ n atomic.Int64 }

func (r *keptRTC) Keep(bool) error { r.n.Add(1); return nil }

// Nor is the battery clock set to one that was given up.
func TestTheBatteryClockIsNotKeptWhileAnotherSteers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, rtc := newSimClock(0, 10), &keptRTC{}
		w := newWorld(t, c, System, func(o *Options) { o.RTC = rtc })
		w.pass(time.Minute)
		before := rtc.n.Load()
		for range 18 {
			w.fight()
			w.pass(5 * time.Minute)
		}
		if n := rtc.n.Load() - before; n != 0 {
			t.Errorf("kept %d times in an hour and a half of another daemon", n)
		}
		w.pass(fightQuiet + time.Minute)
		if rtc.n.Load() == before {
			t.Error("not kept afterwards")
		}
		w.end()
	})
}

func TestSuspendEndsTheTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.pass(time.Minute)
		epoch := w.loop.Snapshot().Epoch
		w.mute.Store(true)
		c.suspend(time.Hour)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s := w.loop.Snapshot()
		if s.Serving() || s.Epoch == epoch {
			t.Errorf("after an hour's sleep: %v, epoch %x was %x", s.State, s.Epoch, epoch)
		}
		if c.kernel().Synchronized {
			t.Error("the kernel is still told that its clock is synchronized")
		}
		if base := time.Duration(w.loop.base.Load()); base != time.Hour {
			t.Errorf("base %v", base)
		}
		w.mute.Store(false)
		w.pass(time.Minute)
		if s := w.loop.Snapshot(); s.State != discipline.Synchronized || !c.kernel().Synchronized {
			t.Errorf("state %v", s.State)
		}
		w.end()
	})
}

// While another daemon has the clock, what would have been stepped counts for nothing.
func TestYieldedStepsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.pass(time.Minute)
		w.fight()
		c.setByOperator(300 * time.Millisecond) // the other holds it so
		for range 8 {
			w.pass(10 * time.Minute)
			c.note(sysclock.KindFrequency)
		}
		if len(c.steps) != 0 {
			t.Errorf("stepped by %v while yielded", c.steps)
		}
		w.pass(fightQuiet + 10*time.Second)
		if len(c.steps) != 1 || c.wrong().Abs() > time.Millisecond {
			t.Errorf("afterwards: steps %v, the host clock is off by %v", c.steps, c.wrong())
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// Until the loop's next turn nothing is served of a timeline that a suspend ended.
func TestNothingServedAfterResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.pass(time.Minute)
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if !w.loop.Snapshot().Serving() {
			t.Fatal("not serving before")
		}
		c.mu.Lock() // timers stand still in a suspend
		c.slept += time.Hour
		c.start = c.start.Add(-time.Hour)
		c.mu.Unlock()
		if s := w.loop.Snapshot(); s.Serving() || s.Stratum != 16 {
			t.Errorf("%v, stratum %d, after an hour of suspend", s.State, s.Stratum)
		}
		w.end()
	})
}

// A suspend that whoever states time notices ends the timeline as well, or they would be silent for ever.
func TestShortSuspend(t *testing.T) {
	for _, d := range []time.Duration{discipline.SuspendNoise / 2, 2 * discipline.SuspendNoise, time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			c := newSimClock(0, 10)
			w := newWorld(t, c, Observe, nil)
			w.pass(time.Minute)
			g, epoch := suspend.New(c), w.loop.Snapshot().Epoch
			g.Intact(epoch)
			c.suspend(d)
			w.pass(10 * time.Minute)
			s := w.loop.Snapshot()
			g.Intact(s.Epoch)
			time.Sleep(suspend.Settle)
			synctest.Wait()
			if !g.Intact(w.loop.Snapshot().Epoch) || !s.Serving() || (s.Epoch != epoch) != (d > discipline.SuspendNoise) {
				t.Errorf("%v: %v, epoch %x was %x, intact %v", d, s.State, s.Epoch, epoch, g.Intact(s.Epoch))
			}
			w.end()
		})
	}
}

func TestPanicEndsRunInSystemModeOnly(t *testing.T) {
	for _, mode := range []Mode{System, Observe} {
		synctest.Test(t, func(t *testing.T) {
			c := newSimClock(0, 10)
			w := newWorld(t, c, mode, nil)
			w.pass(time.Minute)
			c.setByOperator(-3 * time.Hour)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			s, k := w.loop.Snapshot(), c.kernel()
			err := w.end()
			if got := errors.Is(err, ErrPanic); got != (mode == System) {
				t.Errorf("%s: Run returned %v", mode, err)
			}
			if mode == System && (s.Serving() || k.Synchronized) {
				t.Errorf("after the panic: %v, kernel %+v", s.State, k)
			}
			if mode == Observe && !s.Serving() {
				t.Errorf("observing: %v", s.State)
			}
			if len(c.steps) != 0 {
				t.Errorf("%s: steps %v", mode, c.steps)
			}
		})
	}
}

func TestTheFirstSettingMayBeOfAnySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		c.base = 12e9 // 1970: no battery clock
		w := newWorld(t, c, System, nil)
		w.pass(30 * time.Second)
		if off := c.wrong(); off.Abs() > 5*time.Millisecond || len(c.steps) != 1 {
			t.Errorf("off by %v after steps %v", off, c.steps)
		}
		w.end()
	})
}

// Boards with such oscillators exist. Beyond ±500 ppm the kernel needs tick, which sysclock sets.
func TestOscillatorsFarOff(t *testing.T) {
	for _, c := range []struct{ drift, limit float64 }{{405, 0}, {-405, 0}, {600, 1000}, {-8960, 10_000}} {
		synctest.Test(t, func(t *testing.T) {
			host := newSimClock(3*time.Second, c.drift)
			host.limit = c.limit
			w := newWorld(t, host, System, nil)
			w.pass(10 * time.Minute)
			if off := host.wrong(); off.Abs() > 2*time.Millisecond || len(host.steps) != 1 {
				t.Errorf("%v ppm: off by %v after steps %v", c.drift, off, host.steps)
			}
			w.end()
		})
	}
}

// TestWhatTheKernelSaysHoldsWhenWeAreKilled holds what the kernel was told to stay true with no more than its own 500 ppm of
// growth, at whatever moment nobody tells it more; and the kernel to be told at all.
func TestWhatTheKernelSaysHoldsWhenWeAreKilled(t *testing.T) {
	for _, c := range []struct {
		drift, limit float64
	}{{10, 0}, {405, 0}, {-405, 0}, {600, 1000}, {8960, 10_000}, {-8960, 10_000}, {600, 0}, {-8960, 0}} {
		synctest.Test(t, func(t *testing.T) {
			host := newSimClock(400*time.Microsecond, c.drift) // it is slewed out at once
			host.limit = c.limit
			w := newWorld(t, host, System, nil)
			looks, worst := 0, 0.0
			for i := range 1200 {
				if i == 600 {
					host.setByOperator(20 * time.Millisecond)
				}
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				k := host.kernel()
				if !k.Synchronized {
					continue
				}
				looks++
				wrong := float64(host.wrong())
				host.mu.Lock()
				rate := (1+c.drift*1e-6)*(1+host.ppm*1e-6) - 1
				host.mu.Unlock()
				for _, later := range []time.Duration{time.Second, time.Minute, time.Hour, 9 * time.Hour} {
					off := math.Abs(wrong + rate*float64(later))
					says := float64(k.MaxError) + 500e-6*float64(later)
					worst = max(worst, off/says)
				}
			}
			if worst > 1 {
				t.Errorf("%+v: the host clock is off by %.1f times what the kernel says", c, worst)
			}
			if looks < 700 || !host.kernel().Synchronized {
				t.Errorf("%+v: synchronized at %d of 1200 looks", c, looks)
			}
			t.Logf("%+v: at most %.2f of what the kernel says, at %d of 1200 looks", c, worst, looks)
			w.end()
		})
	}
}

func TestAnOscillatorBeyondTheLimitIsSaidSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 620)
		w := newWorld(t, c, System, nil)
		w.pass(5 * time.Minute)
		if s := w.loop.Snapshot(); !warned(s, "frequency-limit") || !s.Serving() {
			t.Errorf("state %v, warnings %v", s.State, s.Warnings)
		}
		w.end()
	})
}

// max_frequency_ppm holds whatever the oscillator needs, and for what stays when the program ends.
func TestTheFrequencyIsKeptToItsLimit(t *testing.T) {
	for _, c := range []struct{ drift, limit float64 }{{620, 100}, {-620, 100}, {300, 200}, {-9000, 500}} {
		synctest.Test(t, func(t *testing.T) {
			host := newSimClock(20*time.Millisecond, c.drift)
			host.limit = c.limit
			w := newWorld(t, host, System, nil)
			for range 3000 {
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				host.mu.Lock()
				ppm := host.ppm
				host.mu.Unlock()
				if math.Abs(ppm) > c.limit {
					t.Errorf("%+v: set to %v ppm", c, ppm)
					break
				}
			}
			w.end()
			if math.Abs(host.ppm) > c.limit {
				t.Errorf("%+v: left at %v ppm", c, host.ppm)
			}
		})
	}
}

// A raw clock that is coarse, or becomes it while the loop runs, is in the bound of whatever is served, and warned of;
// one that is too coarse for a gateway ends the start.
func TestACoarseRawClock(t *testing.T) {
	measure := func(first, later time.Duration) (s *discipline.Snapshot) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			w := newWorld(t, newSimClock(0, 10), System, func(o *Options) {
				o.Tick = func() time.Duration {
					if time.Since(began) < time.Minute {
						return first
					}
					return later
				}
			})
			w.pass(time.Minute - time.Second)
			if s := w.loop.Snapshot(); warned(s, "clock-coarse") != (discipline.Coarse(first) > 0) {
				t.Errorf("a step of %v: %v", first, s.Warnings)
			}
			w.pass(time.Minute)
			s = w.loop.Snapshot()
			w.end()
		})
		return s
	}
	fine := measure(17, discipline.RawTick)
	if warned(fine, "clock-coarse") {
		t.Errorf("warned of the coarsest clock that is supported: %v", fine.Warnings)
	}
	for _, first := range []time.Duration{17, 50 * time.Microsecond} {
		coarse := measure(first, 50*time.Microsecond)
		if more := coarse.MaxErrorAt - fine.MaxErrorAt; more != 49*time.Microsecond || coarse.RootDelay/2+coarse.RootDispersion < coarse.MaxErrorAt || !warned(coarse, "clock-coarse") {
			t.Errorf("a step of 50 µs adds %v to a bound of %v; root dispersion %v; %v", more, fine.MaxErrorAt, coarse.RootDispersion, coarse.Warnings)
		}
	}
	_, err := New(Options{Engine: discipline.New(discipline.Config{}), Clock: newSimClock(0, 0), Mode: Observe,
		Measurements: make(chan discipline.Measurement), Tick: func() time.Duration { return 4 * time.Millisecond }})
	if e := (*CoarseClockError)(nil); !errors.As(err, &e) || e.Step != 4*time.Millisecond || !strings.Contains(err.Error(), "in steps of 4ms, more than 100µs") {
		t.Errorf("a clock of 4 ms: %v", err)
	}
}

func TestAStaleSnapshotIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, Observe, nil)
		w.pass(time.Minute)
		if !w.loop.Snapshot().Serving() {
			t.Fatal("not synchronized")
		}
		w.end()
		time.Sleep(stale - 10*time.Second)
		if !w.loop.Snapshot().Serving() {
			t.Error("too early")
		}
		time.Sleep(11 * time.Second)
		if s := w.loop.Snapshot(); s.Serving() || s.Stratum != 16 {
			t.Errorf("a minute without its loop: %v", s.State)
		}
	})
}

func TestUnsynchronizedReachesTheKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(0, 10)
		w := newWorld(t, c, System, nil)
		w.mute.Store(true)
		w.pass(time.Minute)
		if c.statuses != 0 {
			t.Error("what an earlier run told the kernel was changed before anything was known")
		}
		w.mute.Store(false)
		w.pass(time.Minute)
		w.mute.Store(true)
		w.pass(time.Hour)
		if s := w.loop.Snapshot(); s.State != discipline.Holdover || !c.kernel().Synchronized {
			t.Errorf("after an hour: %v, kernel %+v", s.State, c.kernel())
		}
		w.pass(9 * time.Hour)
		if s := w.loop.Snapshot(); s.Serving() || c.kernel().Synchronized {
			t.Errorf("after ten hours: %v, kernel %+v", s.State, c.kernel())
		}
		w.end()
	})
}

func TestAutoMeasuresBeforeItDecides(t *testing.T) {
	for _, choice := range []Mode{System, Observe} {
		synctest.Test(t, func(t *testing.T) {
			c := newSimClock(time.Second, 10)
			w := newWorld(t, c, System, func(o *Options) {
				o.Decide = func(ctx context.Context) (Mode, string) {
					select {
					case <-ctx.Done():
					case <-time.After(10 * time.Second):
					}
					return choice, "tried"
				}
			})
			w.pass(8 * time.Second)
			if s := w.loop.Snapshot(); !s.Serving() || len(c.steps) != 0 || c.statuses != 0 {
				t.Errorf("before: %v, %v", s.State, c.steps)
			}
			if h := w.loop.Host(); !h.Deciding || h.Mode != Observe {
				t.Errorf("host %+v", h)
			}
			w.pass(8 * time.Second)
			if h := w.loop.Host(); h.Deciding || h.Mode != choice || (len(c.steps) == 1) != (choice == System) {
				t.Errorf("after: %+v, steps %v", h, c.steps)
			}
			w.end()
		})
	}
}

func TestAClockThatCannotBeSetEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimClock(time.Second, 10)
		c.err = &sysclock.PermissionError{Op: "x"}
		w := newWorld(t, c, System, nil)
		time.Sleep(time.Minute)
		var p *sysclock.PermissionError
		if err := w.end(); !errors.As(err, &p) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestRefusalsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		c := newSimClock(0, 0)
		w := newWorld(t, c, Observe, func(o *Options) {
			o.Refused = func(source, reason string) { got = append(got, source+" "+reason) }
		})
		w.pass(10 * time.Second)
		before := w.loop.Snapshot()
		w.meas <- discipline.Measurement{Source: "nobody"}
		w.meas <- discipline.Measurement{Source: "a", Stratum: 16}
		synctest.Wait()
		if len(got) != 2 || got[0] != "nobody unknown-source" || got[1] != "a bad-stratum" {
			t.Errorf("counted %v", got)
		}
		if now := w.loop.Snapshot(); now.Epoch != before.Epoch || now.State != before.State {
			t.Errorf("the refused changed the timeline: %v", now.State)
		}
		w.end()
	})
}

// warmed notes what the engine was told of the temperature.
type warmed struct {
	Engine
	told chan thermal.Reading
}

func (w warmed) Temperature(at discipline.Raw, celsius float64) {
	w.told <- thermal.Reading{At: at, Celsius: celsius}
	w.Engine.Temperature(at, celsius)
}

// What is told of a source before it speaks counts before what it says, though both wait.
func TestNewsOfASourceComesFirst(t *testing.T) {
	for range 40 {
		synctest.Test(t, func(t *testing.T) {
			c := newSimClock(0, 0)
			now := c.Now()
			says := make(chan discipline.Measurement, 1)
			events := make(chan SourceEvent, 2)
			events <- SourceEvent{"a", discipline.Standing{Denied: "pins"}}
			events <- SourceEvent{"a", discipline.Standing{Reachable: true}}
			says <- discipline.Measurement{Source: "a", At: now, Offset: time.Now().UnixNano() - int64(now), Delay: 1e6, Precision: 1, Stratum: 1, Poll: poll}
			refused := ""
			l, err := New(Options{Engine: discipline.New(discipline.Config{Sources: []discipline.SourceConfig{{Name: "a"}}}), Clock: c, Mode: Observe,
				Measurements: says, Sources: events, Refused: func(_, reason string) { refused = reason }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- l.Run(ctx) }()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			cancel()
			if err := <-done; err != nil || refused != "" || !l.Snapshot().Serving() {
				t.Errorf("%v; refused as %q; %v", err, refused, l.Snapshot().State)
			}
		})
	}
}

func TestTemperaturesReachTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readings, told := make(chan thermal.Reading), make(chan thermal.Reading, 1)
		w := newWorld(t, newSimClock(0, 10), System, func(o *Options) {
			o.Temperatures, o.Engine = readings, warmed{o.Engine, told}
		})
		w.pass(10 * time.Second)
		want := thermal.Reading{At: w.clock.Now(), Celsius: 47.5}
		readings <- want
		if got := <-told; got != want {
			t.Errorf("%+v", got)
		}
		w.pass(10 * time.Second)
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsLearnedOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		files := &Files{Drift: filepath.Join(dir, "drift")}
		var track bytes.Buffer
		c := newSimClock(0, 30)
		w := newWorld(t, c, System, func(o *Options) { o.Store, o.Tracking = files, &track })
		w.pass(90 * time.Minute)
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		freq, std, ok, err := files.LoadDrift()
		if err != nil || !ok || math.Abs(freq+30) > 5 || std <= 0 {
			t.Errorf("drift %v ± %v, %v, %v", freq, std, ok, err)
		}
		names, _ := os.ReadDir(dir)
		if len(names) != 1 {
			t.Errorf("left behind: %v", names)
		}
		lines := strings.Split(strings.TrimSpace(track.String()), "\n")
		columns := len(strings.Fields(lines[0])) - 1
		if lines[0][0] != '#' || len(lines) < 1000 {
			t.Errorf("%d lines, the first %q", len(lines), lines[0])
		}
		for _, l := range lines[1:] {
			if len(strings.Fields(l)) != columns {
				t.Fatalf("%q has not %d columns", l, columns)
			}
		}
	})
}

func TestFilesThatMakeNoSense(t *testing.T) {
	dir := t.TempDir()
	f := &Files{Drift: filepath.Join(dir, "drift")}
	if _, _, ok, err := f.LoadDrift(); ok || err != nil {
		t.Errorf("no file: %v, %v", ok, err)
	}
	for _, text := range []string{"x", "1", "NaN 1", "1 NaN", "1 -1", "1 0", "Inf 1", "1e9 1", "1 2 3"} {
		os.WriteFile(f.Drift, []byte(text), 0o644)
		if _, _, ok, err := f.LoadDrift(); ok || err == nil {
			t.Errorf("drift %q: %v, %v", text, ok, err)
		}
	}
	if err := (&Files{Drift: filepath.Join(dir, "no", "where")}).SaveDrift(1, 1); err == nil {
		t.Error("a folder that isn't there was written to")
	}
}

func TestLeapIsArmedOnItsDayOnly(t *testing.T) {
	at := int64(1_798_761_600) // 2027-01-01T00:00:00Z
	for _, c := range []struct {
		left int64
		want discipline.Leap
	}{{100_000, 0}, {86_399, 0}, {86_000, 1}, {1, 1}, {0, 0}, {-5, 0}} {
		s := &discipline.Snapshot{Leap: discipline.LeapInsert, LeapAt: at}
		if got := leapToday(s, discipline.UTC{Seconds: at - c.left}); got != c.want {
			t.Errorf("%d s before: %d", c.left, got)
		}
	}
}

// The timeline makes the leap second a moment before a host clock that is behind it: that still has to.
func TestLeapStaysArmedUntilTheHostClockMadeIt(t *testing.T) {
	at := int64(1_798_761_600) // 2027-01-01T00:00:00Z
	const behind = 700e6
	for _, leap := range []discipline.Leap{discipline.LeapInsert, discipline.LeapDelete} {
		var s steering
		early := &discipline.Snapshot{Leap: leap, LeapAt: at, TAI: (at+37)*1e9 - 10e9, TAIOffset: 37}
		late := &discipline.Snapshot{TAI: early.TAI + 10e9, At: 10e9, TAIOffset: 37 + int(leap)}
		for raw := discipline.Raw(0); raw < 90e9; raw += 1e8 {
			snap := early
			if u := early.UTCAt(raw); u.Seconds >= at {
				snap = late
			}
			// The host clock is as the kernel makes it, which behaves as the timeline does, but later.
			host := early.UTCAt(raw - behind)
			got := s.arm(snap, snap.UTCAt(raw), host.UnixNano())
			if made := host.Seconds >= at; made == (got == leap) {
				t.Fatalf("leap %d: %d is armed where the host clock shows %v", leap, got, host.Time())
			}
		}
		// What was told is taken back when the servers do, and does not wait for a host clock that is far off.
		s.arm(early, early.UTCAt(0), early.UTCAt(0).UnixNano())
		none := &discipline.Snapshot{TAI: early.TAI, TAIOffset: 37}
		if got := s.arm(none, none.UTCAt(0), none.UTCAt(0).UnixNano()); got != discipline.LeapNone {
			t.Errorf("leap %d is still armed though none is announced", leap)
		}
		s.arm(early, early.UTCAt(0), early.UTCAt(0).UnixNano())
		if got := s.arm(late, late.UTCAt(80e9), at*1e9-3600e9); got != discipline.LeapNone {
			t.Errorf("leap %d is still armed a minute later", leap)
		}
	}
}

// The kernel is told when the leap second's moment is there: what it made before, it makes anew, and after it no second time.
func TestLeapIsMadeOnceFromItsMomentOn(t *testing.T) {
	at := int64(1_798_761_600) // 2027-01-01T00:00:00Z
	for _, leap := range []discipline.Leap{discipline.LeapInsert, discipline.LeapDelete} {
		c := &simClock{}
		l := &Loop{o: Options{Clock: c}}
		early := &discipline.Snapshot{State: discipline.Synchronized, Leap: leap, LeapAt: at, TAI: (at+37)*1e9 - 10e9, TAIOffset: 37}
		for raw := discipline.Raw(0); raw < 20e9; raw += 1e8 {
			snap := early
			if u := early.UTCAt(raw); u.Seconds >= at {
				snap = &discipline.Snapshot{State: discipline.Synchronized, TAI: early.TAI + int64(raw), At: raw, TAIOffset: 37 + int(leap)}
			}
			read := discipline.HostReading{Raw: raw, Real: early.UTCAt(raw - 20e9).UnixNano()} // set back
			if err := l.tell(snap, l.describe(snap, read, discipline.Hold), read); err != nil {
				t.Fatal(err)
			}
			if left := at - snap.UTCAt(raw).Seconds; c.status.Leap != leap || c.status.Once != (left <= 2) {
				t.Fatalf("leap %d, %d s before it: %+v", leap, left, c.status)
			}
		}
	}
}

func warned(s *discipline.Snapshot, id string) bool {
	for _, w := range s.Warnings {
		if w.ID == id {
			return true
		}
	}
	return false
}
