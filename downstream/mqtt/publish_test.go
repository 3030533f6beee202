package mqtt

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

func TestBeaconsThroughEmbedded(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"mqttv311", "mqttv5"} {
		t.Run(v, func(t *testing.T) {
			l := startLab(t, func(c *configs.MQTT) { c.Algorithms, c.Interval = []string{algEd25519, algES256}, time.Second })
			s := subscribe(t, append(hostPort(l.addr()), "-V", v, "-t", "#")...)
			got := map[string]received{}
			for len(got) < 6 {
				select {
				case r := <-s.got:
					got[r.topic] = r
				case <-time.After(program.Busy * 5 * time.Second):
					t.Fatalf("only %d topics: %s", len(got), s.output())
				}
			}
			for topic, r := range got {
				isBeacon := topic == "ntsgw/gw1/beacon" || topic == "ntsgw/gw1/beacon-es256"
				if r.retained == isBeacon {
					t.Errorf("%s: retained %v", topic, r.retained)
				}
			}
			l.keys.verify(t, beacon.Ed25519, got["ntsgw/gw1/key"].payload, got["ntsgw/gw1/beacon"].payload)
			l.keys.verify(t, beacon.ES256, got["ntsgw/gw1/key-es256"].payload, got["ntsgw/gw1/beacon-es256"].payload)
			if b := string(got["ntsgw/gw1/status"].payload); b != "online" {
				t.Errorf("status %q", b)
			}
			var st map[string]any
			if err := json.Unmarshal(got["ntsgw/gw1/state"].payload, &st); err != nil || st["state"] != "synchronized" {
				t.Errorf("state %s: %v", got["ntsgw/gw1/state"].payload, err)
			}
			next := func() beacon.Beacon {
				return l.keys.verify(t, beacon.Ed25519, got["ntsgw/gw1/key"].payload, s.next("ntsgw/gw1/beacon", 3*time.Second).payload)
			}
			a, shown := next(), []time.Duration(nil)
			for { // a busy machine makes one late, not all of them
				b := next()
				if b.Sequence != a.Sequence+1 || b.NextIn != 1 {
					t.Errorf("sequence %d then %d, next in %d", a.Sequence, b.Sequence, b.NextIn)
				}
				d := b.UTC().Sub(a.UTC())
				if d >= 900*time.Millisecond && d <= 1500*time.Millisecond {
					break
				}
				if shown = append(shown, d); len(shown) == 10 {
					t.Fatalf("intervals %v", shown)
				}
				a = b
			}
		})
	}
}

func TestUnsynchronizedEndsBeaconsAtOnce(t *testing.T) {
	t.Parallel()
	const interval = 5 * time.Second
	l := startLab(t, func(c *configs.MQTT) { c.Interval = interval })
	s := subscribe(t, append(hostPort(l.addr()), "-t", "#")...)
	key := s.next("ntsgw/gw1/key", 3*time.Second)
	l.timeline.set(l.clock, discipline.Unsynchronized, newTestEpoch())
	var st stateDoc
	for st.State != "unsynchronized" {
		r := s.next("ntsgw/gw1/state", 2*time.Second)
		if err := json.Unmarshal(r.payload, &st); err != nil {
			t.Fatal(err)
		}
	}
	if st.MaxError != nil || st.Stratum != 16 {
		t.Errorf("unsynchronized with %+v", st)
	}
	before := l.server.Status().Beacons
	until(t, "beacons are skipped", 2*interval, func() bool { return l.server.Status().Skipped["unsynchronized"] >= 2 })
	if n := l.server.Status().Beacons; n != before {
		t.Errorf("%d beacons while unsynchronized", n-before)
	}
	for len(s.got) > 0 {
		<-s.got
	}
	back := time.Now()
	l.timeline.set(l.clock, discipline.Synchronized, newTestEpoch())
	b := l.keys.verify(t, beacon.Ed25519, key.payload, s.next("ntsgw/gw1/beacon", 2*interval).payload)
	if d := b.UTC().Sub(back); d >= interval-time.Second {
		t.Errorf("the first beacon was made %v after there was time again", d)
	}
}

