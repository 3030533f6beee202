package certs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
)

// player is a server at a cold start: what its certificate is like, and by how much it lies.
type player struct {
	leaf certstest.Leaf
	lie  time.Duration
}

// gateway is a start without knowledge of time: real TLS connections decide who may speak, and the
// discipline what is believed. Each round asks every server once.
type gateway struct {
	t       *testing.T
	pki     *certstest.PKI
	policy  *certs.Policy
	d       *discipline.Discipline
	raw     discipline.Raw
	names   []string
	addrs   map[string]string
	players map[string]player
	refused map[string]map[string]bool // by server: the reasons, since the start
	full    map[string]bool            // by server: passed all checks
}

func newGateway(t *testing.T, pki *certstest.PKI, floor certs.Floor, players ...player) *gateway {
	g := &gateway{t: t, pki: pki, raw: 1e9, addrs: map[string]string{}, players: map[string]player{}, refused: map[string]map[string]bool{}, full: map[string]bool{}}
	cfg := discipline.Config{Floor: floor.Hard().UnixNano(), Observing: true}
	var servers []configs.Server
	for i, p := range players {
		name := string(rune('a' + i))
		addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, p.leaf)))
		g.names, g.addrs[name], g.players[name] = append(g.names, name), addr, p
		cfg.Sources = append(cfg.Sources, discipline.SourceConfig{Name: name, Operator: name})
		servers = append(servers, configs.Server{Name: name, Address: addr, CA: pki.CAFile(t)})
	}
	g.d = discipline.New(cfg)
	clock := certs.ClockOf(g.d.Snapshot, func() discipline.Raw { return g.raw },
		func() time.Time { t, _ := floor.At(time.Duration(g.raw)); return t })
	g.policy = responsive(t, clock, configs.Trust{Revocation: "prefer"}, servers...)
	return g
}

// round asks every server once, two seconds after the last time. While dates are deferred a session
// lasts for one exchange only; so does one with full checks here, which asks more than the real one.
func (g *gateway) round() *discipline.Snapshot {
	g.raw += discipline.Raw(2 * time.Second)
	g.d.Advance(g.raw)
	for _, name := range g.names {
		_, deferred, err := g.policy.KEConfig(name)
		if err == nil {
			_, err = connect(g.t, g.policy, name, g.addrs[name])
		}
		if err != nil {
			g.refuse(name, reason(err))
			g.d.SetSource(name, discipline.Standing{Denied: reason(err)})
			continue
		}
		g.d.SetSource(name, discipline.Standing{Reachable: true})
		g.raw += discipline.Raw(time.Millisecond)
		err = g.d.Update(discipline.Measurement{Source: name, At: g.raw, Authenticated: true, DatesDeferred: deferred,
			Offset: g.pki.Now.Add(g.players[name].lie).UnixNano(), Delay: time.Millisecond, Precision: time.Microsecond, Stratum: 1, Poll: 16 * time.Second})
		var r *discipline.Refusal
		if errors.As(err, &r) {
			g.refuse(name, r.Reason)
		} else if err != nil {
			g.t.Fatal(err)
		} else if !deferred {
			g.full[name] = true
		}
	}
	return g.d.Snapshot()
}

func (g *gateway) refuse(name, why string) {
	if g.refused[name] == nil {
		g.refused[name] = map[string]bool{}
	}
	g.refused[name][why] = true
}

// trueError is the timeline's.
func (g *gateway) trueError(s *discipline.Snapshot) time.Duration {
	return s.UTCAt(g.raw).Time().Sub(g.pki.Now.Add(time.Duration(g.raw)))
}

