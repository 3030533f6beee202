// Package discipline turns measurements of NTS servers into one timeline with an
// honest bound on its error, and says how the host clock should be steered to it.
//
// Measurements and readings of the raw clock come in; a Snapshot (RFC 5905 §11 calls
// its parts the system variables) and Decisions come out. Nothing here reads a clock,
// opens a file or starts a goroutine, so a test runs a week in a second.
package discipline

import (
	"math"
	"time"
)

// Raw is a reading of CLOCK_MONOTONIC_RAW in nanoseconds. Its origin is arbitrary (boot)
// and it stops while the machine is suspended; nothing the kernel's clock steering does
// changes its rate.
type Raw int64

// Sub returns r − o.
func (r Raw) Sub(o Raw) time.Duration { return time.Duration(r - o) }

// Add returns r + d.
func (r Raw) Add(d time.Duration) Raw { return r + Raw(d) }

// SuspendNoise is how far two readings of BOOTTIME − MONOTONIC may lie apart without a suspend between them.
const SuspendNoise = 100 * time.Microsecond

// Slept reports whether the machine was suspended since BOOTTIME − MONOTONIC, which read reads, was base. A single odd
// reading may be a preempted one, so it is read up to three times.
func Slept(read func() time.Duration, base time.Duration) bool {
	for range 3 {
		if (read() - base).Abs() <= SuspendNoise {
			return false
		}
	}
	return true
}

// Leap says what happens at the end of the current UTC month (RFC 5905 figure 9,
// restated as a signed number of seconds).
type Leap int8

// The values of Leap.
const (
	LeapNone    Leap = 0
	LeapInsert  Leap = 1  // the month's last minute has 61 seconds
	LeapDelete  Leap = -1 // the month's last minute has 59 seconds
	LeapUnknown Leap = 2  // unsynchronized, or the leap list is expired and no majority speaks
)

// Measurement is one authenticated exchange with one server.
type Measurement struct {
	Source string // the configured name of the server, unique
	At     Raw    // raw clock at the middle of the exchange
	// Offset is the server's time (UTC, nanoseconds since 1970) minus the raw clock at At.
	// It is not a difference to the system clock (see docs/architecture.md).
	Offset         int64
	Delay          time.Duration // round trip less the server's own time, ≥ 0 (RFC 5905 §8)
	RootDelay      time.Duration // the server's, to its primary reference
	RootDispersion time.Duration // the server's
	Precision      time.Duration // the server's and ours: resolution and stamping error, > 0
	Stratum        uint8         // the server's, 1…15
	Leap           Leap          // the server's announcement
	RefID          uint32        // names the server to those that we serve (RFC 5905 §7.3: by its address)
	Authenticated  bool          // proved by NTS
	// DatesDeferred marks a sample of a session whose certificate dates were not judged, because
	// the time was not yet known. Such samples only form Snapshot.Candidate.
	DatesDeferred bool
	Poll          time.Duration // the present poll interval to this server
}

// Standing is what is known of a source beside its measurements.
type Standing struct {
	Reachable bool   // it answers at present
	Denied    string // why it is denied; empty when it isn't
	Revoked   bool   // its certificate was revoked or is distrusted, so what it said before may have been a lie …
	Before    Raw    // … up to then: nothing of that is taken, whenever it comes; 0: it never was
}

// State is the discipline's state.
type State uint8

// The states, in the order of a normal start.
const (
	Unsynchronized State = iota // nothing is promised, nothing is served
	Acquiring                   // samples arrive, quorum or bound not yet reached; nothing is served
	Synchronized                // an agreeing majority of sources is measured at present
	Holdover                    // no majority at present; the bound grows honestly
)

// String returns the word used on the page, in logs, metrics and JSON.
func (s State) String() string {
	switch s {
	case Acquiring:
		return "acquiring"
	case Synchronized:
		return "synchronized"
	case Holdover:
		return "holdover"
	}
	return "unsynchronized"
}