func TestNoBeaconDuringInsertedSecondOrAfterSuspend(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.Interval = 100 * time.Millisecond })
	until(t, "a beacon", 3*time.Second, func() bool { return l.server.Status().Beacons > 0 })
	// The inserted second, held still.
	snap := *l.timeline.Snapshot()
	snap.Leap = discipline.LeapInsert
	snap.TAI = 1483228800e9 + 36e9 + 3e8 // 2016-12-31 23:59:60.3
	snap.TAIOffset, snap.LeapAt, snap.At = 36, 1483228800, l.clock.Now()
	l.timeline.p.Store(&snap)
	until(t, "the inserted second is noticed", 3*time.Second, func() bool {
		s := *l.timeline.Snapshot()
		s.At = l.clock.Now()
		l.timeline.p.Store(&s)
		return l.server.Status().Skipped["leap-second"] > 0
	})
	// A suspend that nobody else has noticed yet.
	epoch := newTestEpoch()
	l.timeline.set(l.clock, discipline.Synchronized, epoch)
	n := l.server.Status().Beacons
	until(t, "a beacon after the leap second", 3*time.Second, func() bool { return l.server.Status().Beacons > n })
	l.clock.suspended.Add(int64(3 * time.Second))
	until(t, "the suspend is noticed", 3*time.Second, func() bool { return l.server.Status().Skipped["suspended"] > 0 })
	// The new timeline after it is trusted once it has stood for a while.
	n = l.server.Status().Beacons
	l.timeline.set(l.clock, discipline.Synchronized, newTestEpoch())
	until(t, "beacons on the new timeline", 8*time.Second, func() bool { return l.server.Status().Beacons > n })
}

// TestNothingIsStatedAfterASuspend that nobody else has noticed: neither to the keys nor on the page
// of home automation.
func TestNothingIsStatedAfterASuspend(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.Interval = 50 * time.Millisecond })
	s := subscribe(t, append(hostPort(l.addr()), "-t", "ntsgw/gw1/state")...)
	becomes := func(want string) stateDoc {
		t.Helper()
		for {
			var st stateDoc
			r := s.next("ntsgw/gw1/state", 8*time.Second)
			if err := json.Unmarshal(r.payload, &st); err != nil {
				t.Fatal(err)
			}
			if st.State == want {
				return st
			}
		}
	}
	becomes("synchronized")
	l.clock.suspended.Add(int64(3 * time.Second))
	if st := becomes("unsynchronized"); st.MaxError != nil || st.EstError != nil || st.Time != "" || st.Stratum != 16 {
		t.Errorf("after a suspend: %+v", st)
	}
	until(t, "the suspend is noticed", 3*time.Second, func() bool { return l.server.Status().Skipped["suspended"] > 0 })
	renewed := l.keys.renewed.Load()
	skipped := l.server.Status().Skipped["suspended"]
	until(t, "some beacons are skipped", 3*time.Second, func() bool { return l.server.Status().Skipped["suspended"] >= skipped+3 })
	if n := l.keys.renewed.Load(); n != renewed {
		t.Errorf("the keys were told the time %d times", n-renewed)
	}
	l.timeline.set(l.clock, discipline.Synchronized, newTestEpoch())
	if st := becomes("synchronized"); st.MaxError == nil {
		t.Errorf("on the new timeline: %+v", st)
	}
}

