package discipline

import "time"

// SourceConfig is what the discipline must know of a source before its first measurement.
type SourceConfig struct {
	Name     string
	Operator string // sources of one operator count once in a quorum (docs/architecture.md)
}

// Config holds the limits and what was learned before.
type Config struct {
	Sources         []SourceConfig
	MinSources      int // 0: auto
	BootstrapQuorum int // 0: auto
	StepThreshold   time.Duration
	PanicThreshold  time.Duration
	HoldoverMax     time.Duration
	MaxErrorLimit   time.Duration // 0: none
	MaxFrequencyPPM float64       // 500 when 0
	FrequencyPPM    float64       // the drift file's
	FrequencyStdPPM float64       // its standard deviation; 0: nothing known
	Floor           int64         // time can't be before it: nanoseconds since 1970, UTC; 0: none
	Leap            LeapTable     // nil: nothing known of leap seconds
	Thermometer     bool          // Temperature will be called
	Observing       bool          // the host clock is never set: no Panic, no Step
	WasSet          bool          // the host clock was set before in this boot: the next change is no first setting
	NewEpoch        func() Epoch  // 8 random bytes; called at each start or jump of the timeline
	Assume          Assumptions   // what the bound rests on; zero values mean the defaults
}

// Assumptions are what the stated bound rests on beside the servers' honest majority. The
// defaults suit crystals on boards that stand still in a room; smaller values are for tests
// that show that the promise then breaks.
type Assumptions struct {
	// WanderPPM is by how much the raw clock's rate may change at once, ppm. 1 when 0. Beside it
	// the rate may change by 5 ppb a second, and by 15 ppm in all.
	WanderPPM float64
	// Asymmetry is how much of the round trip may lie on one of its ways, as a multiple of the
	// half. 1 when 0: all of it.
	Asymmetry float64
}

// LeapTable answers what is known of leap seconds.
type LeapTable interface {
	// At returns TAI − UTC in force at utc (seconds since 1970), the leap at the end of that
	// UTC month, and whether the table is still valid there (false: expired).
	At(utc int64) (taiOffset int, leap Leap, leapAt int64, valid bool)
}
