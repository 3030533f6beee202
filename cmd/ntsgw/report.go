package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/downstream/status"
)

// counts counts by source and reason. It is safe for concurrent use.
type counts struct {
	mu sync.Mutex
	m  map[string]map[string]uint64
}

func (c *counts) add(source, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]map[string]uint64{}
	}
	if c.m[source] == nil {
		c.m[source] = map[string]uint64{}
	}
	c.m[source][reason]++
}

// has reports whether anything was refused for reason.
func (c *counts) has(reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.m {
		if m[reason] > 0 {
			return true
		}
	}
	return false
}

// into adds the counts of source to rejected.
func (c *counts) into(source string, rejected map[string]uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for reason, n := range c.m[source] {
		rejected[reason] += n
	}
}

// sourceReports puts what each source knows of itself beside what selection made of it.
func (g *gateway) sourceReports() []status.Source {
	snap := g.loop.Snapshot()
	list := make([]status.Source, 0, len(g.sources))
	for _, src := range g.sources {
		st := src.Status()
		r := status.Source{
			Name: st.Name, Address: st.Address, NTP: st.NTPAddr, Operator: st.Operator, State: "unreachable",
			Stratum: int(st.Stratum), Reach: int(st.Reach), Poll: st.Poll.Seconds(), AEAD: int(st.AEAD), Cookies: st.Cookies,
			Sent: st.Sent, Received: st.Received, Rejected: st.Rejected, LastError: st.LastError,
		}
		if r.Rejected == nil {
			r.Rejected = map[string]uint64{}
		}
		g.refused.into(st.Name, r.Rejected)
		if !st.KEAt.IsZero() {
			r.KEAge = number(time.Since(st.KEAt))
		}
		i := slices.IndexFunc(snap.Sources, func(s discipline.SourceState) bool { return s.Name == st.Name })
		if i >= 0 {
			sel := snap.Sources[i]
			r.State = sel.State
			if sel.LastAt != 0 && st.Delay > 0 {
				r.Delay = number(st.Delay)
				if snap.Serving() {
					r.Offset, r.Jitter = number(sel.Offset), number(sel.Jitter)
				}
			}
		}
		if st.Denied != "" {
			r.State = "denied"
			r.LastError = st.Denied
		}
		list = append(list, r)
	}
	return list
}

// outlets are the ways on which time is handed on.
func (g *gateway) outlets() []status.Outlet {
	list := []status.Outlet{}
	if s := g.mqtt.Load(); s != nil {
		st := s.Status()
		for _, b := range st.Brokers {
			o := status.Outlet{Way: "MQTT", Where: b.URL, State: b.State, Error: b.LastError, Sent: b.Published, Answered: b.Answered, Refused: b.Refused}
			if b.URL == mqtt.Embedded {
				o.Where = "embedded broker"
				if len(st.Listen) > 0 {
					o.Where += fmt.Sprintf(" on %s, %s", strings.Join(st.Listen, " and "), configs.Counted(b.Clients, "client", "clients"))
				}
			}
			list = append(list, o)
		}
	}
	if s := g.nts.Load(); s != nil {
		st := s.Status()
		list = append(list, status.Outlet{Way: "NTS", Where: fmt.Sprintf("%s, time on %s", st.KEAddress, st.NTPAddress), State: "listening", Answered: st.Answered, Refused: st.Refused})
	}
	if s := g.ptp.Load(); s != nil {
		for _, p := range s.Status().Ports {
			list = append(list, status.Outlet{Way: "PTP", Where: p.Interface, State: p.State, Error: p.Error, Sent: p.Synced, Answered: p.Answered, Refused: p.Refused})
		}
	}
	return list
}

// devices are the enrolled nodes with what was seen of them.
func (g *gateway) devices() []status.Device {
	var seen []mqtt.NodeStatus
	if s := g.mqtt.Load(); s != nil {
		seen = s.Status().Nodes
	}
	list := []status.Device{}
	for _, n := range mqtt.Merge(g.nodes.List(), seen) {
		list = append(list, status.Device{Name: n.Node, State: n.State, Generation: n.Generation, LastExchange: n.LastExchange, HalfWidth: n.HalfWidthSeconds})
	}
	return list
}

