// Package model checks the beacon protocol's states with spin (beacon.pml): everything that a broker, a thief and a
// reboot can do in a small world.
package model

import (
	"flag"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var full = flag.Bool("full", false, "check the larger world too (about half a minute)")

// check builds the verifier with the given options and runs it. It returns what was violated, "" for nothing.
func check(t *testing.T, options ...string) string {
	t.Helper()
	model, err := filepath.Abs("beacon.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("spin", append(options, "-a", model)...)
	run("gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
	out := run("./pan", "-m1000000")
	m := regexp.MustCompile(`errors: (\d+)`).FindStringSubmatch(out)
	if m == nil || strings.Contains(out, "max search depth too small") {
		t.Fatalf("the search was not completed:\n%s", out)
	}
	if m[1] != "0" {
		return regexp.MustCompile(`pan:1: (.*)`).FindString(out)
	}
	t.Log(strings.TrimSpace(regexp.MustCompile(`.*states, stored`).FindString(out)))
	return ""
}

func needSpin(t *testing.T) {
	t.Helper()
	for _, p := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed (Debian: spin, gcc)", p)
		}
	}
}

func small(more ...string) []string {
	return append([]string{"-DHORIZON=3", "-DSERIALS=2", "-DNONCES=2"}, more...)
}

func TestProtocolHolds(t *testing.T) {
	needSpin(t)
	for _, c := range []struct {
		name    string
		large   bool
		options []string
	}{
		{"flash kept", false, small()},
		{"flash may be lost", false, small("-DFLASH_LOST")},
		{"larger world", true, nil},
		{"larger world, flash may be lost", true, []string{"-DFLASH_LOST"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.large && !*full {
				t.Skip("only with -full: takes about half a minute")
			}
			t.Parallel()
			if bad := check(t, c.options...); bad != "" {
				t.Error(bad)
			}
		})
	}
}

// TestModelCanFail leaves out one check after the other.
func TestModelCanFail(t *testing.T) {
	needSpin(t)
	for _, what := range []string{"WITHOUT_KIND", "WITHOUT_GATEWAY", "WITHOUT_NODE", "WITHOUT_VALIDITY", "WITHOUT_SERIAL",
		"WITHOUT_NONCE", "WITHOUT_SIGNATURE", "FLOOR_OF_NOW"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if bad := check(t, small("-D"+what)...); bad == "" {
				t.Error("nothing noticed")
			} else {
				t.Log(bad)
			}
		})
	}
}
