// Package structure holds the rules that keep data flowing one way: upstream → discipline →
// {sysclock, downstream}. They are read off the imports of what is built.
package structure

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/ntsgw/ntsgw/"

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func load(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps", module+"...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// standard reports whether path is of the standard library: its first element has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestPureRoomsImportOnlyTheStandardLibrary(t *testing.T) {
	pure := map[string]bool{"discipline": false, "netstamp": false, "upstream/ntp": false, "upstream/ntske": false}
	for _, p := range load(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		if _, ok := pure[room]; !ok {
			continue
		}
		pure[room] = true
		for _, dep := range p.Deps {
			if !standard(dep) && dep != module+"netstamp" {
				t.Errorf("%s reaches %s: it may import the standard library and netstamp only", room, dep)
			}
		}
	}
	for room, seen := range pure {
		if !seen {
			t.Errorf("%s does not exist any more: mend this test", room)
		}
	}
}

func TestDisciplineDoesNoInputOrOutput(t *testing.T) {
	for _, p := range load(t) {
		if p.ImportPath != module+"discipline" {
			continue
		}
		for _, dep := range p.Imports {
			switch dep {
			case "os", "net", "syscall", "net/http", "log/slog", "sync", "context":
				t.Errorf("discipline imports %s: it is told what it needs", dep)
			}
		}
	}
}

func TestNothingDownstreamReachesBack(t *testing.T) {
	for _, p := range load(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		for _, dep := range p.Imports {
			to, ours := strings.CutPrefix(dep, module)
			if !ours {
				continue
			}
			switch {
			case strings.HasPrefix(room, "downstream/") && (to == "upstream" || strings.HasPrefix(to, "discipline/")):
				t.Errorf("%s imports %s: a downstream reads snapshots only", room, to)
			case strings.HasPrefix(room, "upstream/") && to == "upstream":
				t.Errorf("%s imports %s: a codec knows nothing of sources", room, to)
			case strings.HasPrefix(room, "upstream") && strings.HasPrefix(to, "downstream/"):
				t.Errorf("%s imports %s: data flows the other way", room, to)
			case strings.HasPrefix(room, "discipline") && (strings.HasPrefix(to, "downstream/") || strings.HasPrefix(to, "upstream")) && !strings.HasPrefix(room, "discipline/sim"):
				t.Errorf("%s imports %s: the discipline is told, it does not ask", room, to)
			case to == "cmd/ntsgw":
				t.Errorf("%s imports the program", room)
			}
		}
	}
}