// expiries is everything in use that ends, the first to end first.
func (g *gateway) expiries() []status.Expiry {
	now, _, known := g.known()
	list := []status.Expiry{}
	add := func(kind, name, from string, ends time.Time) {
		e := status.Expiry{Kind: kind, Name: name, From: from, NotAfter: ends.UTC().Format(time.RFC3339)}
		if known {
			e.Left = number(ends.Sub(now))
		}
		list = append(list, e)
	}
	taken := g.policy.Expiries(now)
	for _, i := range append(taken, g.handing(now, taken)...) {
		add(i.Kind, i.Name, i.From, i.NotAfter)
	}
	for _, k := range g.keys.List().Keys {
		if k.Role == signing.RoleOnline && k.State == signing.StateCurrent && k.NotAfter != 0 {
			add("beacon-key", k.KID+" ("+k.Alg+")", "keys", time.Unix(int64(k.NotAfter), 0))
		}
	}
	slices.SortStableFunc(list, func(a, b status.Expiry) int { return strings.Compare(a.NotAfter, b.NotAfter) })
	return list
}

// handing are the certificates that handing time on takes: those that listeners of ours show, and those for brokers, without
// those that taking time in takes, too.
func (g *gateway) handing(now time.Time, taken []certs.Item) []certs.Item {
	var list []certs.Item
	if s := g.nts.Load(); s != nil {
		list = append(list, s.shown.Expiries(now)...)
	}
	if s := g.mqtt.Load(); s != nil {
		list = append(list, s.Expiries(now)...)
	}
	return withoutTwins(list, taken)
}

// withoutTwins leaves out what stands before, in the list or in others: one file may be used in several ways.
func withoutTwins(list, others []certs.Item) []certs.Item {
	var kept []certs.Item
	for _, i := range list {
		if !slices.Contains(kept, i) && !slices.Contains(others, i) {
			kept = append(kept, i)
		}
	}
	return kept
}

func number(d time.Duration) *float64 {
	s := d.Seconds()
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return nil
	}
	return &s
}

func (g *gateway) warnings() []discipline.Warning {
	var now time.Time
	if earliest, _, known := g.known(); known {
		now = earliest
	}
	list := append(g.policy.Warnings(now), g.keys.Warnings(now)...)
	if !now.IsZero() {
		list = append(list, certs.ExpiryWarnings(g.handing(now, g.policy.Expiries(now)))...)
	}
	list = append(list, g.floor.Warnings()...)
	list = append(list, kernelBound(g.loop.Host())...)
	list = append(list, g.reloads.warnings()...)
	for _, way := range g.ways {
		list = append(list, way.warnings()...)
	}
	if s := g.mqtt.Load(); s != nil {
		list = append(list, s.Warnings()...)
	}
	if s := g.ptp.Load(); s != nil {
		list = append(list, s.Warnings()...)
	}
	if now.IsZero() && g.refused.has("before-floor") {
		list = append(list, g.floor.BeforeFloor(time.Time{}))
	}
	return list
}

// metrics are the counters of the downstreams.
func (g *gateway) metrics() map[string]status.Counters {
	refused := g.policy.Counts()
	for reason, n := range g.floor.Counts() {
		refused[reason] += n
	}
	m := map[string]status.Counters{"certs": {"refused": refused, "doubted": g.policy.Doubts()}}
	if s := g.mqtt.Load(); s != nil {
		st := s.Status()
		connected := 0.0
		for _, b := range st.Brokers {
			if b.State == mqtt.BrokerConnected {
				connected++
			}
		}
		m["mqtt"] = status.Counters{"beacons": st.Beacons, "published": st.Published, "dropped": st.Dropped, "skipped": st.Skipped,
			"answered": st.Answered, "refused": st.Refused, "brokers_connected": connected, "nodes_seen": float64(len(st.Nodes))}
	}
	if s := g.nts.Load(); s != nil {
		st := s.Status()
		m["nts"] = status.Counters{"ke_accepted": st.Accepted, "answered": st.Answered, "naks": st.NAKs, "refused": st.Refused}
	}
	if s := g.ptp.Load(); s != nil {
		m["ptp"] = ptpCounters(s.Status())
	}
	return m
}

// ptpCounters are those of all interfaces together.
func ptpCounters(st ptp.Status) status.Counters {
	var announced, synced, answered uint64
	serving, refused := 0.0, map[string]uint64{}
	for _, p := range st.Ports {
		announced, synced, answered = announced+p.Announced, synced+p.Synced, answered+p.Answered
		for reason, n := range p.Refused {
			refused[reason] += n
		}
		if p.State == ptp.StateServing {
			serving++
		}
	}
	return status.Counters{"announced": announced, "synced": synced, "answered": answered, "refused": refused, "interfaces_serving": serving}
}

func (g *gateway) downstreams() map[string]any {
	d := map[string]any{}
	if s := g.mqtt.Load(); s != nil {
		d["mqtt"] = s.Status()
	}
	if s := g.nts.Load(); s != nil {
		d["nts"] = s.Status()
	}
	if s := g.ptp.Load(); s != nil {
		d["ptp"] = s.Status()
	}
	return d
}
