package netstamp

import (
	"go/build"
	"testing"
)

// Each machine has the layout of stamps that its word has: read as the other one, each stamp is nonsense and none is used.
func TestEachMachineHasItsLayout(t *testing.T) {
	for arch, narrow := range map[string]bool{
		"386": true, "arm": true, "mips": true, "mipsle": true,
		"amd64": false, "arm64": false, "loong64": false, "ppc64le": false, "riscv64": false, "s390x": false,
	} {
		c := build.Default
		c.GOOS, c.GOARCH = "linux", arch
		for file, want := range map[string]bool{"stamp_linux_32bit.go": narrow, "stamp_linux_64bit.go": !narrow} {
			if got, err := c.MatchFile(".", file); err != nil || got != want {
				t.Errorf("%s is built for %s: %v, %v", file, arch, got, err)
			}
		}
	}
}