func TestKeyOutsideValidity(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil)
	s := subscribe(t, append(hostPort(l.addr()), "-t", "ntsgw/gw1/#")...)
	first := s.next("ntsgw/gw1/key", 3*time.Second)
	l.keys.rotate(2, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	until(t, "an expired key signs nothing", 3*time.Second, func() bool { return l.server.Status().Skipped["outside-validity"] > 0 })
	l.keys.rotate(3, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	var key received
	for {
		key = s.next("ntsgw/gw1/key", 3*time.Second)
		d, err := beacon.VerifyDelegation(key.payload, l.keys.roots[beacon.Ed25519].Public(), "gw1")
		if err != nil {
			t.Fatal(err)
		}
		if d.Serial == 3 {
			break
		}
	}
	if string(first.payload) == string(key.payload) {
		t.Fatal("the delegation is the old one")
	}
	b := s.next("ntsgw/gw1/beacon", 3*time.Second)
	l.keys.verify(t, beacon.Ed25519, key.payload, b.payload)
}

func TestBeaconsThroughMosquitto(t *testing.T) {
	t.Parallel()
	needs(t, "mosquitto", "mosquitto_sub")
	pki := newPKI(t)
	sock := filepath.Join(t.TempDir(), "m.sock")
	pw := filepath.Join(t.TempDir(), "pw")
	writeFile(t, pw, "secret\n")
	users := filepath.Join(t.TempDir(), "users")
	mosquittoPasswd(t, users, "gateway", "secret")
	plain, tls, mtls, ws, wss, auth := loopback.Port(t), loopback.Port(t), loopback.Port(t), loopback.Port(t), loopback.Port(t), loopback.Port(t)
	newMosquitto(t,
		"per_listener_settings true",
		fmt.Sprintf("listener %d 127.0.0.1", plain), "allow_anonymous true",
		fmt.Sprintf("listener %d 127.0.0.1", tls), "allow_anonymous true", "cafile "+pki.ca, "certfile "+pki.cert, "keyfile "+pki.key,
		fmt.Sprintf("listener %d 127.0.0.1", mtls), "allow_anonymous true", "cafile "+pki.ca, "certfile "+pki.cert, "keyfile "+pki.key, "require_certificate true",
		fmt.Sprintf("listener %d 127.0.0.1", ws), "protocol websockets", "allow_anonymous true",
		fmt.Sprintf("listener %d 127.0.0.1", wss), "protocol websockets", "allow_anonymous true", "cafile "+pki.ca, "certfile "+pki.cert, "keyfile "+pki.key,
		fmt.Sprintf("listener %d 127.0.0.1", auth), "allow_anonymous false", "password_file "+users,
		"listener 0 "+sock, "allow_anonymous true",
	)
	for name, c := range map[string]struct {
		url    string
		change func(*configs.MQTT)
	}{
		"tcp":          {fmt.Sprintf("mqtt://127.0.0.1:%d", plain), nil},
		"tls":          {fmt.Sprintf("mqtts://127.0.0.1:%d", tls), func(c *configs.MQTT) { c.CA = pki.ca }},
		"client certs": {fmt.Sprintf("mqtts://127.0.0.1:%d", mtls), func(c *configs.MQTT) { c.CA, c.Cert, c.Key = pki.ca, pki.clientCert, pki.clientKey }},
		"ws":           {fmt.Sprintf("ws://127.0.0.1:%d/mqtt", ws), nil},
		"wss":          {fmt.Sprintf("wss://127.0.0.1:%d/mqtt", wss), func(c *configs.MQTT) { c.CA = pki.ca }},
		"unix":         {"unix://" + sock, nil},
		"password":     {fmt.Sprintf("mqtt://127.0.0.1:%d", auth), func(c *configs.MQTT) { c.User, c.PasswordFile = "gateway", pw }},
	} {
		t.Run(name, func(t *testing.T) {
			s := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(plain), "-t", "ntsgw/gw1/#")
			l := startLab(t, func(m *configs.MQTT) {
				m.Broker = c.url
				if c.change != nil {
					c.change(m)
				}
			})
			checkUserTimeout(t, l.server.external[0])
			b := s.next("ntsgw/gw1/beacon", 5*time.Second)
			if b.retained {
				t.Error("a beacon is retained")
			}
			late := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(plain), "-t", "ntsgw/gw1/#")
			key := late.next("ntsgw/gw1/key", 3*time.Second)
			if !key.retained {
				t.Error("the delegation is not retained")
			}
			l.keys.verify(t, beacon.Ed25519, key.payload, b.payload)
			l.stop()
			for {
				if r := late.next("ntsgw/gw1/status", 3*time.Second); string(r.payload) == "offline" {
					break
				}
			}
		})
	}
	// What must not work.
	for name, c := range map[string]struct {
		url    string
		change func(*configs.MQTT)
		says   string
	}{
		"unknown authority":     {fmt.Sprintf("mqtts://127.0.0.1:%d", tls), nil, "unknown authority"},
		"no client certificate": {fmt.Sprintf("mqtts://127.0.0.1:%d", mtls), func(c *configs.MQTT) { c.CA = pki.ca }, ""},
		"no password":           {fmt.Sprintf("mqtt://127.0.0.1:%d", auth), nil, "give user and password_file"},
		"wrong password":        {fmt.Sprintf("mqtt://gateway:wrong@127.0.0.1:%d", auth), nil, `"gateway" with this password; correct user or password_file`},
		"TLS, said plain":       {fmt.Sprintf("mqtt://127.0.0.1:%d", tls), nil, "one with TLS, such as 8883, wants mqtts://"},
		"plain, said TLS":       {fmt.Sprintf("mqtts://127.0.0.1:%d", plain), nil, "one without TLS, such as 1883, wants mqtt://"},
		"WebSocket, said plain": {fmt.Sprintf("mqtt://127.0.0.1:%d", ws), nil, "one with WebSocket ws://"},
		"plain, said WebSocket": {fmt.Sprintf("ws://127.0.0.1:%d", plain), nil, "one without WebSocket mqtt://"},
		"wrong name":            {fmt.Sprintf("mqtts://localhost:%d", tls), func(c *configs.MQTT) { c.CA = pki.ca }, "localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t, func(m *configs.MQTT) {
				m.Broker = c.url
				if c.change != nil {
					c.change(m)
				}
			})
			until(t, "an error", 5*time.Second, func() bool { return l.server.Status().Brokers[0].LastError != "" })
			b := l.server.Status().Brokers[0]
			if b.State != BrokerConnecting || l.server.Status().Published != 0 || !strings.Contains(b.LastError, c.says) {
				t.Errorf("%+v; it should say %q", b, c.says)
			}
		})
	}
}

