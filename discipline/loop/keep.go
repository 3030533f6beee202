package loop

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// job is one piece of slow work: none of it may hold the steering up.
type job struct {
	drift     bool
	freq, std float64
	line      string
	rtc       bool
	stepped   bool
}

// keeper does what writes to disks and devices, in a goroutine of its own.
type keeper struct {
	o    Options
	log  *slog.Logger
	jobs chan job
	bad  map[string]string // the last error of each kind of work, so that each is logged once
}

func newKeeper(o Options, log *slog.Logger) *keeper {
	return &keeper{o: o, log: log, jobs: make(chan job, 64), bad: map[string]string{}}
}

// add gives work away; false: the disk is that slow that this is left undone.
func (k *keeper) add(j job) bool {
	select {
	case k.jobs <- j:
		return true
	default:
		return false
	}
}

func (k *keeper) track(line string) {
	if k.o.Tracking != nil {
		k.add(job{line: line})
	}
}

func (k *keeper) run() {
	if k.o.Tracking != nil {
		_, err := io.WriteString(k.o.Tracking, trackingHeader)
		k.note("tracking log", err)
	}
	for j := range k.jobs {
		if j.line != "" && k.o.Tracking != nil {
			_, err := io.WriteString(k.o.Tracking, j.line)
			k.note("tracking log", err)
		}
		if k.o.Store != nil && j.drift {
			k.note("drift file", k.o.Store.SaveDrift(j.freq, j.std))
		}
		if k.o.RTC != nil && j.rtc {
			k.note("battery clock", k.o.RTC.Keep(j.stepped))
		}
	}
}

func (k *keeper) note(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != k.bad[what] {
		k.log.Warn("cannot keep the "+what, "err", text)
	}
	k.bad[what] = text
}

// remember hands on, rarely, what outlives the process.
func (l *Loop) remember(snap *discipline.Snapshot, h *Host) {
	s := &l.s
	if !snap.Serving() {
		return
	}
	if s.mode == System && !s.yielded && (s.stepped || h.At.Sub(s.rtcAt) > rtcEvery) {
		if s.keep.add(job{rtc: true, stepped: s.stepped}) {
			s.stepped, s.rtcAt = false, h.At
		}
	}
	if !s.saved || h.At.Sub(s.savedAt) > saveEvery {
		if j := learned(l.o.Engine); j.drift && s.keep.add(j) {
			s.saved, s.savedAt = true, h.At
		}
	}
}

func learned(e Engine) (j job) {
	j.freq, j.std, j.drift = e.Learned()
	return j
}

// last keeps what is known at the end.
func (k *keeper) last(e Engine) { k.jobs <- learned(e) }

// trackingHeader names the columns of the tracking log, one line a measurement that was used.
//
//	utc         the timeline, or "-" while nothing is served
//	state       the discipline's
//	source      the measurement's
//	offset_s    server minus timeline at the measurement, seconds; "-" as above
//	delay_s     round trip
//	host_s      timeline minus host clock
//	max_err_s   bound on the timeline
//	est_err_s   one standard deviation
//	freq_ppm    the raw clock's learned rate error
//	host_ppm    what the kernel applies to the host clock
//	action      hold, slew or step
//	epoch       of the timeline, hexadecimal
const trackingHeader = "# utc state source offset_s delay_s host_s max_err_s est_err_s freq_ppm host_ppm action epoch\n"

func line(snap *discipline.Snapshot, h *Host, d discipline.Decision, m *discipline.Measurement) string {
	utc, offset, host, most, est := "-", "-", "-", "-", "-"
	if snap.Serving() {
		utc = snap.UTCAt(h.At).Time().Format("2006-01-02T15:04:05.000000Z")
		offset = seconds(time.Duration(int64(m.At) + m.Offset - snap.UTCAt(m.At).UnixNano()))
		host, most, est = seconds(h.Phase), seconds(snap.MaxError(h.At)), seconds(snap.EstError(h.At))
	}
	action := [...]string{discipline.Hold: "hold", discipline.Slew: "slew", discipline.Step: "step", discipline.Panic: "panic"}
	return fmt.Sprintf("%s %s %s %s %s %s %s %s %.4f %.4f %s %x\n", utc, snap.State, m.Source, offset,
		seconds(m.Delay), host, most, est, snap.FrequencyPPM, h.FrequencyPPM, action[d.Action], snap.Epoch)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.9f", d.Seconds()) }
