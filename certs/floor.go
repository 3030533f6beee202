package certs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/durable"
)

// Where a floor came from.
const (
	FromBuild    = "build"    // the program did not exist before
	FromSaved    = "saved"    // synchronized then, as this gateway wrote down itself
	FromOperator = "operator" // a file that the operator put there
	FromRTC      = "rtc"      // the battery clock
)

const (
	// plausible is how far after the program's own time anything else may lie.
	plausible = 30 * 365 * 24 * time.Hour
	// rtcPatience is for how long the battery clock holds against servers that all say earlier.
	rtcPatience = 2 * time.Minute
	// rtcAgreed is how close to true time the battery clock must have been when the last known
	// time was written down, and rtcDrift what it may have gained since, as a part.
	rtcAgreed = 2 * time.Second
	rtcDrift  = 200e-6
)

// Evidence is what a start knows of the time without any network. Zero times: nothing.
type Evidence struct {
	Build    time.Time
	Saved    time.Time // the last known good time
	SavedRTC time.Time // what the battery clock showed at Saved
	Operator time.Time
	RTC      time.Time // what the battery clock shows at the start
	Refused  []*Error  // files that are there and can't be used
}

// Floor is the time that has passed for certain. It is a value: no clock, no files.
//
// It is the greatest of the program's build time, the last known good time and the operator's file.
// A battery clock is no witness of that rank: it counts only when it agreed with true time when
// that was last known and has gone forward since, less what it may have gained; and it yields after
// two minutes without a quorum, because set wrong by a year it would otherwise refuse every honest
// server for good. A saved time does not yield: this gateway wrote it while it was synchronized. If
// servers agree on an earlier time, nothing is served, and BeforeFloor says which file to remove.
type Floor struct {
	hard, soft         time.Time
	hardFrom, softFrom string
	warnings           []discipline.Warning
	counts             map[string]uint64
}

// NewFloor weighs the evidence.
func NewFloor(e Evidence) Floor {
	f := Floor{hard: e.Build, hardFrom: FromBuild, counts: map[string]uint64{}}
	for _, refused := range e.Refused {
		f.counts[refused.Why]++
		f.warnings = append(f.warnings, discipline.Warning{ID: "floor-file-refused",
			Text: fmt.Sprintf("A time in the state folder counts for nothing since the start: %v; mend or remove it, then restart ntsgw.", refused)})
	}
	limit := e.Build.Add(plausible)
	raise := func(t time.Time, from, what string) {
		if t.IsZero() {
			return
		}
		if t.After(limit) {
			f.warnings = append(f.warnings, discipline.Warning{ID: "floor-implausible",
				Text: fmt.Sprintf("%s (%s) lies more than 30 years after this program was built and is ignored; remove or correct it.", what, stamp(t))})
			return
		}
		if t.After(f.hard) {
			f.hard, f.hardFrom = t, from
		}
	}
	raise(e.Saved, FromSaved, "the saved time")
	raise(e.Operator, FromOperator, "the operator's time")
	f.soft, f.softFrom = f.hard, f.hardFrom
	vouched := !e.Saved.IsZero() && !e.SavedRTC.IsZero() && e.SavedRTC.Sub(e.Saved).Abs() <= rtcAgreed
	if vouched && !e.RTC.IsZero() && e.RTC.After(e.SavedRTC) && e.RTC.Before(limit) {
		gain := rtcAgreed + time.Duration(float64(e.RTC.Sub(e.SavedRTC))*rtcDrift)
		if t := e.RTC.Add(-gain); t.After(f.soft) {
			f.soft, f.softFrom = t, FromRTC
		}
	}
	return f
}

// At returns the floor after the program has been running for so long without being synchronized,
// and where it came from.
func (f Floor) At(running time.Duration) (t time.Time, from string) {
	if running < rtcPatience {
		return f.soft, f.softFrom
	}
	return f.hard, f.hardFrom
}

// Hard returns the part of the floor that yields to nobody: what the discipline refuses to go
// below.
func (f Floor) Hard() time.Time { return f.hard }

// Warnings returns what was ignored and why.
func (f Floor) Warnings() []discipline.Warning { return f.warnings }

// Counts returns how many files each reason has refused.
func (f Floor) Counts() map[string]uint64 { return f.counts }

// BeforeFloor returns the warning that stands while servers tell a time t before the floor; zero: which
// one is not known.
func (f Floor) BeforeFloor(t time.Time) discipline.Warning {
	fix := map[string]string{
		FromBuild:    "they are wrong, or this program was built on a machine whose clock was ahead.",
		FromSaved:    "if the saved time is wrong, stop the gateway, remove " + SavedName + " from its state folder, and start it.",
		FromOperator: "if that is wrong, correct " + OperatorName + " in the state folder and restart.",
	}[f.hardFrom]
	told := "an earlier time"
	if !t.IsZero() {
		told = stamp(t)
	}
	return discipline.Warning{ID: "time-before-floor",
		Text: fmt.Sprintf("Servers tell %s, but it is later than %s for certain (%s); nothing is served: %s", told, stamp(f.hard), f.hardFrom, fix)}
}