// checkUserTimeout dials as e does: the kernel must not keep for long what is not acknowledged,
// whatever lies over TCP.
func checkUserTimeout(t *testing.T, e *external) {
	t.Helper()
	conn, err := broker.Dial(t.Context(), e.url, e.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tcp, ok := broker.Socket(conn).(*net.TCPConn)
	if !ok {
		return // a Unix socket
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	if e := raw.Control(func(fd uintptr) { ms, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	if d := time.Duration(ms) * time.Millisecond; d != 5*time.Second {
		t.Errorf("TCP_USER_TIMEOUT is %v", d)
	}
}

// TestBrokerRestart kills the broker without a goodbye: publishing resumes by itself soon after its
// return, long before the next beacon's time where that is far away, and nothing made before it is delivered.
func TestBrokerRestart(t *testing.T) {
	for _, interval := range []time.Duration{200 * time.Millisecond, time.Hour} {
		t.Run(interval.String(), func(t *testing.T) { t.Parallel(); testBrokerRestart(t, interval) })
	}
}

func testBrokerRestart(t *testing.T, interval time.Duration) {
	port := loopback.Port(t)
	m := newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	s := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ntsgw/gw1/#")
	l := startLab(t, func(c *configs.MQTT) { c.Broker, c.Interval = brokerAt(port), interval })
	s.next("ntsgw/gw1/beacon", 5*time.Second)
	m.kill()
	until(t, "the loss is noticed", 5*time.Second, func() bool { return l.server.Status().Brokers[0].State == BrokerConnecting })
	if interval < time.Second {
		dropped := l.server.Status().Dropped
		until(t, "beacons are dropped meanwhile", 6*time.Second, func() bool { return l.server.Status().Dropped >= dropped+3 })
	}
	back := time.Now()
	m.start()
	s2 := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ntsgw/gw1/#")
	b := s2.next("ntsgw/gw1/beacon", 5*time.Second)
	late := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ntsgw/gw1/#")
	key := late.next("ntsgw/gw1/key", 3*time.Second)
	for range 3 {
		v := l.keys.verify(t, beacon.Ed25519, key.payload, b.payload)
		if early := back.Sub(v.UTC()); early > v.MaxError {
			t.Errorf("a beacon was delivered that was made %v before the broker came back", early)
		}
		if interval > time.Second {
			break
		}
		b = s2.next("ntsgw/gw1/beacon", 3*time.Second)
	}
}

// TestNothingStaysStatedAfterTheEnd: what a gateway that ended leaves behind states no time.
func TestNothingStaysStatedAfterTheEnd(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	there := []string{"-p", fmt.Sprint(port), "-t", "ntsgw/gw1/#"}
	l := startLab(t, func(c *configs.MQTT) { c.Also = []string{brokerAt(port)} })
	early := subscribe(t, there...)
	early.next("ntsgw/gw1/beacon", 5*time.Second)
	l.stop()
	for i, s := range []*subscriber{early, subscribe(t, there...)} {
		said := map[string]string{}
		for said["ntsgw/gw1/status"] != "offline" || said["ntsgw/gw1/state"] == "" {
			select {
			case r := <-s.got:
				said[r.topic] = string(r.payload)
			case <-time.After(5 * time.Second):
				t.Fatalf("%d: %v", i, said)
			}
		}
		var st stateDoc
		if err := json.Unmarshal([]byte(said["ntsgw/gw1/state"]), &st); err != nil || st.State != "unsynchronized" || st.MaxError != nil || st.Stratum != 16 {
			t.Errorf("%d: %s: %v", i, said["ntsgw/gw1/state"], err)
		}
	}
}

// TestSeveralBrokers publishes one and the same message to all.
func TestSeveralBrokers(t *testing.T) {
	t.Parallel()
	a, b := loopback.Port(t), loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", a), "allow_anonymous true")
	mb := newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", b), "allow_anonymous true")
	l := startLab(t, func(c *configs.MQTT) { c.Also = []string{brokerAt(a), brokerAt(b)} })
	var subs []*subscriber
	for _, at := range [][]string{hostPort(l.addr()), {"-h", "127.0.0.1", "-p", fmt.Sprint(a)}, {"-h", "127.0.0.1", "-p", fmt.Sprint(b)}} {
		subs = append(subs, subscribe(t, append(at, "-t", "ntsgw/gw1/beacon")...))
	}
	until(t, "all are connected", 5*time.Second, func() bool {
		for _, b := range l.server.Status().Brokers {
			if b.State != BrokerConnected {
				return false
			}
		}
		return true
	})
	seen := map[string]int{}
	end := time.After(program.Busy * 10 * time.Second)
	for {
		var r received
		select {
		case r = <-subs[0].got:
		case r = <-subs[1].got:
		case r = <-subs[2].got:
		case <-end:
			t.Fatalf("no beacon came through all three: %d messages", len(seen))
		}
		if seen[string(r.payload)]++; seen[string(r.payload)] == 3 {
			break
		}
	}
	// Each is counted by itself: two nodes ask through one of them, and somebody asks for nobody through another.
	for _, name := range []string{"node-a", "node-b"} {
		newTestNode(t, fmt.Sprintf("127.0.0.1:%d", a), enrol(t, l.nodes, name), false).exchange(l)
	}
	connect(t, fmt.Sprintf("127.0.0.1:%d", b), "", "", "", nil).Publish("ntsgw/gw1/req/nobody", 0, false, "x")
	l.refused("nobody", nil, map[string]uint64{"unknown-node": 1})
	st := l.server.Status()
	var published uint64
	for i, want := range []struct{ answered, refused uint64 }{{0, 0}, {2, 0}, {0, 1}} {
		b := st.Brokers[i]
		if b.Published == 0 || b.Answered != want.answered || b.Refused["unknown-node"] != want.refused {
			t.Errorf("%s: %d sent, %d answered, refused %v", b.URL, b.Published, b.Answered, b.Refused)
		}
		published += b.Published
	}
	if st.Published != published || st.Answered != 2 {
		t.Errorf("all together: %d sent of %d, %d answered", st.Published, published, st.Answered)
	}
	// One that is lost does not delay the others.
	mb.kill()
	var old []time.Duration
	for fresh := 0; fresh < 3; { // a busy machine makes one late, not all of them
		r := subs[1].next("ntsgw/gw1/beacon", 2*time.Second)
		v, err := beacon.VerifyBeacon(r.payload, onlineKey(l).Public(), "gw1")
		if err != nil {
			t.Fatal(err)
		}
		if age := r.at.Sub(v.UTC()); age <= 500*time.Millisecond {
			fresh++
		} else if old = append(old, age); len(old) > 30 {
			t.Fatalf("%v old", old)
		}
	}
}