// SourceState is what selection (RFC 5905 §11.2) made of one source.
type SourceState struct {
	Name    string
	State   string        // selected, candidate, falseticker, unreachable, denied
	Offset  time.Duration // the source's last time minus the timeline
	Jitter  time.Duration // RMS of its recent samples about the timeline
	Stratum uint8
	LastAt  Raw // of its last measurement
}

// Warning is a named condition a person can act on. The page, the log, the metrics and
// the command line show the same list.
type Warning struct {
	ID   string `json:"id"`   // stable, e.g. "single-source"
	Text string `json:"text"` // one sentence with the fix
}

// Epoch names a timeline. A new one is drawn only when the timeline itself jumps: at a
// start, after a suspend, or when what was promised turned out wrong.
type Epoch [8]byte

// Snapshot is the timeline at one instant: a map from the raw clock to true time with its
// bound. It is immutable, safe for concurrent use, and ages: its methods take the present
// raw reading.
type Snapshot struct {
	State State
	Epoch Epoch

	At  Raw   // the instant the values below were computed for
	TAI int64 // TAI at At: nanoseconds since 1970-01-01T00:00:00 TAI (that is UTC seconds + TAIOffset)
	// FrequencyPPM is the raw clock's learned rate error: true time advances
	// (1 + FrequencyPPM·1e-6) for each second of the raw clock.
	FrequencyPPM float64
	// RateBoundPPM bounds |true rate − learned rate| of the raw clock, ppm, for as long as the
	// snapshot is served. An exchange's t3 − t2 is scaled with it (beacon protocol rule 1).
	RateBoundPPM float64

	MaxErrorAt  time.Duration // bound on |timeline − true time| at At
	MaxErrorPPM float64       // growth of the bound after At, ppm of the elapsed raw time
	EstErrorAt  time.Duration // one standard deviation at At
	EstErrorPPM float64       // its growth

	TAIOffset int   // TAI − UTC in force at At, seconds
	Leap      Leap  // at the end of the current UTC month
	LeapAt    int64 // UTC seconds since 1970 of the first second after a coming leap; 0: none known
	MonthEnd  int64 // UTC seconds since 1970 of the next month's first second; 0: not known
	NextLeap  Leap  // at the end of that next month

	Stratum        uint8  // ours: the selected sources' + 1; 16 when unsynchronized
	SourceStratum  uint8  // lowest-quality selected source's stratum; 0 when none
	RefID          uint32 // of the nearest selected source; 0 when none
	RootDelay      time.Duration
	RootDispersion time.Duration
	Jitter         time.Duration // of the selected sources' samples about the timeline
	NTS            bool          // every selected source is authenticated by NTS
	LastUpdate     Raw           // of the newest measurement that was used; 0 when none
	Poll           time.Duration // a poll interval the discipline would like now; 0: no wish

	// CandidateTAI is set while Acquiring, once bootstrap_quorum sources with deferred dates agree:
	// the TAI at At that certificate dates are then judged against, good to CandidateError. 0: none.
	CandidateTAI   int64
	CandidateError time.Duration

	Sources  []SourceState
	Warnings []Warning
}

// elapsed is the raw time between At and now, which may be before At: what the rate may have been differs as much.
func (s *Snapshot) elapsed(now Raw) float64 { return math.Abs(float64(now - s.At)) }

// TAIAt returns the timeline's TAI at now, nanoseconds since 1970 on the TAI scale.
func (s *Snapshot) TAIAt(now Raw) int64 {
	d := int64(now - s.At)
	return s.TAI + d + int64(math.Round(float64(d)*s.FrequencyPPM*1e-6))
}

// RawAt returns the raw reading at which the timeline shows tai; the inverse of TAIAt.
func (s *Snapshot) RawAt(tai int64) Raw {
	d := tai - s.TAI
	return s.At + Raw(d-int64(math.Round(float64(d)*s.FrequencyPPM*1e-6/(1+s.FrequencyPPM*1e-6))))
}

