package main

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ntsgw/ntsgw/configs"
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
	path, err := exec.LookPath("ntsgw") // testscript.Main put it there
	if err != nil {
		t.Fatal(err)
	}
	never, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer never.Close()
	defer w.Close()
	cmd := exec.Command(path, "beacon", "verify", "-gateway", "gw1", "-key", "58"+strings.Repeat("66", 31))
	cmd.Stdin = never
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick, deadline := time.NewTicker(50*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			cmd.Process.Signal(os.Interrupt)
		case <-deadline:
			cmd.Process.Kill()
			<-ended
			t.Fatal("it goes on waiting")
		}
	}
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
