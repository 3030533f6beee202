package watch

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker"
	"github.com/ntsgw/ntsgw/tests/program"
)

// TestABrokerThatAnswersTooMuch ends the connection, and is named; it ended the program.
func TestABrokerThatAnswersTooMuch(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
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
				a.MessageID, a.ReturnCodes = p.MessageID, make([]byte, len(p.Topics)+7)
				a.Write(c)
			}
		}
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { serve(c) })
		}
	})
	defer conns.Wait()
	defer ln.Close()
	said := make(chan error, 16)
	s, err := Open(Options{
		Broker: "mqtt://" + ln.Addr().String(), Prefix: "ntsgw/gw1/", Topics: []string{"key", "beacon"},
		Now: func() discipline.Raw { return 0 },
		State: func(err error) {
			select {
			case said <- err:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for late := time.After(program.Busy * 10 * time.Second); ; {
		select {
		case err := <-said:
			if errors.Is(err, broker.ErrUnasked) {
				return
			}
		case <-late:
			t.Fatal("nothing was said of the broker")
		}
	}
}
