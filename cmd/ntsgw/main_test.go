package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/tests/program"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ntsgw": main})
}

// TestScripts runs the command line scripts in testdata/script. In them "exits N ntsgw …" asserts
// the exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: exits CODE command [argument ...]")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				err = ts.Exec(args[1], args[2:]...)
				got := 0
				if exit, ok := err.(*exec.ExitError); ok {
					got = exit.ExitCode()
				} else if err != nil {
					ts.Fatalf("%v", err)
				}
				if got != want {
					ts.Fatalf("exit code %d, want %d", got, want)
				}
			},
		},
	})
}

// TestSignalsEndWhatReadsItsInput holds a verb to end while it waits for somebody to type.
func TestSignalsEndWhatReadsItsInput(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		if signal.Ignored(sig) {
			continue // as a shell has it for what it starts in the background: the verb inherits that, and should
		}
		never, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer never.Close()
		defer w.Close()
		cmd := verbAlone(t, "beacon", "verify", "-gateway", "gw1", "-key", "58"+strings.Repeat("66", 31))
		cmd.Stdin = never
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		tick, deadline := time.NewTicker(50*time.Millisecond), time.After(time.Minute)
		defer tick.Stop()
		for waits := true; waits; {
			select {
			case <-ended:
				waits = false
			case <-tick.C:
				cmd.Process.Signal(sig)
			case <-deadline:
				cmd.Process.Kill()
				<-ended
				t.Fatalf("%v: it goes on waiting", sig)
			}
		}
	}
}

// TestWhoEndsWaitIsToldHowLongItWaited interrupts it once it has asked, so that it hears the signal.
func TestWhoEndsWaitIsToldHowLongItWaited(t *testing.T) {
	path := filepath.Join(program.Folder(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd, says := verbAlone(t, "wait", "-socket", path), &program.Buffer{}
	cmd.Stderr = says
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	told := regexp.MustCompile(`no gateway answered on ` + regexp.QuoteMeta(path) + ` when it was interrupted after [0-9.]+ [mµ]?s\n`)
	if code := cmd.ProcessState.ExitCode(); code != exitNotSynced || !told.MatchString(says.String()) {
		t.Errorf("exit code %d: %s", code, says)
	}
}

// verbAlone is a verb as a process of its own.
func verbAlone(t *testing.T, args ...string) *exec.Cmd {
	path, err := exec.LookPath("ntsgw") // testscript.Main put it there
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// TestPackagedConfigurations holds every configuration in the repository to the program's own check.
func TestPackagedConfigurations(t *testing.T) {
	// The files that lab.toml names are made in the lab.
	if _, err := configs.Load("../../packaging/compose/lab.toml"); err != nil {
		t.Error(err)
	}
	if code := dispatch(context.Background(), terminal{os.Stdin, os.Stdout, os.Stderr}, []string{"check", "-config", "../../configs/ntsgw.toml"}); code != exitOK {
		t.Errorf("check: exit code %d", code)
	}
}

// TestPackagedUnitReloads holds the unit to send what run reads its files again on.
func TestPackagedUnitReloads(t *testing.T) {
	unit, err := os.ReadFile("../../packaging/systemd/ntsgw.service")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nExecReload=/bin/kill -HUP $MAINPID\n"; !strings.Contains(string(unit), want) {
		t.Errorf("systemctl reload ntsgw would not work: the unit lacks %q", want)
	}
}
