package mqtt

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/tests/loopback"
)

// ownBroker lets everybody in, returns to each what it publishes, and answers a subscription with what codes gives
// for its filters. It gives the broker's URL.
func ownBroker(t testing.TB, codes func(filters []string) []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		for {
			p, err := packets.ReadPacket(c)
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *packets.ConnectPacket:
				c.Write([]byte{0x20, 2, 0, 0})
			case *packets.SubscribePacket:
				a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
				a.MessageID, a.ReturnCodes = p.MessageID, codes(p.Topics)
				a.Write(c)
			case *packets.PublishPacket:
				p.Retain = false
				p.Write(c)
			case *packets.PingreqPacket:
				c.Write([]byte{0xd0, 0})
			}
		}
	}
	conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); conns.Wait() })
	return "mqtt://" + ln.Addr().String()
}

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
	bad := ownBroker(t, func([]string) []byte { return make([]byte, 9) })
	good := ownBroker(t, func(filters []string) []byte { return make([]byte, len(filters)) })
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
	url := ownBroker(t, func(filters []string) []byte {
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
