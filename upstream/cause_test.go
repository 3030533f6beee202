package upstream

import (
	"errors"
	"testing"
)

// Who judged a certificate names its server, and so does the refusal.
func TestRefusalsNameTheServerOnce(t *testing.T) {
	for said, want := range map[string]string{
		"a.net:4460: cannot read the certificates": "a.net:4460 is not trusted: cannot read the certificates",
		"cannot read the certificates":             "a.net:4460 is not trusted: cannot read the certificates",
		"b.net:4460: a pin is missing":             "a.net:4460 is not trusted: b.net:4460: a pin is missing",
	} {
		if f := distrust(errors.New(said), "a.net:4460", " is not trusted"); f.text != want || f.reason != ReasonTrust || !f.denied {
			t.Errorf("%q: %+v", said, f)
		}
	}
}
