package main

import (
	"context"
	"encoding/json"
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
