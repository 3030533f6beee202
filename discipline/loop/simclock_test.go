package loop

import (
	"math"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// simClock is a host clock on the test's virtual time. True time is time.Now of the bubble; the
// raw clock runs off it by drift.
type simClock struct {
	mu       sync.Mutex
	start    time.Time
	drift    float64 // ppm: the raw clock's speed relative to true time, less one
	slept    time.Duration
	lastRaw  discipline.Raw
	real     float64 // REALTIME − base
	base     int64
	ppm      float64
	status   sysclock.KernelStatus
	statuses int
	steps    []time.Duration
	events   []sysclock.Interference
	canSet   bool
	onStatus func()  // called once, just before a status is set
	limit    float64 // max_frequency_ppm; 0: the default
	err      error
}

func newSimClock(wrong time.Duration, driftPPM float64) *simClock {
	c := &simClock{start: time.Now(), drift: driftPPM, canSet: true}
	c.base = c.start.Add(wrong).UnixNano()
	return c
}

func (c *simClock) raw() discipline.Raw {
	awake := time.Since(c.start) - c.slept
	return discipline.Raw(1e9 + float64(awake)*(1+c.drift*1e-6))
}

func (c *simClock) carry() {
	now := c.raw()
	if c.lastRaw == 0 {
		c.lastRaw = 1e9
	}
	c.real += float64(now-c.lastRaw) * (1 + c.ppm*1e-6)
	c.lastRaw = now
}

// suspend makes d of true time pass that the raw clock doesn't see; REALTIME does.
func (c *simClock) suspend(d time.Duration) {
	c.mu.Lock()
	c.carry()
	c.slept += d
	c.base += int64(d)
	c.mu.Unlock()
	time.Sleep(d) // of the bubble
}

func (c *simClock) setByOperator(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base += int64(d)
	c.status = sysclock.KernelStatus{}
	c.events = append(c.events, sysclock.Interference{Kind: sysclock.KindSet, At: c.raw(), By: d})
}

func (c *simClock) note(k sysclock.Kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, sysclock.Interference{Kind: k, At: c.raw()})
}

// wrong is the host clock's true error.
func (c *simClock) wrong() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carry()
	return time.Duration(c.base + int64(math.Round(c.real)) - time.Now().UnixNano())
}

func (c *simClock) kernel() sysclock.KernelStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *simClock) Now() discipline.Raw {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw()
}

func (c *simClock) Suspended() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slept
}

func (c *simClock) Read() (discipline.HostReading, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carry()
	return discipline.HostReading{Raw: c.lastRaw, Real: c.base + int64(math.Round(c.real)), Width: 50, FrequencyPPM: c.ppm}, c.err
}

func (c *simClock) ReadPair() discipline.HostReading {
	r, _ := c.Read()
	return r
}

func (c *simClock) Kernel() (sysclock.KernelState, error) {
	k := c.kernel()
	return sysclock.KernelState{Unsynchronized: !k.Synchronized, MaxError: k.MaxError, EstError: k.EstError}, nil
}

func (c *simClock) Interference() []sysclock.Interference {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.events
	c.events = nil
	return e
}

func (c *simClock) CanSet() bool { return c.canSet }

func (c *simClock) SetFrequency(ppm float64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carry()
	c.ppm = ppm
	return c.err
}

func (c *simClock) Step(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carry()
	c.base += int64(d)
	c.steps = append(c.steps, d)
	c.status = sysclock.KernelStatus{}
	return c.err
}

func (c *simClock) SetStatus(k sysclock.KernelStatus) error {
	c.mu.Lock()
	f := c.onStatus
	c.onStatus = nil
	c.mu.Unlock()
	if f != nil {
		f()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = k
	c.statuses++
	return c.err
}

var _ Clock = (*simClock)(nil)
