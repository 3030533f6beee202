// Package brokertest is an MQTT broker for tests, which answers as no real one would.
package brokertest

import (
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Serve runs a broker that lets everybody in, returns to each what it publishes, and answers a subscription with what codes gives
// for its filters, until the test ends. It gives the broker's URL.
func Serve(t testing.TB, codes func(filters []string) []byte) string {
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
