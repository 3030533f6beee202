package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
)

// TestTheHeadlineStaysOnTheScreen holds what is shown to fit, the first of it.
func TestTheHeadlineStaysOnTheScreen(t *testing.T) {
	for _, c := range []struct {
		name, text    string
		columns, rows int
		want          string
	}{
		{"it fits", "a\nb\nc\n", 80, 3, "a\nb\nc\n"},
		{"too long", "a\nb\nc\nd\n", 80, 3, "a\nb\n… 2 lines more\n"},
		{"folded", "aaaaa\nb\nc\n", 4, 3, "aaaaa\n… 2 lines more\n"},
		{"letters, not bytes", "±±±±\nb\nc\n", 4, 3, "±±±±\nb\nc\n"},
		{"hardly any", "aaaaa\n", 2, 1, "… 1 line more\n"},
	} {
		if got := fit(c.text, c.columns, c.rows); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestSourcesFitTheScreen holds the list of servers to break no row.
func TestSourcesFitTheScreen(t *testing.T) {
	list := []status.Source{{Name: "a.example.net:4460", State: "selected"}, {Name: "b", State: "denied"}}
	if got := sourcesText(list, 200); strings.Count(got, "\n") != 3 || !strings.HasPrefix(got, "SERVER ") {
		t.Errorf("wide:\n%s", got)
	}
	got := sourcesText(list, 60)
	for line := range strings.Lines(got) {
		if len([]rune(line)) > 61 {
			t.Errorf("narrow: %s", line)
		}
	}
	if !strings.HasPrefix(got, "a.example.net:4460\n  state ") || !strings.Contains(got, "\nb\n  state     denied\n") {
		t.Errorf("narrow:\n%s", got)
	}
}

// TestWatchOutlivesARestart holds status -watch to go on when the gateway is away for a while, and to write plain text
// where nobody looks at a screen.
func TestWatchOutlivesARestart(t *testing.T) {
	path := filepath.Join(program.Folder(t), "s")
	serve := func() *http.Server {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			json.NewEncoder(w).Encode(status.Report{State: "unsynchronized"})
		})}
		go s.Serve(l)
		return s
	}
	if err := watchStatus(t.Context(), terminal{}, path, false); err == nil {
		t.Error("nobody was ever there, and it is content")
	}
	s := serve()
	ctx, cancel := context.WithCancel(t.Context())
	out, says := &program.Buffer{}, &program.Buffer{}
	ended := make(chan error, 1)
	go func() { ended <- watchStatus(ctx, terminal{out: out, err: says}, path, false) }()
	reports := func() int { return strings.Count(out.String(), "Unsynchronized.") }
	program.Eventually(t, 3*time.Second, "a report", func() bool { return reports() > 0 })
	s.Close()
	program.Eventually(t, 3*time.Second, "it says that nobody answers", func() bool { return strings.Contains(says.String(), "no gateway is running here") })
	before := reports()
	s = serve()
	defer s.Close()
	program.Eventually(t, 3*time.Second, "another report", func() bool { return reports() > before })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("it writes for a screen where there is none")
	}
}

// TestWaitSaysWhatItWaitsFor holds it to say when the time is known, but the host clock is not set.
func TestWaitSaysWhatItWaitsFor(t *testing.T) {
	for _, c := range []struct {
		mode        string
		off         float64
		code        int
		note, ended string // parts of what it says; empty: it doesn't
	}{
		{"observe", 3, exitNotSynced, "note: the time is known to 2 ms, but the host clock is off by 3 s and mode observe leaves it alone: waiting until it is set\n",
			`the host clock may still be off by 3.01 s after 500ms, more than 1s; mode observe leaves it alone: set mode = "system" in [clock], or let another program set it`},
		{"system", -3, exitNotSynced, "", "the host clock may still be off by 3.01 s after 500ms, more than 1s"},
		{"observe", -0.5, exitOK, "", ""},
	} {
		path := filepath.Join(program.Folder(t), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		bound := 0.002
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			json.NewEncoder(w).Encode(status.Report{State: "synchronized", Mode: c.mode, Time: "2026-11-30T00:00:00Z", MaxError: &bound, Offset: &c.off})
		})}
		go s.Serve(l)
		var says strings.Builder
		err = waitVerb(t.Context(), terminal{err: &says}, []string{"-socket", path, "-timeout", "500ms"})
		s.Close()
		code, ended := exitOK, ""
		if e := (*exitError)(nil); errors.As(err, &e) {
			code, ended = e.code, e.Error()
		}
		if code != c.code || ended != c.ended || says.String() != c.note {
			t.Errorf("%s, %+v s: code %d, %q, note %q", c.mode, c.off, code, ended, says.String())
		}
	}
}

// A cause names its server, and names it once.
func TestCausesNameTheServerOnce(t *testing.T) {
	const refused = "a.net:4460 is not trusted: cannot read the certificates: open x.pem: no such file or directory"
	got := causesText([]status.Source{{Name: "a.net:4460", LastError: refused}, {Name: "good"}, {Name: "b", LastError: "192.0.2.1:123 answers without valid NTS authentication"}})
	const want = "a.net:4460 is not trusted: cannot read the certificates: open x.pem: no such file or directory\nb: 192.0.2.1:123 answers without valid NTS authentication\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