func TestColdStart(t *testing.T) {
	pki := certstest.New(t)
	now := pki.Now
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	build := now.Add(-days(500))
	old := certstest.Leaf{NotBefore: now.Add(-days(400)), NotAfter: now.Add(-days(310))} // expired
	liar := player{old, -days(365)}
	honest := player{}
	for _, c := range []struct {
		name    string
		e       certs.Evidence
		players []player
		sync    bool
		refused map[string]string
	}{
		{"nothing known but the program", certs.Evidence{Build: build}, []player{honest, honest, honest}, true, nil},
		{"battery-less device offline for a year", certs.Evidence{Build: build, Saved: now.Add(-days(365))}, []player{honest, honest, honest}, true, nil},
		{"saved time 14 days old", certs.Evidence{Build: build, Saved: now.Add(-days(14))}, []player{honest, honest, honest}, true, nil},
		{"saved time in the future", certs.Evidence{Build: build, Saved: now.Add(days(30))}, []player{honest, honest, honest}, false,
			map[string]string{"a": "before-floor", "b": "before-floor", "c": "before-floor"}},
		{"battery clock wrong by a year", certs.Evidence{Build: build, Saved: now.Add(-days(14)), RTC: now.Add(days(365))}, []player{honest, honest, honest}, true, nil},
		{"vouched battery clock set a year ahead", certs.Evidence{Build: build, Saved: now.Add(-days(14)), SavedRTC: now.Add(-days(14)), RTC: now.Add(days(365))}, []player{honest, honest, honest}, true, nil},
		{"all servers agree but one", certs.Evidence{Build: build}, []player{honest, {lie: time.Hour}, honest, honest}, true, nil},
		{"one of three holds an expired certificate and lies by a year", certs.Evidence{Build: build}, []player{honest, liar, honest}, true, map[string]string{"b": certs.WhyExpired}},
		{"replay of old certificates, below the saved time", certs.Evidence{Build: build, Saved: now.Add(-days(14))}, []player{liar, liar, liar}, false,
			map[string]string{"a": certs.WhyExpired, "b": certs.WhyExpired, "c": certs.WhyExpired}},
		// Beyond what is promised without the authorities' answers, and still refused with them.
		{"a quorum of expired certificates above the floor", certs.Evidence{Build: build}, []player{liar, liar, honest}, false,
			map[string]string{"a": certs.WhyTimeContradicted, "b": certs.WhyTimeContradicted, "c": certs.WhyNotYetValid}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pki := pki
			if c.players[1].lie < -days(1) {
				pki = aged(t, now, days(600))
			}
			g := newGateway(t, pki, certs.NewFloor(c.e), c.players...)
			var s *discipline.Snapshot
			for range 100 {
				s = g.round()
				if s.Serving() {
					if len(g.full) == 0 {
						t.Fatal("serving before a session passed all checks")
					}
					if e := g.trueError(s).Abs(); e > s.MaxError(g.raw) {
						t.Fatalf("true error %v beyond the stated %v", e, s.MaxError(g.raw))
					}
					if c.sync {
						break
					}
				}
			}
			if s.Serving() != c.sync {
				t.Errorf("%v after %v; refused %v", s.State, time.Duration(g.raw), g.refused)
			}
			g.round()
			for name, why := range c.refused {
				if !g.refused[name][why] {
					t.Errorf("%s: %v, want %q", name, g.refused[name], why)
				}
			}
			for name := range g.refused {
				if c.refused != nil && c.refused[name] == "" {
					t.Errorf("%s: refused: %v", name, g.refused[name])
				}
			}
		})
	}
}

// aged makes a PKI whose authorities have been there for so long before now.
func aged(t *testing.T, now time.Time, before time.Duration) *certstest.PKI {
	pki := certstest.NewAt(t, now.Add(-before))
	pki.Now = now
	return pki
}

// The host's clock decides nothing: everything works in 1971 and in 2100, and certificates of the
// host's present are refused there.
func TestHostClockIsNotAsked(t *testing.T) {
	present := certstest.New(t)
	for _, year := range []int{1971, 2100} {
		pki := certstest.NewAt(t, time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))
		addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
		other := certstest.Serve(t, certstest.ServerConfig(present.Issue(t, certstest.Leaf{})))
		p := responsive(t, knows(pki.Now), configs.Trust{},
			configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "require"},
			configs.Server{Name: "b", Address: other, CA: present.CAFile(t), Revocation: "off"})
		if _, err := connect(t, p, "a", addr); err != nil {
			t.Error(year, err)
		}
		want := certs.WhyNotYetValid
		if year == 2100 {
			want = certs.WhyExpired
		}
		if _, err := connect(t, p, "b", other); reason(err) != want {
			t.Errorf("%d: %v", year, err)
		}
	}
}
