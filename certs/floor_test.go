package certs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/discipline"
)

func TestFloor(t *testing.T) {
	build := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	now := build.Add(100 * day)
	for _, c := range []struct {
		name      string
		e         certs.Evidence
		soft      time.Time // at the start
		from      string
		hard      time.Time // after two minutes without a quorum
		isWarning bool
	}{
		{"nothing but the program", certs.Evidence{Build: build}, build, certs.FromBuild, build, false},
		{"saved time 14 days old", certs.Evidence{Build: build, Saved: now.Add(-14 * day)}, now.Add(-14 * day), certs.FromSaved, now.Add(-14 * day), false},
		{"saved time before the program", certs.Evidence{Build: build, Saved: build.Add(-day)}, build, certs.FromBuild, build, false},
		{"saved time in the future", certs.Evidence{Build: build, Saved: now.Add(30 * day)}, now.Add(30 * day), certs.FromSaved, now.Add(30 * day), false},
		{"saved time in 2100", certs.Evidence{Build: build, Saved: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, build, certs.FromBuild, build, true},
		{"the operator's file is newest", certs.Evidence{Build: build, Saved: build.Add(day), Operator: now}, now, certs.FromOperator, now, false},
		{"the operator's file in 2100", certs.Evidence{Build: build, Operator: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, build, certs.FromBuild, build, true},
		{"battery clock nobody vouched for, a year ahead", certs.Evidence{Build: build, RTC: now.Add(365 * day)}, build, certs.FromBuild, build, false},
		{"battery clock that disagreed before", certs.Evidence{Build: build, Saved: now.Add(-day), SavedRTC: now, RTC: now.Add(day)}, now.Add(-day), certs.FromSaved, now.Add(-day), false},
		{"battery clock that agreed", certs.Evidence{Build: build, Saved: now.Add(-100 * time.Hour), SavedRTC: now.Add(-100 * time.Hour), RTC: now}, now.Add(-2*time.Second - 72*time.Second), certs.FromRTC, now.Add(-100 * time.Hour), false},
		{"battery clock that agreed, then set a year ahead", certs.Evidence{Build: build, Saved: now, SavedRTC: now, RTC: now.Add(365 * day)}, now.Add(365*day - 2*time.Second - time.Duration(365*86400*200e-6*1e9)), certs.FromRTC, now, false},
		{"battery clock that fell back to 1970", certs.Evidence{Build: build, Saved: now, SavedRTC: now, RTC: time.Unix(0, 0)}, now, certs.FromSaved, now, false},
		{"battery clock in 2100", certs.Evidence{Build: build, Saved: now, SavedRTC: now, RTC: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, now, certs.FromSaved, now, false},
		{"battery clock a year behind", certs.Evidence{Build: build, Saved: now, SavedRTC: now, RTC: now.Add(-365 * day)}, now, certs.FromSaved, now, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := certs.NewFloor(c.e)
			if got, from := f.At(0); !got.Equal(c.soft) || from != c.from {
				t.Errorf("at the start %v (%s), want %v (%s)", got, from, c.soft, c.from)
			}
			if got, _ := f.At(2 * time.Minute); !got.Equal(c.hard) || !f.Hard().Equal(c.hard) {
				t.Errorf("after two minutes %v, want %v", got, c.hard)
			}
			if (len(f.Warnings()) > 0) != c.isWarning {
				t.Errorf("warnings %v", f.Warnings())
			}
		})
	}
	w := certs.NewFloor(certs.Evidence{Build: build, Saved: now}).BeforeFloor(build)
	if w.ID != "time-before-floor" || !strings.Contains(w.Text, certs.SavedName) {
		t.Error(w)
	}
}

func TestSavedTime(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 11, 25, 12, 0, 0, 5, time.UTC)
	e, err := certs.GatherEvidence(dir, time.Time{})
	if err != nil || !e.Saved.IsZero() || !e.Operator.IsZero() || e.Build.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Fatal(e, err)
	}
	if err := certs.SaveTime(dir, at, at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := certs.SaveTime(dir, at.Add(-time.Hour), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, certs.OperatorName), []byte("2026-12-24\nmerry\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e, err = certs.GatherEvidence(dir, at)
	if err != nil || !e.Saved.Equal(at) || !e.SavedRTC.Equal(at.Add(time.Second)) || !e.RTC.Equal(at) ||
		!e.Operator.Equal(time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)) {
		t.Fatal(e, err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Error("left behind:", entries)
	}
	path := filepath.Join(dir, certs.SavedName)
	text, _ := os.ReadFile(path)
	for _, damaged := range []string{"", string(text[:len(text)/2]), strings.Replace(string(text), "2026", "2036", 1)} {
		if err := os.WriteFile(path, []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		if e, err := certs.GatherEvidence(dir, at); reason(err) != certs.WhyBadFile || !e.Saved.IsZero() || e.Operator.IsZero() {
			t.Errorf("%q: %v, %v", damaged, e, err)
		}
	}
	if err := certs.SaveTime(dir, at, time.Time{}); err != nil {
		t.Error("a damaged file is not replaced:", err)
	}
}

// A file of a time that can't be used is warned of and counted, each under its reason.
func TestFloorFilesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, file string
		make       func(path string) error
		why, says  string
	}{
		{"no date", certs.OperatorName, written("next tuesday\n"), certs.WhyBadFile, "time-floor is not a time; write one line such as 2026-11-25T12:00:00Z or 2026-11-25; mend or remove it, then restart ntsgw."},
		{"empty", certs.OperatorName, written(""), certs.WhyBadFile, "time-floor is not a time"},
		{"a folder", certs.OperatorName, func(path string) error { return os.Mkdir(path, 0o755) }, certs.WhyUnreadableFile, "cannot read the operator's time: "},
		{"damaged", certs.SavedName, written(`{"utc":"2036-01-01T00:00:00Z"}`), certs.WhyBadFile, "last-time is damaged and not used; mend or remove it"},
		{"none", certs.OperatorName, func(string) error { return nil }, "", ""},
		{"right", certs.OperatorName, written("2026-11-25\n"), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(filepath.Join(dir, c.file)); err != nil {
				t.Fatal(err)
			}
			e, err := certs.GatherEvidence(dir, time.Time{})
			f := certs.NewFloor(e)
			if c.why == "" {
				if err != nil || len(f.Warnings()) != 0 || len(f.Counts()) != 0 {
					t.Errorf("%v; %v; %v", err, f.Warnings(), f.Counts())
				}
				return
			}
			if w := f.Warnings(); err == nil || len(w) != 1 || w[0].ID != "floor-file-refused" || !strings.Contains(w[0].Text, c.says) {
				t.Errorf("%v; %v", err, w)
			}
			if n := f.Counts(); len(n) != 1 || n[c.why] != 1 {
				t.Errorf("counted %v", n)
			}
		})
	}
}

