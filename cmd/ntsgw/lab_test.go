package main

import (
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/upstream"
)

// TestLabTellsOfKeysThatAreThere holds the lab to say nothing of a session that went again before it looked.
func TestLabTellsOfKeysThatAreThere(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		st    upstream.Status
		first bool
		says  string
	}{
		{"none yet", upstream.Status{}, true, ""},
		{"gone again", upstream.Status{KEAt: now}, true, ""},
		{"at the start", upstream.Status{KEAt: now, AEAD: 30, Cookies: 8, DatesDeferred: true}, true, "AEAD 30 (AES-128-GCM-SIV), 8 cookies; certificate dates are judged later"},
		{"with dates", upstream.Status{KEAt: now, AEAD: 15, Cookies: 1}, false, "AEAD 15 (AES-SIV-CMAC-256), 1 cookie; again, now with"},
		{"with dates at once", upstream.Status{KEAt: now, AEAD: 15, Cookies: 8}, true, "8 cookies; the certificate's dates are judged"},
	} {
		if got := keysLine(&c.st, c.first); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
