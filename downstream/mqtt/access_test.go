package mqtt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker/brokertest"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// warns reports whether that is the only warning, with all these words.
func (l *lab) warns(id string, words ...string) bool {
	w := l.server.Warnings()
	for _, word := range words {
		if len(w) != 1 || !strings.Contains(w[0].Text, word) {
			return false
		}
	}
	return len(w) == 1 && w[0].ID == id
}

// TestABrokerThatAnswersTooMuch ends its own connection, and nothing else: one answer took the whole program.
func TestABrokerThatAnswersTooMuch(t *testing.T) {
	t.Parallel()
	bad := brokertest.Serve(t, func([]string) []byte { return make([]byte, 9) })
	good := brokertest.Serve(t, func(filters []string) []byte { return make([]byte, len(filters)) })
	l := startLab(t, func(c *configs.MQTT) { c.Broker, c.Also = bad, []string{good} })
	until(t, "beacons through the other one", 10*time.Second, func() bool { return l.server.Status().Brokers[1].Published >= 2 })
	until(t, "the warning", 10*time.Second, func() bool {
		return l.warns("broker-unreachable", bad, "a packet that answers nothing")
	})
}

// TestABrokerThatRefusesRequests: it lets the gateway in and says no to one subscription. That is said for as long
// as it is so.
func TestABrokerThatRefusesRequests(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	url := brokertest.Serve(t, func(filters []string) []byte {
		codes := make([]byte, len(filters))
		for i, f := range filters {
			if strings.HasSuffix(f, "/req/+") && !mended.Load() {
				codes[i] = 0x80
			}
		}
		return codes
	})
	l := startLab(t, func(c *configs.MQTT) { c.Broker = url })
	until(t, "the warning", 10*time.Second, func() bool { return l.warns("broker-access", url, "ntsgw/gw1/req/+", "ntsgw/gw1/#") })
	before := l.server.Status().Brokers[0].Connects
	mended.Store(true)
	until(t, "no warning", 2*accessRest, func() bool { return len(l.server.Warnings()) == 0 })
	if n := l.server.Status().Brokers[0].Connects; n != before {
		t.Errorf("%d connections, %d before", n, before)
	}
}

// TestABrokerThatIsSlowToRefuse: beacons go out while it thinks about a subscription that it refused before.
func TestABrokerThatIsSlowToRefuse(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	hold := make(chan struct{})
	held := make(chan struct{}, 1)
	url := brokertest.Serve(t, func(filters []string) []byte {
		codes := make([]byte, len(filters))
		for i, f := range filters {
			if strings.HasSuffix(f, "/req/+") {
				codes[i] = 0x80
				if asked.Add(1)%2 == 0 { // that of a connection's beginning is answered
					held <- struct{}{}
					<-hold
				}
			}
		}
		return codes
	})
	defer close(hold)
	l := startLab(t, func(c *configs.MQTT) { c.Broker = url })
	// A machine that stands still for seconds may lose the connection before a beacon is due: then once more.
	for range 5 {
		<-held
		before := l.server.Status().Brokers[0]
		now := before
		until(t, "a beacon or the end of the connection", program.Noticed, func() bool {
			now = l.server.Status().Brokers[0]
			return now.Published > before.Published || now.State != BrokerConnected || now.Connects != before.Connects
		})
		if now.Published > before.Published && now.Connects == before.Connects {
			return
		}
		hold <- struct{}{}
	}
	t.Error("no beacon while the broker does not answer")
}

// TestABrokerThatDropsWhatIsPublished: mosquitto says yes to every subscription, and delivers only what its rules
// let pass.
func TestABrokerThatDropsWhatIsPublished(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"topic read ntsgw/#", "topic write ntsgw/#"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			rules := filepath.Join(t.TempDir(), "rules")
			let := func(rule string) {
				if err := os.WriteFile(rules, []byte(rule+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			let(rule)
			port := loopback.Port(t)
			m := newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true", "acl_file "+rules)
			l := startLab(t, func(c *configs.MQTT) { c.Broker = brokerAt(port) })
			until(t, "the warning", 2*accessRest, func() bool { return l.warns("broker-access", brokerAt(port), "ntsgw/gw1/key", "ntsgw/gw1/#") })
			let("topic readwrite ntsgw/#")
			if err := m.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			until(t, "no warning", 2*accessRest, func() bool { return len(l.server.Warnings()) == 0 })
		})
	}
}