func written(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
}

func TestKeeper(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var known atomic.Bool
		k := &certs.Keeper{StateDir: dir, Known: func() (time.Time, bool) { return time.Now(), known.Load() }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		saved := func() time.Time {
			e, err := certs.GatherEvidence(dir, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			return e.Saved
		}
		time.Sleep(3 * time.Hour)
		if !saved().IsZero() {
			t.Error("saved what was not known")
		}
		known.Store(true)
		time.Sleep(2 * time.Second)
		first := saved()
		if first.IsZero() {
			t.Fatal("not saved when it became known")
		}
		time.Sleep(59 * time.Minute)
		if !saved().Equal(first) {
			t.Error("saved before the hour")
		}
		time.Sleep(2 * time.Minute)
		if got := saved(); got.Sub(first) != time.Hour {
			t.Error("after an hour:", got.Sub(first))
		}
		cancel()
		<-done
		if got := saved(); !got.Equal(time.Now()) {
			t.Error("not saved at the stop:", got)
		}
	})
}

func TestClockOf(t *testing.T) {
	utc := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	floor := utc.Add(-time.Hour)
	s, at := &discipline.Snapshot{}, discipline.Raw(1e9)
	clock := certs.ClockOf(func() *discipline.Snapshot { return s }, func() discipline.Raw { return at }, func() time.Time { return floor })
	want := func(what string, lo, hi time.Time, known bool) {
		t.Helper()
		e, l, k := clock()
		if !e.Equal(lo) || !l.Equal(hi) || k != known {
			t.Errorf("%s: %v … %v %v, want %v … %v %v", what, e, l, k, lo, hi, known)
		}
	}
	want("at the start", floor, time.Time{}, false)
	s = &discipline.Snapshot{State: discipline.Acquiring, At: at}
	want("acquiring", floor, time.Time{}, false)
	s = &discipline.Snapshot{State: discipline.Acquiring, At: at, TAIOffset: 37, CandidateTAI: utc.Add(37 * time.Second).UnixNano(), CandidateError: time.Second}
	want("a candidate", utc.Add(-2*time.Second), utc.Add(2*time.Second), true)
	at += 100e9
	want("a candidate, later", utc.Add(97*time.Second), utc.Add(103*time.Second), true)
	s = &discipline.Snapshot{State: discipline.Acquiring, At: at}
	want("the first redo came", utc.Add(97*time.Second), utc.Add(103*time.Second), true)
	at += discipline.Raw(10 * time.Minute)
	want("the redo never came", floor, time.Time{}, false)
	s = &discipline.Snapshot{State: discipline.Synchronized, At: at, TAIOffset: 37, TAI: utc.Add(37 * time.Second).UnixNano(), MaxErrorAt: time.Millisecond}
	want("synchronized", utc.Add(-time.Millisecond), utc.Add(time.Millisecond), true)
	s = &discipline.Snapshot{State: discipline.Unsynchronized, At: at}
	want("unsynchronized again", utc.Add(-time.Millisecond), time.Time{}, false)
	s = &discipline.Snapshot{State: discipline.Unsynchronized, At: at, TAIOffset: 37, CandidateTAI: utc.Add(37 * time.Second).UnixNano(), CandidateError: time.Second}
	want("unsynchronized, a candidate", utc.Add(-2*time.Second), utc.Add(2*time.Second), true)
}
