package trust

import (
	"crypto/tls"
	"slices"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
)

// lie is how wrong the clock of a server is while it is not to be believed.
const lie = time.Hour

// noise are the reasons that a server's restart is counted under.
var noise = []string{"denied", "nak", "nak-unauthenticated", "no-reply", "ntp-refused", "ke-refused", "late", "unasked", "duplicate", "send-failed"}

// turn is a server that was trusted and turns bad: it is restarted with another certificate and lies
// about the time.
type turn struct {
	server *server
	name   string
	good   tls.Certificate
	bad    tls.Certificate
	truth  time.Duration
	why    string // "": it is accepted all the same, with an honest clock
	doubt  string // counted under this word though it is accepted
	noise  []string
}

// play holds the gateway to its promise through the turn, and back: the reason is the server's own,
// nothing of it is believed, the timeline stays, and the server is accepted once it is honest again.
func (c turn) play(t *testing.T, g *gateway) {
	before := g.await(t, c.name+" is used", func(r *status.Report) bool { return synced(r) && believed(source(t, r, c.name)) })
	had := source(t, before, c.name)
	counted, doubted := g.refusals(t, c.why), g.doubts(t, c.doubt)
	if c.why == "" {
		shown := c.server.made.Load()
		c.server.restart(t, c.bad, c.truth)
		program.Eventually(t, patience/program.Busy, "keys are made again", func() bool { return c.server.made.Load() > shown })
		had = source(t, g.await(t, "and used", func(r *status.Report) bool { return believed(source(t, r, c.name)) }), c.name)
		after := g.await(t, "and go on being used", func(r *status.Report) bool { return source(t, r, c.name).Received >= had.Received+2 })
		if c.doubt != "" && g.doubts(t, c.doubt) <= doubted {
			t.Errorf("not counted as %s", c.doubt)
		}
		c.onlyFor(t, had, source(t, after, c.name))
		holds(t, after, before.Epoch, c.truth)
		return
	}

	c.server.restart(t, c.bad, c.truth+lie)
	refused := g.await(t, "refused as "+c.why, func(r *status.Report) bool {
		s := source(t, r, c.name)
		return s.Rejected[c.why] > had.Rejected[c.why] && s.State == "denied"
	})
	s := source(t, refused, c.name)
	c.onlyFor(t, had, s)
	if s.Cookies != 0 || s.Reach&1 != 0 || s.LastError == "" {
		t.Errorf("refused, and yet %+v", s)
	}
	if g.refusals(t, c.why) <= counted {
		t.Errorf("the policy did not count %s", c.why)
	}
	holds(t, refused, before.Epoch, c.truth)

	c.server.show(c.good, c.truth)
	after := g.await(t, "accepted again", func(r *status.Report) bool {
		now := source(t, r, c.name)
		return believed(now) && now.Received > s.Received
	})
	c.onlyFor(t, had, source(t, after, c.name))
	holds(t, after, before.Epoch, c.truth)
}

// onlyFor checks that between the two reports nothing but c.why was counted, the noise of a restart
// aside.
func (c turn) onlyFor(t *testing.T, before, after status.Source) {
	t.Helper()
	for reason, n := range after.Rejected {
		if n > before.Rejected[reason] && reason != c.why && !slices.Contains(noise, reason) && !slices.Contains(c.noise, reason) {
			t.Errorf("also counted as %s: %v", reason, after.Rejected)
		}
	}
}
