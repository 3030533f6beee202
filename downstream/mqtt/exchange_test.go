package mqtt

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/suspend"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// testNode is a node with an MQTT client of its own.
type testNode struct {
	t      testing.TB
	name   string
	key    *beacon.MACKey
	client paho.Client
	got    chan []byte
}

// macKey is what a node makes of its enrolment.
func macKey(t testing.TB, e *Enrolment) *beacon.MACKey {
	t.Helper()
	b, err := hex.DecodeString(e.Key)
	if err != nil || len(b) != 32 {
		t.Fatalf("key %q: %v", e.Key, err)
	}
	k, err := beacon.NewMACKey([32]byte(b), e.Gateway, e.Node, e.Generation)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// connect gives a client that subscribes to filter.
func connect(t testing.TB, addr, user, password, filter string, got func(topic string, b []byte)) paho.Client {
	t.Helper()
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: "tcp", Host: addr}}
	o.SetClientID("test-" + rand.Text()[:8])
	o.SetUsername(user)
	o.SetPassword(password)
	o.SetAutoReconnect(false)
	o.SetProtocolVersion(4)
	c := paho.NewClient(o)
	if err := await(t.Context(), c.Connect(), program.Busy*5*time.Second); err != nil {
		t.Fatalf("connect as %q: %v", user, err)
	}
	t.Cleanup(func() { c.Disconnect(10) })
	if filter != "" {
		tok := c.Subscribe(filter, 0, func(_ paho.Client, m paho.Message) { got(m.Topic(), m.Payload()) })
		if err := await(t.Context(), tok, program.Busy*5*time.Second); err != nil {
			t.Fatalf("subscribe to %s: %v", filter, err)
		}
	}
	return c
}

func newTestNode(t testing.TB, addr string, e *Enrolment, login bool) *testNode {
	t.Helper()
	n := &testNode{t: t, name: e.Node, key: macKey(t, e), got: make(chan []byte, 100)}
	user, password := "", ""
	if login {
		user, password = e.MQTTUser, e.MQTTPassword
	}
	n.client = connect(t, addr, user, password, e.TopicPrefix+"resp/"+e.Node, func(_ string, b []byte) { n.got <- slices.Clone(b) })
	return n
}

func (n *testNode) send(topic string, b []byte) {
	n.t.Helper()
	if err := await(n.t.Context(), n.client.Publish(topic, 0, false, b), program.Busy*5*time.Second); err != nil {
		n.t.Fatal(err)
	}
}

func newRequest() *beacon.Request {
	r := &beacon.Request{}
	rand.Read(r.Nonce[:])
	return r
}

// exchange makes one honest exchange and checks what the node learns against the test's own time.
func (n *testNode) exchange(l *lab) beacon.Response {
	n.t.Helper()
	req := newRequest()
	req.HalfWidth, req.HasHalfWidth = 12345, true
	m1 := time.Now()
	n.send("ntsgw/gw1/req/"+n.name, req.AppendSealed(nil, n.key))
	end := time.After(program.Busy * 5 * time.Second)
	for {
		select {
		case b := <-n.got:
			m4 := time.Now()
			r, err := beacon.OpenResponse(b, n.key)
			if err != nil {
				n.t.Fatalf("response: %v", err)
			}
			if r.Nonce != req.Nonce {
				continue
			}
			e := r.MaxError + 5*time.Millisecond // the host is not slewed that much against itself
			if t2 := r.UTC().Add(-r.Turnaround); m1.After(t2.Add(e)) {
				n.t.Errorf("asked at %v, but the response says t2 %v ± %v", m1, t2, e)
			}
			if m4.Before(r.UTC().Add(-e)) {
				n.t.Errorf("answered at %v, but the response says t3 %v ± %v", m4, r.UTC(), e)
			}
			if r.Turnaround > m4.Sub(m1) {
				n.t.Errorf("turnaround %v of %v", r.Turnaround, m4.Sub(m1))
			}
			return r
		case <-end:
			n.t.Fatalf("no response; refused: %v", l.server.Status().Refused)
		}
	}
}

