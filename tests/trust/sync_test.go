package trust

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
)

// The time from the program's start to the first synchronization with configured servers on a LAN.
// Certificate dates are judged in between, so each server is asked for keys twice.
func TestFirstSynchronization(t *testing.T) {
	pki := certstest.New(t)
	_, sections := honest(t, pki, 3, 0)
	for range 3 {
		g := newGateway(t, "", sections...).start()
		r := g.await(t, "synchronized", synced)
		t.Logf("%v after the program's start", time.Since(g.began).Round(time.Millisecond))
		holds(t, r, "", 0)
		g.stop()
	}
}
