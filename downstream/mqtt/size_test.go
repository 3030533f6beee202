package mqtt

import (
	"bytes"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// TestPacketsFit: the largest legal message of each kind, on the longest topic, in a whole MQTT
// 3.1.1 packet as both libraries write it.
func TestPacketsFit(t *testing.T) {
	const limit = 256
	name := strings.Repeat("x", 16)
	tp := newTopics("lab/", name)
	st := beacon.Statement{
		Seconds: 1<<32 - 1, Nanos: 999_999_999, MaxError: 65_536*time.Second - 1,
		State: discipline.Holdover, Stratum: 15, Leap: discipline.LeapUnknown, TAIOffset: 255,
	}
	keys := newTestKeys(t, name, []string{algEd25519, algES256})
	mac, err := beacon.NewMACKey([32]byte{1}, name, name, 1<<32-1)
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string][]byte{tp.status: []byte("offline")}
	for alg, topic := range tp.beacon {
		k, _ := keys.Online(alg)
		b := beacon.Beacon{Statement: st, Sequence: 1<<32 - 1, NextIn: 1<<16 - 1}
		if messages[topic], err = b.AppendSigned(nil, k, name); err != nil {
			t.Fatal(err)
		}
		d := beacon.Delegation{Key: k.Public(), Serial: 1<<32 - 1, NotBefore: 1<<32 - 1, NotAfter: 1<<32 - 1}
		if messages[tp.key[alg]], err = d.AppendSigned(nil, keys.roots[alg], name); err != nil {
			t.Fatal(err)
		}
	}
	r := beacon.Response{Statement: st, Turnaround: 1<<32 - 1, Serial: 1<<32 - 1}
	if messages[tp.resp+name], err = r.AppendSealed(nil, mac); err != nil {
		t.Fatal(err)
	}
	messages[tp.req+name] = (&beacon.Request{HalfWidth: 1<<32 - 1, HasHalfWidth: true}).AppendSealed(nil, mac)
	clock := newTestClock()
	tl := newTestTimeline(clock)
	snap := *tl.Snapshot()
	snap.State, snap.Stratum, snap.MaxErrorAt, snap.EstErrorAt = discipline.Synchronized, 15, 65_535*time.Second+999_999*time.Microsecond, 65_535*time.Second+999_999*time.Microsecond
	snap.Leap = discipline.LeapDelete
	messages[tp.state] = stateJSON(&snap, clock.Now(), snap.State)

	longest := 0
	for topic, payload := range messages {
		longest = max(longest, len(topic))
		if len(payload) > beacon.MaxMessage {
			t.Errorf("%s: payload of %d bytes", topic, len(payload))
		}
		padded := topic + strings.Repeat("y", maxTopic-len(topic))
		pp := paho.NewControlPacket(paho.Publish).(*paho.PublishPacket)
		pp.TopicName, pp.Payload = padded, payload
		var b bytes.Buffer
		if err := pp.Write(&b); err != nil {
			t.Fatal(err)
		}
		var m bytes.Buffer
		mp := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, ProtocolVersion: 4, TopicName: padded, Payload: payload}
		if err := mp.PublishEncode(&m); err != nil {
			t.Fatal(err)
		}
		if b.Len() > limit || m.Len() > limit {
			t.Errorf("%s: packets of %d and %d bytes", topic, b.Len(), m.Len())
		}
		t.Logf("%-40s payload %3d, packet %3d with a topic of %d", strings.TrimPrefix(topic, tp.prefix), len(payload), b.Len(), maxTopic)
	}
	if longest > maxTopic {
		t.Errorf("a topic has %d characters", longest)
	}
	tooLong := testConfig()
	tooLong.Prefix = strings.Repeat("p", 40)
	if _, err := New(Options{Timeline: tl, Clock: clock, Keys: keys, Gateway: "gw1", Config: tooLong}); err == nil {
		t.Error("a prefix that makes topics too long is accepted")
	}
}
