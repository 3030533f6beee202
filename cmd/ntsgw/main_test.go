package main

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
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

// TestPackagedConfigurations holds every configuration in the repository to the program's own check.
func TestPackagedConfigurations(t *testing.T) {
	for _, file := range []string{"../../configs/ntsgw.toml", "../../packaging/compose/lab.toml"} {
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%v", err)
			continue
		}
		if code := dispatch(context.Background(), terminal{os.Stdin, os.Stdout, os.Stderr}, []string{"check", "-config", file}); code != exitOK {
			t.Errorf("check -config %s: exit code %d", file, code)
		}
	}
}
