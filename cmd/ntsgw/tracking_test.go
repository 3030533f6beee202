package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What moves the tracking log away, as logrotate does, or removes it finds it begun anew by the next line.
func TestTrackingLogIsMovedAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tracking")
	f, err := openTracking(path)
	if err != nil {
		t.Fatal(err)
	}
	log := &trackingFile{path: path, f: f}
	defer func() { log.f.Close() }()
	line := func(s string) {
		t.Helper()
		if _, err := io.WriteString(log, s); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(name, want string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
	line("# utc\n")
	line("1\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	line("2\n")
	line("3\n")
	holds("tracking.1", "# utc\n1\n")
	holds("tracking", "# utc\n2\n3\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	line("4\n")
	holds("tracking", "# utc\n4\n")

	// Where none can be made that is said, and the next line tries again.
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(log, "5\n"); err == nil {
		t.Error("a line that was lost is not told of")
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	line("6\n")
	holds("tracking", "# utc\n4\n6\n")
}