// refused waits until exactly one more refusal for each of reasons is counted, and no other.
func (l *lab) refused(what string, before map[string]uint64, reasons map[string]uint64) {
	l.t.Helper()
	end := time.Now().Add(program.Busy * 5 * time.Second)
	for {
		now := l.server.Status().Refused
		all := true
		for r, n := range reasons {
			all = all && now[r] == before[r]+n
		}
		if all || time.Now().After(end) {
			for r, n := range now {
				if n != before[r]+reasons[r] {
					l.t.Errorf("%s: %s counted %d times, want %d", what, r, n-before[r], reasons[r])
				}
			}
			if !all {
				l.t.Errorf("%s: counted %v after %v, want %v more", what, now, before, reasons)
			}
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func enrol(t testing.TB, n *Nodes, name string) *Enrolment {
	t.Helper()
	e, err := n.Add(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestExchange is an honest node, through each kind of broker.
func TestExchange(t *testing.T) {
	for _, through := range []string{"embedded", "mosquitto"} {
		t.Run(through, func(t *testing.T) {
			t.Parallel()
			addr := ""
			l := startLab(t, func(c *configs.MQTT) {
				if through == "mosquitto" {
					port := loopback.Port(t)
					newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
					c.Broker, addr = brokerAt(port), fmt.Sprintf("127.0.0.1:%d", port)
				}
			})
			if addr == "" {
				addr = l.addr()
			} else {
				until(t, "connected", 5*time.Second, func() bool { return l.server.Status().Brokers[0].State == BrokerConnected })
			}
			// As another process does it: the running gateway notices.
			other, err := OpenNodes(l.dir, "gw1", "")
			if err != nil {
				t.Fatal(err)
			}
			e := enrol(t, other, "kitchen")
			until(t, "the enrolment is noticed", program.Noticed, func() bool { return l.nodes.lookup("kitchen") != nil })
			n := newTestNode(t, addr, e, true)
			for range 3 {
				r := n.exchange(l)
				if r.Serial != 1 || r.Epoch != [8]byte(l.timeline.Snapshot().Epoch) || r.Stratum != 2 {
					t.Errorf("%+v", r)
				}
			}
			st := l.server.Status()
			if st.Answered != 3 || len(st.Nodes) != 1 || st.Nodes[0].Exchanges != 3 || st.Nodes[0].LastExchange == nil ||
				st.Nodes[0].HalfWidthSeconds == nil || *st.Nodes[0].HalfWidthSeconds != 0.012345 {
				t.Errorf("status %+v", st)
			}
			// A new delegation is named at once.
			l.keys.rotate(7, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
			until(t, "the new serial", 2*time.Second, func() bool { return l.server.resp.serial.Load() == 7 })
			if r := n.exchange(l); r.Serial != 7 {
				t.Errorf("serial %d", r.Serial)
			}
			// Revoked, elsewhere: no answer any more.
			if err := other.Revoke("kitchen"); err != nil {
				t.Fatal(err)
			}
			until(t, "the revocation is noticed", program.Noticed, func() bool { return l.nodes.lookup("kitchen").State == NodeRevoked })
			if through == "embedded" {
				until(t, "the connection ends", 3*time.Second, func() bool { return !n.client.IsConnectionOpen() })
			}
			until(t, "the node is forgotten", 3*time.Second, func() bool { return len(l.server.Status().Nodes) == 0 })
		})
	}
}

// TestHostileRequests sends what an attacker on the broker can: each is counted under its own
// reason, none is answered, and the next honest request is.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	l := startLab(t, func(c *configs.MQTT) { c.Broker, c.RequestRate, c.RequestBurst = brokerAt(port), 1000, 1000 })
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	a, b := enrol(t, l.nodes, "node-a"), enrol(t, l.nodes, "node-b")
	old := enrol(t, l.nodes, "node-c")
	oldKey := macKey(t, old)
	if _, err := l.nodes.Rotate("node-c"); err != nil {
		t.Fatal(err)
	}
	gone := enrol(t, l.nodes, "node-d")
	if err := l.nodes.Revoke("node-d"); err != nil {
		t.Fatal(err)
	}
	stranger := *a
	stranger.Node = "stranger"
	until(t, "connected", 5*time.Second, func() bool { return l.server.Status().Brokers[0].State == BrokerConnected })
	n := newTestNode(t, addr, a, false)
	var answers = make(chan string, 100)
	connect(t, addr, "", "", "ntsgw/gw1/resp/#", func(topic string, _ []byte) {
		if topic != "ntsgw/gw1/resp/node-a" {
			answers <- topic
		}
	})
	wrongGateway, err := beacon.NewMACKey(l.nodes.lookup("node-a").key, "gw2", "node-a", 1)
	if err != nil {
		t.Fatal(err)
	}
	honest := newRequest().AppendSealed(nil, n.key)
	spent := newRequest().AppendSealed(nil, n.key)
	n.send("ntsgw/gw1/req/node-a", spent)
	<-n.got
	resp := n.exchange(l)
	asResponse, err := resp.AppendSealed(nil, n.key)
	if err != nil {
		t.Fatal(err)
	}
	beaconMsg, err := (&beacon.Beacon{Statement: resp.Statement}).AppendSigned(nil, onlineKey(l), "gw1")
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(honest)
	flipped[len(flipped)-1] ^= 1
	const req = "ntsgw/gw1/req/"
	for _, c := range []struct {
		name, topic string
		payload     []byte
		want        string
	}{
		{"60 kB", req + "node-a", make([]byte, 60_000), "size"},
		{"one byte too long", req + "node-a", make([]byte, beacon.MaxMessage+1), "size"},
		{"unknown node", req + "stranger", newRequest().AppendSealed(nil, macKey(t, &stranger)), "unknown-node"},
		{"a name that is none", req + "NODE$A", honest, "unknown-node"},
		{"revoked node", req + "node-d", newRequest().AppendSealed(nil, macKey(t, gone)), "revoked-node"},
		{"an older generation", req + "node-c", newRequest().AppendSealed(nil, oldKey), "unknown-kid"},
		{"another node's topic", req + "node-b", honest, "bad-signature"},
		{"another gateway's", req + "node-a", newRequest().AppendSealed(nil, wrongGateway), "bad-signature"},
		{"a response as a request", req + "node-a", asResponse, "bad-signature"},
		{"a beacon as a request", req + "node-a", beaconMsg, "wrong-kind"},
		{"bit flipped in the MAC", req + "node-a", flipped, "bad-signature"},
		{"truncated", req + "node-a", honest[:len(honest)-1], "malformed"},
		{"something after it", req + "node-a", append(slices.Clone(honest), 0), "malformed"},
		{"empty", req + "node-a", nil, "malformed"},
		{"replayed", req + "node-a", spent, "replay"},
	} {
		before := l.server.Status().Refused
		epoch := l.timeline.Snapshot().Epoch
		n.send(c.topic, c.payload)
		l.refused(c.name, before, map[string]uint64{c.want: 1})
		n.exchange(l)
		if l.timeline.Snapshot().Epoch != epoch {
			t.Errorf("%s: another timeline", c.name)
		}
	}
	// Every single bit of an honest request. (The payload is authenticated before it is read.)
	before, answered := l.server.Status().Refused, l.server.Status().Answered
	for i := range len(honest) * 8 {
		m := slices.Clone(honest)
		m[i/8] ^= 1 << (i % 8)
		n.send(req+"node-a", m)
		if i%64 == 63 { // within the queue
			until(t, "all are judged", 5*time.Second, func() bool { return sum(l.server.Status().Refused)-sum(before) == uint64(i+1) })
		}
	}
	until(t, "all bit flips are refused", 5*time.Second, func() bool {
		return sum(l.server.Status().Refused)-sum(before) == uint64(len(honest)*8)
	})
	if n := l.server.Status().Answered; n != answered {
		t.Errorf("%d flipped requests were answered", n-answered)
	}
	n.exchange(l)
	nb := newTestNode(t, addr, b, false)
	nb.exchange(l)
	// node-b's own is the only one on another topic.
	until(t, "node-b's answer is seen", 5*time.Second, func() bool { return len(answers) >= 1 })
	if len(answers) != 1 {
		t.Errorf("%d answers on other topics", len(answers))
	}
	// The honest one that was only shown in variations is still fresh.
	n.send(req+"node-a", honest)
	if b := <-n.got; b == nil {
		t.Error("no answer")
	}
	if b := l.server.Status().Brokers[0]; b.Connects != 1 {
		t.Errorf("%d connections: somebody else's message ended one", b.Connects)
	}
}

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

// TestRateAndFlood lets one node ask without end: only its own tokens are spent.
func TestRateAndFlood(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil) // 1/s, burst 8
	a, b := newTestNode(t, l.addr(), enrol(t, l.nodes, "node-a"), true), newTestNode(t, l.addr(), enrol(t, l.nodes, "node-b"), true)
	// flood asks 12 times with all tokens there: 8 are answered, and one more for each second that it takes.
	flood := func(what string) {
		t.Helper()
		before, began := l.server.Status(), time.Now()
		var st Status
		for range 12 {
			a.send("ntsgw/gw1/req/node-a", newRequest().AppendSealed(nil, a.key))
		}
		until(t, "12 are judged", 5*time.Second, func() bool {
			st = l.server.Status()
			return st.Answered-before.Answered+st.Refused["rate"]-before.Refused["rate"] == 12
		})
		n, most := st.Answered-before.Answered, uint64(8+1+time.Since(began)/time.Second)
		if n < 8 || n > most {
			t.Errorf("%s: %d answers, want 8 to %d", what, n, most)
		}
		if most >= 12 {
			t.Log("this machine is so slow that no token is missing")
		}
	}
	flood("at first")
	b.exchange(l)
	l.clock.offset.Add(int64(20 * time.Second)) // tokens come back, at most the burst
	l.timeline.set(l.clock, discipline.Synchronized, l.timeline.Snapshot().Epoch)
	flood("after the pause")
}

// TestForgedFloodSpendsNoTokens floods with requests whose MAC is wrong, in the name of a node that
// asks in between.
func TestForgedFloodSpendsNoTokens(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true", "max_queued_messages 0")
	l := startLab(t, func(c *configs.MQTT) { c.Broker = brokerAt(port) })
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	until(t, "connected", 5*time.Second, func() bool { return l.server.Status().Brokers[0].State == BrokerConnected })
	e := enrol(t, l.nodes, "node-a")
	n := newTestNode(t, addr, e, false)
	attacker := connect(t, addr, "", "", "", nil)
	forged := newRequest().AppendSealed(nil, n.key)
	forged[len(forged)-1] ^= 1
	const total = 10_000
	start := time.Now()
	for i := range total {
		if err := await(t.Context(), attacker.Publish("ntsgw/gw1/req/node-a", 0, false, forged), program.Busy*5*time.Second); err != nil {
			t.Fatal(err)
		}
		if i%2500 == 1250 {
			n.exchange(l)
		}
	}
	sent := time.Since(start)
	until(t, "the flood is judged", 10*time.Second, func() bool { return sum(l.server.Status().Refused) >= total })
	st := l.server.Status()
	t.Logf("%d forged requests in %v (%.0f/s); refused %v, answered %d", total, sent, total/sent.Seconds(), st.Refused, st.Answered)
	if st.Answered != 4 {
		t.Errorf("%d answers, want 4", st.Answered)
	}
	n.exchange(l)
}

// TestTimelineRules: what happens to the timeline between request and answer decides.
func TestTimelineRules(t *testing.T) {
	clock := newTestClock()
	tl := newTestTimeline(clock)
	nodes, _ := openTestNodes(t)
	e := enrol(t, nodes, "node-a")
	cfg := testConfig()
	cfg.RequestRate, cfg.RequestBurst = 1e6, 1e6
	o := Options{Timeline: tl, Clock: clock, Nodes: nodes, Config: cfg, Gateway: "gw1", Log: testLog(t)}
	c := newTraffic()
	r := newResponder(&o, suspend.New(clock))
	key := macKey(t, e)
	ask := func(between func()) (beacon.Response, string) {
		t.Helper()
		at := arrival(tl, clock)
		if between != nil {
			between()
		}
		before := c.refused.words()
		var b []byte
		if q, ok := r.admit(c, "node-a", newRequest().AppendSealed(nil, key), at); ok {
			b = r.answer(&q)
		}
		if b == nil {
			for why, n := range c.refused.words() {
				if n != before[why] {
					return beacon.Response{}, why
				}
			}
			t.Fatal("no answer and no reason")
		}
		resp, err := beacon.OpenResponse(b, key)
		if err != nil {
			t.Fatal(err)
		}
		return resp, ""
	}
	if _, why := ask(nil); why != "" {
		t.Fatalf("honest: %s", why)
	}
	epoch := tl.Snapshot().Epoch
	if _, why := ask(func() { tl.set(clock, discipline.Synchronized, newTestEpoch()) }); why != "epoch-changed" {
		t.Errorf("epoch changed in between: %q", why)
	}
	if _, why := ask(func() { tl.set(clock, discipline.Unsynchronized, epoch) }); why != "unsynchronized" {
		t.Errorf("unsynchronized in between: %q", why)
	}
	if _, why := ask(func() { tl.set(clock, discipline.Acquiring, epoch) }); why != "unsynchronized" {
		t.Errorf("acquiring: %q", why)
	}
	tl.set(clock, discipline.Synchronized, epoch)
	resp, why := ask(func() { tl.set(clock, discipline.Holdover, epoch) })
	if why != "" || resp.State != discipline.Holdover {
		t.Errorf("holdover: %q %+v", why, resp)
	}
	began := clock.Now()
	resp, why = ask(func() { clock.offset.Add(int64(4 * time.Second)) })
	if why != "" || resp.Turnaround < 3*time.Second || resp.Turnaround > clock.Now().Sub(began) {
		t.Errorf("slow answer: %q, turnaround %v", why, resp.Turnaround)
	}
	if _, why := ask(func() { clock.offset.Add(1 << 32) }); why != "too-slow" {
		t.Errorf("answer after 2^32 ns: %q", why)
	}
	if _, why := ask(func() { clock.suspended.Add(int64(time.Second)) }); why != "suspended" {
		t.Errorf("suspend in between: %q", why)
	}
	if _, why := ask(nil); why != "suspended" {
		t.Errorf("suspend before, same epoch: %q", why)
	}
	tl.set(clock, discipline.Synchronized, newTestEpoch())
	if _, why := ask(nil); why != "suspended" {
		t.Errorf("new epoch, seen together with the suspend: %q", why)
	}
	clock.offset.Add(int64(suspend.Settle) + 1)
	if _, why := ask(nil); why != "" {
		t.Errorf("new epoch after the suspend was seen: %q", why)
	}
}