// UTC is a reading of the timeline on the UTC scale.
type UTC struct {
	Seconds   int64 // since 1970-01-01T00:00:00Z, POSIX numbering
	Nanos     int32 // 0 … 999,999,999
	TAIOffset int   // TAI − UTC at that instant
	Leap      Leap  // at the end of the month that the instant is in
	// Inserted is true during an inserted second (23:59:60): Seconds then repeats 23:59:59.
	// Beacons are not sent while it is true.
	Inserted bool
}

// UnixNano returns nanoseconds since 1970 in POSIX numbering.
func (u UTC) UnixNano() int64 { return u.Seconds*1e9 + int64(u.Nanos) }

// Time returns u as a time.Time in UTC.
func (u UTC) Time() time.Time { return time.Unix(u.Seconds, int64(u.Nanos)).UTC() }

// UTCAt returns the timeline at now on the UTC scale, through a coming leap second.
func (s *Snapshot) UTCAt(now Raw) UTC {
	tai := s.TAIAt(now)
	u := UTC{TAIOffset: s.TAIOffset, Leap: s.Leap}
	utc := tai - int64(s.TAIOffset)*1e9
	if s.LeapAt != 0 && (s.Leap == LeapInsert || s.Leap == LeapDelete) {
		edge := s.LeapAt * 1e9 // first instant after the leap, in POSIX numbering
		switch s.Leap {
		case LeapInsert:
			// With the old offset the inserted second reads as [edge, edge+1s).
			if utc >= edge+1e9 {
				utc -= 1e9
				u.TAIOffset, u.Leap = s.TAIOffset+1, LeapNone
			} else if utc >= edge {
				utc -= 1e9
				u.Inserted = true
			}
		case LeapDelete:
			// 23:59:59 does not exist: one second before edge the offset falls by one.
			if utc >= edge-1e9 {
				utc += 1e9
				u.TAIOffset, u.Leap = s.TAIOffset-1, LeapNone
			}
		}
	}
	u.Seconds = floorDiv(utc, 1e9)
	if s.MonthEnd != 0 && u.Seconds >= s.MonthEnd {
		u.Leap = s.NextLeap
	}
	u.Nanos = int32(utc - u.Seconds*1e9)
	return u
}

// MaxError returns the bound on |timeline − true time| at now: root distance in RFC 5905's
// terms. It is the largest Duration when nothing is promised.
func (s *Snapshot) MaxError(now Raw) time.Duration {
	if !s.Serving() {
		return math.MaxInt64
	}
	return s.MaxErrorAt + time.Duration(math.Ceil(s.elapsed(now)*s.MaxErrorPPM*1e-6))
}

// EstError returns one standard deviation of the timeline's error at now.
func (s *Snapshot) EstError(now Raw) time.Duration {
	if !s.Serving() {
		return math.MaxInt64
	}
	return s.EstErrorAt + time.Duration(math.Ceil(s.elapsed(now)*s.EstErrorPPM*1e-6))
}

// Serving reports whether time may be handed on: synchronized or holdover.
func (s *Snapshot) Serving() bool { return s.State == Synchronized || s.State == Holdover }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// HostReading is one reading of the host clock beside the raw clock.
type HostReading struct {
	Raw   Raw           // middle of the RAW–REALTIME–RAW reading
	Real  int64         // CLOCK_REALTIME, nanoseconds since 1970
	Width time.Duration // half the distance of the two raw readings: the reading's error
	// FrequencyPPM is what the kernel applies to REALTIME relative to RAW at present (adjtimex
	// freq and tick), positive when REALTIME runs faster.
	FrequencyPPM float64
}

// Action is what to do with the host clock.
type Action uint8

// The actions.
const (
	Hold  Action = iota // leave it
	Slew                // set the frequency to FrequencyPPM until the next decision
	Step                // move it by Phase at once, then set FrequencyPPM
	Panic               // a change beyond the panic threshold was called for: do nothing, end with exit code 3
)

// Decision says how to steer the host clock towards the timeline.
type Decision struct {
	Action       Action
	FrequencyPPM float64       // of REALTIME relative to RAW, within the configured limit
	Phase        time.Duration // timeline minus host clock; for Step the amount to move
	Reason       string        // one sentence for the log
}
