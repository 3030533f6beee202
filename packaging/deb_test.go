package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs one of the package's scripts as dpkg does, and returns what it asked systemctl for. The unit is disabled, or runs,
// or can be neither started, enabled nor ended.
func run(t *testing.T, script string, disabled, running, failing bool, args ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("deb", script))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	fake := "#!/bin/sh\necho \"$@\" >>" + asked + "\n"
	if disabled {
		fake += "[ $1 != is-enabled ] || exit 1\n"
	}
	if !running {
		fake += "[ $1 != is-active ] || exit 1\n"
	}
	if failing {
		fake += "case $1 in restart|enable|disable|stop) exit 1;; esac\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	here := strings.ReplaceAll(string(text), "/run/systemd/system", dir)
	cmd := exec.Command("sh", append([]string{"-c", here, script}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", script, args, err, out)
	}
	b, err := os.ReadFile(asked)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// An upgrade starts the gateway again, but not where somebody disabled it: it would take the clock.
func TestInstallAndUpgrade(t *testing.T) {
	for _, c := range []struct {
		name              string
		script            string
		disabled, running bool
		failing           bool
		args              []string
		starts, enables   bool
	}{
		{"first", "postinst", false, false, false, []string{"configure", ""}, true, true},
		{"first, without the version", "postinst", false, false, false, []string{"configure"}, true, true},
		{"first, that does not start", "postinst", false, false, true, []string{"configure", ""}, true, true},
		{"first, of a masked unit", "postinst", true, false, true, []string{"configure", ""}, false, true},
		{"upgrade", "postinst", false, true, false, []string{"configure", "1.0"}, true, false},
		{"upgrade, disabled", "postinst", true, false, false, []string{"configure", "1.0"}, false, false},
		{"upgrade, disabled but running", "postinst", true, true, false, []string{"configure", "1.0"}, true, false},
		{"upgrade's end of the old", "prerm", false, true, false, []string{"upgrade", "2.0"}, false, false},
	} {
		asked := run(t, c.script, c.disabled, c.running, c.failing, c.args...)
		lines := "\n" + asked
		if strings.Contains(lines, "\nrestart ntsgw.service") != c.starts || strings.Contains(lines, "\nenable ntsgw.service") != c.enables {
			t.Errorf("%s: %s", c.name, asked)
		}
	}
	if asked := run(t, "prerm", false, true, false, "remove"); !strings.Contains(asked, "disable --now ntsgw.service") {
		t.Errorf("removal: %s", asked)
	}
	// A package that can't be removed is worse than a program that runs on; and who waited has nothing to wait for.
	if asked := run(t, "prerm", false, true, true, "remove"); !strings.Contains(asked, "disable --now ntsgw.service\nstop ntsgw-wait.service\n") {
		t.Errorf("removal where the unit can't be stopped: %s", asked)
	}
}
