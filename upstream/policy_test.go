package upstream_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/upstream"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// knowledge is what is known of the time.
type knowledge struct {
	mu    sync.Mutex
	known bool
	shift time.Duration
}

func (k *knowledge) window() (earliest, latest time.Time, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known {
		return time.Time{}, time.Time{}, false
	}
	now := time.Now().Add(k.shift)
	return now.Add(-time.Second), now.Add(time.Second), true
}

func (k *knowledge) set(known bool, shift time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.shift = known, shift
}

// The policy of package certs as a Source's Trust.
func TestPolicyOfCerts(t *testing.T) {
	t.Parallel()
	ca, other := upstreamtest.NewCA(t), upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	file := filepath.Join(t.TempDir(), "ca.pem")
	write := func(ca *upstreamtest.CA) {
		if err := os.WriteFile(file, ca.PEM(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(ca)
	begin := func(clock *knowledge) *rig {
		policy, err := certs.New(certs.Options{Clock: clock.window, Trust: configs.Trust{Revocation: "off"}, Servers: []configs.Server{{
			Name: "s", Address: server.Address, CA: file, Roots: "ca", PinMode: "add", Revocation: "off"}}})
		if err != nil {
			t.Fatal(err)
		}
		return start(t, ca, server.Address, func(opt *upstream.Options) { opt.Trust = policy })
	}

	// Time becomes known, and later it is known that the certificate has expired.
	clock := &knowledge{}
	r := begin(clock)
	if m := r.next(); !m.DatesDeferred {
		t.Error("dates are judged though the time is not known")
	}
	clock.set(true, 0)
	for r.next().DatesDeferred {
	}
	clock.set(true, 48*time.Hour)
	r.Recheck()
	r.reported("the denial", func(c change) bool { return !c.reachable && c.denied != "" })
	if st := r.Status(); st.Rejected[certs.WhyExpired] == 0 || st.Cookies != 0 {
		t.Errorf("status %+v", st)
	}
	clock.set(true, 0)
	r.Recheck()
	for r.next().DatesDeferred {
	}

	write(other)
	r = begin(clock)
	r.reported("the denial", func(c change) bool {
		return strings.Contains(c.denied, "certificate is refused") && strings.Contains(c.denied, `ca = "FILE"`)
	})
	if st := r.Status(); st.Rejected[certs.WhyUnknownCA] == 0 || st.Sent != 0 {
		t.Errorf("status %+v", st)
	}
}
