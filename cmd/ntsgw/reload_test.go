package main

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/tests/program"
)

// leapList is a leap-seconds.list that ends at an NTP second.
func leapList(ends int64) string {
	const at, offset = "2272060800", "10"
	sum := sha1.Sum([]byte(fmt.Sprint(ends) + at + offset))
	return fmt.Sprintf("#@ %d\n%s %s\n#h %x %x %x %x %x\n", ends, at, offset, sum[:4], sum[4:8], sum[8:12], sum[12:16], sum[16:])
}

// TestANewLeapListWaitsForARestart holds the gateway to say so when the list of leap seconds is another one than it
// counts with, and to say nothing when it is the same again.
func TestANewLeapListWaitsForARestart(t *testing.T) {
	cfg := configs.Defaults()
	cfg.Clock.LeapList = filepath.Join(t.TempDir(), "leap-seconds.list")
	program.Write(t, cfg.Clock.LeapList, leapList(4_000_000_000))
	g := &gateway{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	var err error
	if g.leaps, err = leapTable(cfg.Clock.LeapList); err != nil {
		t.Fatal(err)
	}
	r := &reloader{g: g, applied: cfg}
	for _, step := range []struct {
		what, list string
		warns      bool
	}{
		{"the same", leapList(4_000_000_000), false},
		{"a new one", leapList(4_100_000_000), true},
		{"a new one, once more", leapList(4_100_000_000), true},
		{"the first again", leapList(4_000_000_000), false},
		{"none", "nonsense", false},
	} {
		program.Write(t, cfg.Clock.LeapList, step.list)
		r.load()
		if w := r.warnings(); (len(w) == 1 && w[0].ID == "leap-list-needs-restart") != step.warns || len(w) > 1 {
			t.Errorf("%s: %v", step.what, w)
		}
	}
}

// What does nothing in the configuration waits for no restart, wherever it stands.
func TestNotesWaitForNoRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ntsgw.toml")
	const vain = "[mqtt]\ntls_key = \"/nowhere.pem\"\n"
	program.Write(t, file, vain)
	cfg, err := configs.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	g := &gateway{cfg: cfg, log: slog.New(slog.NewTextHandler(&said, nil))}
	if g.leaps, err = leapTable(""); err != nil {
		t.Fatal(err)
	}
	r := &reloader{g: g, applied: cfg}
	r.load()
	if said.Len() != 0 {
		t.Errorf("nothing is new: %s", said.String())
	}
	program.Write(t, file, "# a line more\n"+vain)
	r.load()
	if w := r.warnings(); len(w) != 0 || !strings.Contains(said.String(), "ntsgw.toml:3:1: a certificate alone") {
		t.Errorf("%v, log %s", w, said.String())
	}
}
