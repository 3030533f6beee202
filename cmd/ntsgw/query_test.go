package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// TestQuerySaysWhichAEADWasUsed asks, in the time that a query has by default, a server that drops what comes with AEAD 30.
func TestQuerySaysWhichAEADWasUsed(t *testing.T) {
	t.Parallel()
	authority := upstreamtest.NewCA(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for deaf, want := range map[uint16]string{
		0:  "30 (AES-128-GCM-SIV)\n",
		30: "15 (AES-SIV-CMAC-256); with 30 (AES-128-GCM-SIV) the server was silent\n",
	} {
		server := upstreamtest.NewServer(t, authority, upstreamtest.Config{Deaf: deaf})
		var out, said strings.Builder
		args := []string{"query", server.Address, "-revocation", "off", "-ca", ca}
		if code := dispatch(context.Background(), terminal{out: &out, err: &said}, args); code != exitOK || !strings.Contains(out.String(), want) {
			t.Errorf("deaf to %d: exit code %d: %s%s", deaf, code, out.String(), said.String())
		}
	}
}
