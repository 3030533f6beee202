package trust

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
)

const year = 365 * day

// player is one server at a cold start, named a, b, ….
type player struct {
	leaf   certstest.Leaf // what it shows first
	lie    time.Duration
	why    string // under which it must be refused; "": it must not
	unlike bool   // outvoted: it must be shown as a falseticker
}

// coldCase is a start without knowledge of time. Truth is what honest servers tell.
type coldCase struct {
	name    string
	truth   time.Duration                                   // ahead of the host clock
	state   func(t *testing.T, dir string, truth time.Time) // what the state folder has
	players func(truth time.Time) []player
	stuck   bool                           // nothing may ever be served
	warning string                         // then: which must say why; "": none but the sources' own
	restart bool                           // then: it takes a new start
	mend    func(t *testing.T, dir string) // then: and what an operator does before
}

func coldCases() []coldCase {
	saved := func(before time.Duration) func(*testing.T, string, time.Time) {
		return func(t *testing.T, dir string, truth time.Time) {
			if err := certs.SaveTime(dir, truth.Add(-before), time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A certificate that ended 310 days ago, and a clock that is a year behind.
	old := func(truth time.Time) certstest.Leaf {
		return certstest.Leaf{NotBefore: truth.Add(-400 * day), NotAfter: truth.Add(-310 * day)}
	}
	liar := func(truth time.Time, why string) player { return player{leaf: old(truth), lie: -year, why: why} }
	all := func(n int) func(time.Time) []player { return func(time.Time) []player { return make([]player, n) } }
	return []coldCase{
		{name: "cold clock at 1970", truth: 56 * year, players: all(3)},
		{name: "one server only, clock at 1970", truth: 56 * year, players: all(1)},
		{name: "RTC wrong by a year", truth: year, players: all(3)},
		{name: "RTC months ahead", truth: -250 * day, players: all(3)},
		{name: "battery-less device offline for a year", truth: year, state: saved(year), players: all(3)},
		{name: "saved time 14 days old", state: saved(14 * day), players: all(3)},
		{name: "saved time damaged", state: func(t *testing.T, dir string, truth time.Time) {
			program.Write(t, filepath.Join(dir, certs.SavedName), `{"utc":"2031-01-01T00:00:00Z","sum":"00"}`)
		}, players: all(3)},
		{name: "saved time in the future", state: saved(-30 * day), stuck: true, restart: true, warning: "time-before-floor",
			players: func(time.Time) []player {
				return []player{{why: "before-floor"}, {why: "before-floor"}, {why: "before-floor"}}
			},
			mend: func(t *testing.T, dir string) { remove(t, filepath.Join(dir, certs.SavedName)) }},
		{name: "all servers agree but one", truth: 2 * year,
			players: func(time.Time) []player { return []player{{}, {lie: time.Hour, unlike: true}, {}, {}} }},
		{name: "one server of three holds an expired certificate and lies by a year", truth: 2 * year,
			players: func(truth time.Time) []player { return []player{{}, liar(truth, certs.WhyExpired), {}} }},
		{name: "replay of an old certificate at a cold start", truth: 2 * year, state: saved(14 * day), stuck: true,
			players: func(truth time.Time) []player {
				l := liar(truth, certs.WhyExpired)
				return []player{l, l, l}
			}},
		{name: "replay of an old certificate below the operator's floor", truth: 2 * year, stuck: true,
			state: func(t *testing.T, dir string, truth time.Time) {
				program.Write(t, filepath.Join(dir, certs.OperatorName), truth.Add(-14*day).Format(time.DateOnly)+"\n")
			},
			players: func(truth time.Time) []player {
				l := liar(truth, certs.WhyExpired)
				return []player{l, l, l}
			}},
		{name: "a quorum of expired certificates", truth: 2 * year, stuck: true, restart: true,
			// Beyond what is promised, were it not for the authority's answer about revocation.
			players: func(truth time.Time) []player {
				l := liar(truth, certs.WhyTimeContradicted)
				return []player{l, l, {why: certs.WhyNotYetValid}}
			}},
		{name: "all servers fail the full checks", truth: 2 * year, stuck: true,
			players: func(truth time.Time) []player {
				p := player{leaf: old(truth), why: certs.WhyExpired}
				return []player{p, p, p}
			}},
	}
}

func TestColdStart(t *testing.T) {
	t.Parallel()
	for _, c := range coldCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().Add(c.truth).UTC()
			pki := certstest.NewAt(t, now.Add(-600*day)) // the authorities are older than what liars show
			pki.Now = now
			var servers []*server
			var sections []string
			players := c.players(now)
			for i, p := range players {
				s := newServer(t, pki.Issue(t, p.leaf), c.truth+p.lie)
				servers = append(servers, s)
				sections = append(sections, s.section(letter(i), pki.CAFile(t), `revocation = "prefer"`))
			}
			g := newGateway(t, "", sections...)
			if c.state != nil {
				c.state(t, g.state(), now)
			}
			g.start()
			if c.stuck {
				c.staysStuck(t, g, players)
				for i, s := range servers {
					s.show(pki.Issue(t, certstest.Leaf{}), c.truth)
					players[i].why = ""
				}
				if c.mend != nil {
					c.mend(t, g.state())
				}
				if c.restart {
					g.stop()
					g.start()
				}
			}
			r := g.await(t, "synchronized", func(r *status.Report) bool {
				c.never(t, r)
				return synced(r)
			})
			t.Logf("synchronized %v after the start", time.Since(g.began).Round(10*time.Millisecond))
			holds(t, r, "", c.truth)
			for i, p := range players {
				c.judged(t, g, r.Epoch, p, letter(i), servers[i], pki.Issue(t, certstest.Leaf{}))
			}
		})
	}
}

