package mqtt

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/suspend"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// TestNonceMemory: a replay among a node's last 1,024 requests is refused, whatever came between.
func TestNonceMemory(t *testing.T) {
	clock := newTestClock()
	tl := newTestTimeline(clock)
	nodes, _ := openTestNodes(t)
	key := macKey(t, enrol(t, nodes, "node-a"))
	cfg := testConfig()
	cfg.RequestRate, cfg.RequestBurst = 1e6, 1e6
	c := newTraffic()
	r := newResponder(&Options{Timeline: tl, Clock: clock, Nodes: nodes, Config: cfg, Gateway: "gw1", Log: testLog(t)}, suspend.New(clock))
	first := newRequest().AppendSealed(nil, key)
	if _, ok := r.admit(c, "node-a", first, arrival(tl, clock)); !ok {
		t.Fatal("refused")
	}
	for range nonceMemory - 1 {
		if _, ok := r.admit(c, "node-a", newRequest().AppendSealed(nil, key), arrival(tl, clock)); !ok {
			t.Fatal("refused")
		}
	}
	if _, ok := r.admit(c, "node-a", first, arrival(tl, clock)); ok {
		t.Error("a replay within the memory is admitted")
	}
	if n := c.refused.words()["replay"]; n != 1 {
		t.Errorf("replay counted %d times", n)
	}
	r.admit(c, "node-a", newRequest().AppendSealed(nil, key), arrival(tl, clock))
	if n := len(r.state["node-a"].nonces); n != nonceMemory {
		t.Errorf("%d nonces remembered", n)
	}
	// A new key forgets: its nonces can't have been seen.
	if _, err := nodes.Rotate("node-a"); err != nil {
		t.Fatal(err)
	}
	r.forget()
	if len(r.state) != 0 {
		t.Error("the old key's memory stays")
	}
}

// TestTotalRate: all nodes together are bounded, too.
func TestTotalRate(t *testing.T) {
	clock := newTestClock()
	tl := newTestTimeline(clock)
	nodes, _ := openTestNodes(t)
	key := macKey(t, enrol(t, nodes, "node-a"))
	cfg := testConfig()
	cfg.RequestBurst = 1e6
	c := newTraffic()
	r := newResponder(&Options{Timeline: tl, Clock: clock, Nodes: nodes, Config: cfg, Gateway: "gw1", Log: testLog(t)}, suspend.New(clock))
	at := arrival(tl, clock) // all at one instant
	for range 5000 {
		r.admit(c, "node-a", newRequest().AppendSealed(nil, key), at)
	}
	if n := c.refused.words()["total-rate"]; n != 1000 {
		t.Errorf("total-rate counted %d times, want 1000", n)
	}
}

// TestTwoHundredNodes reboot together: each gets its answer.
func TestTwoHundredNodes(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.MaxClients = 300 })
	const n = 200
	all := make([]*testNode, n)
	for i := range all {
		all[i] = newTestNode(t, l.addr(), enrol(t, l.nodes, fmt.Sprintf("node-%d", i)), true)
	}
	var wg sync.WaitGroup
	start := time.Now()
	for _, node := range all {
		wg.Go(func() { node.exchange(l) })
	}
	wg.Wait()
	t.Logf("%d exchanges in %v", n, time.Since(start))
	if st := l.server.Status(); st.Answered != n || len(st.Refused) != 0 {
		t.Errorf("answered %d, refused %v", st.Answered, st.Refused)
	}
}

// TestRetainedRequest: a request that somebody had the broker retain is not answered at each connect.
func TestRetainedRequest(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	nodes, dir := openTestNodes(t)
	e := enrol(t, nodes, "node-a")
	planter := connect(t, fmt.Sprintf("127.0.0.1:%d", port), "", "", "", nil)
	if err := await(t.Context(), planter.Publish("ntsgw/gw1/req/node-a", 1, true, newRequest().AppendSealed(nil, macKey(t, e))), program.Busy*5*time.Second); err != nil {
		t.Fatal(err)
	}
	shared, err := OpenNodes(dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	l := startLabWith(t, func(c *configs.MQTT) { c.Broker = brokerAt(port) }, func(o *Options) { o.Nodes = shared })
	until(t, "it is refused", 5*time.Second, func() bool { return l.server.Status().Refused["replay"] == 1 })
	newTestNode(t, fmt.Sprintf("127.0.0.1:%d", port), e, false).exchange(l)
	if n := l.server.Status().Answered; n != 1 {
		t.Errorf("%d answers", n)
	}
}

// TestRequestToRetain: the embedded broker keeps no request, and answers none that it should have kept.
func TestRequestToRetain(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil)
	node := newTestNode(t, l.addr(), enrol(t, l.nodes, "node-a"), true)
	if err := await(t.Context(), node.client.Publish("ntsgw/gw1/req/node-a", 0, true, newRequest().AppendSealed(nil, node.key)), program.Busy*5*time.Second); err != nil {
		t.Fatal(err)
	}
	until(t, "it is refused", 5*time.Second, func() bool { return l.server.Status().Refused["replay"] == 1 })
	node.exchange(l)
	if n := l.server.Status().Answered; n != 1 {
		t.Errorf("%d answers", n)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.Discovery = true })
	s := subscribe(t, append(hostPort(l.addr()), "-t", "homeassistant/+/+/+/config")...)
	for _, topic := range []string{"binary_sensor/ntsgw_gw1/synchronized", "sensor/ntsgw_gw1/max_error", "sensor/ntsgw_gw1/state"} {
		var r received
		select {
		case r = <-s.got:
		case <-time.After(program.Busy * 5 * time.Second):
			t.Fatalf("%s is not announced", topic)
		}
		var m map[string]any
		if err := json.Unmarshal(r.payload, &m); err != nil || m["stat_t"] != "ntsgw/gw1/state" || m["uniq_id"] == "" || !r.retained {
			t.Errorf("%s: %s: %v", r.topic, r.payload, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.Listen, c.Also = "0.0.0.0:0", []string{brokerAt(loopback.Port(t))} })
	until(t, "both warnings", 5*time.Second, func() bool {
		var ids []string
		for _, w := range l.server.Warnings() {
			ids = append(ids, w.ID)
		}
		return strings.Join(ids, " ") == "broker-unreachable mqtt-clear-text"
	})
}