// The names of the files in the state folder.
const (
	SavedName    = "last-time"  // written by the gateway
	OperatorName = "time-floor" // written by the operator: one line, RFC 3339 or a date
)

// GatherEvidence reads the two files in stateDir; rtc is what the battery clock shows, zero where
// there is none. A file that is there and can't be used is an error beside the evidence that is left.
func GatherEvidence(stateDir string, rtc time.Time) (Evidence, error) {
	e := Evidence{Build: BuildTime(), RTC: rtc}
	saved, savedErr := readSaved(filepath.Join(stateDir, SavedName))
	if savedErr == nil {
		e.Saved, e.SavedRTC = saved.UTC, saved.RTC
	}
	var operatorErr error
	e.Operator, operatorErr = readOperator(filepath.Join(stateDir, OperatorName))
	for _, err := range []error{savedErr, operatorErr} {
		if refused := (*Error)(nil); errors.As(err, &refused) {
			e.Refused = append(e.Refused, refused)
		}
	}
	return e, errors.Join(savedErr, operatorErr)
}

// BuildTime returns the time of the commit that this program was built from.
func BuildTime() time.Time {
	// No program with this line in it is older.
	t := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				if c, err := time.Parse(time.RFC3339, s.Value); err == nil && c.After(t) {
					return c
				}
			}
		}
	}
	return t
}

// savedTime is the content of the saved file.
type savedTime struct {
	UTC time.Time `json:"utc"`
	RTC time.Time `json:"rtc,omitzero"`
	Sum string    `json:"sum"` // so that a damaged file is not taken for a time
}

func (s savedTime) sum() string {
	d := sha256.Sum256([]byte(s.UTC.UTC().Format(time.RFC3339Nano) + " " + s.RTC.UTC().Format(time.RFC3339Nano)))
	return hex.EncodeToString(d[:8])
}

func readSaved(path string) (savedTime, error) {
	var s savedTime
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, refuse(WhyUnreadableFile, "cannot read the last known time").because(err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Sum != s.sum() {
		return savedTime{}, refuse(WhyBadFile, "the last known time in %s is damaged and not used", path)
	}
	return s, nil
}

func readOperator(path string) (time.Time, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, refuse(WhyUnreadableFile, "cannot read the operator's time").because(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, strings.TrimSpace(line)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, refuse(WhyBadFile, "%s is not a time; write one line such as 2026-11-25T12:00:00Z or 2026-11-25", path)
}

// Known tells the present lower bound on true time, while there is one.
type Known func() (lower time.Time, ok bool)

// Keeper writes the last known good time down.
type Keeper struct {
	StateDir string
	Known    Known
	RTC      func() (time.Time, bool) // nil: no battery clock
	Failed   func(error)              // told when it can't be written; nil: nobody
}

// How often it looks whether time is known, writes while it is, and tries again after a failure.
const (
	lookEvery  = time.Second
	saveEvery  = time.Hour
	retryAfter = time.Minute
)

// Run writes when time becomes known (a gateway that loses its power a moment later has its floor),
// every hour from then on, and when ctx ends, whose error it returns. A failure to write is told and
// tried again a minute later.
func (k *Keeper) Run(ctx context.Context) error {
	due := time.NewTimer(lookEvery)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			k.save()
			return ctx.Err()
		case <-due.C:
			due.Reset(k.save())
		}
	}
}

// save writes when time is known, and returns when to call it again.
func (k *Keeper) save() time.Duration {
	lower, ok := k.Known()
	if !ok {
		return lookEvery
	}
	var rtc time.Time
	if k.RTC != nil {
		rtc, _ = k.RTC()
	}
	if err := SaveTime(k.StateDir, lower, rtc); err != nil {
		if k.Failed != nil {
			k.Failed(err)
		}
		return retryAfter
	}
	return saveEvery
}

// SaveTime writes lower, a time that has passed for certain, and what the battery clock shows
// (zero: none). A later time that is there already stays. The file is replaced at once or not at all.
func SaveTime(stateDir string, lower, rtc time.Time) error {
	path := filepath.Join(stateDir, SavedName)
	if old, err := readSaved(path); err == nil && old.UTC.After(lower) {
		return nil
	}
	s := savedTime{UTC: lower.UTC(), RTC: rtc.UTC()}
	s.Sum = s.sum()
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := durable.Replace(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot save the time: %w", err)
	}
	return nil
}