func letter(i int) string { return string(rune('a' + i)) }

// never fails when r serves what is not true.
func (c coldCase) never(t *testing.T, r *status.Report) {
	if r.Time != "" {
		holds(t, r, "", c.truth)
	}
	if c.stuck && r.Time != "" && t.Failed() {
		t.FailNow()
	}
}

// staysStuck waits until every player was refused for its reason more than once, and holds that
// nothing was served meanwhile.
func (c coldCase) staysStuck(t *testing.T, g *gateway, players []player) {
	r := g.await(t, "everybody is refused", func(r *status.Report) bool {
		if r.Time != "" || r.Synchronized {
			t.Fatalf("served %s in the state %s", r.Time, r.State)
		}
		for i, p := range players {
			if source(t, r, letter(i)).Rejected[p.why] < 2 {
				return false
			}
		}
		return true
	})
	for i, p := range players {
		if s := source(t, r, letter(i)); s.LastError == "" && c.warning == "" {
			t.Errorf("%s does not say why: %+v", letter(i), s)
		} else {
			// Where nobody is left the candidate is forgotten, perhaps in mid-handshake.
			turn{why: p.why, noise: []string{certs.WhyTimeUnknown}}.onlyFor(t, status.Source{}, s)
		}
	}
	if c.warning != "" && !warned(r, c.warning, "") {
		t.Errorf("no warning %s: %v", c.warning, r.Warnings)
	}
}

// judged checks what became of one server of a gateway that is synchronized, and that it is
// accepted once it is honest.
func (c coldCase) judged(t *testing.T, g *gateway, epoch string, p player, name string, s *server, good tls.Certificate) {
	switch {
	case p.unlike:
		r := g.await(t, name+" is outvoted", func(r *status.Report) bool {
			return source(t, r, name).State == "falseticker" && source(t, r, name).Received > 3
		})
		holds(t, r, epoch, c.truth)
		s.ahead.Store(int64(c.truth))
	case p.why != "":
		r := g.await(t, name+" is refused", func(r *status.Report) bool { return source(t, r, name).Rejected[p.why] > 0 })
		turn{why: p.why, noise: []string{certs.WhyTimeUnknown}}.onlyFor(t, status.Source{}, source(t, r, name))
		if g.refusals(t, p.why) == 0 {
			t.Errorf("the policy did not count %s", p.why)
		}
		holds(t, r, epoch, c.truth)
		s.show(good, c.truth)
	}
	r := g.await(t, name+" is used", func(r *status.Report) bool { return believed(source(t, r, name)) })
	holds(t, r, epoch, c.truth)
	rejected := source(t, r, name).Rejected
	for _, reason := range []string{"no-reply", "late"} { // of a machine that stood still for a second
		delete(rejected, reason)
	}
	if p.why == "" && !c.stuck && len(rejected) > 0 {
		t.Errorf("%s: %v", name, rejected)
	}
}

// What a gateway saves while it is synchronized is a time that has passed, and the next start's floor.
func TestSavedTime(t *testing.T) {
	t.Parallel()
	const truth = year
	now := time.Now().Add(truth)
	pki := certstest.NewAt(t, now)
	_, sections := honest(t, pki, 3, truth)
	g := newGateway(t, "", sections...).start()
	g.await(t, "synchronized", synced)
	g.stop()
	e, err := certs.GatherEvidence(g.state(), time.Time{})
	if err != nil || e.Saved.Before(now) || e.Saved.After(time.Now().Add(truth)) {
		t.Fatalf("saved %v: %v", e.Saved, err)
	}
	if info, err := os.Stat(filepath.Join(g.state(), certs.SavedName)); err != nil || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	g.start()
	holds(t, g.await(t, "synchronized again", synced), "", truth)
}
