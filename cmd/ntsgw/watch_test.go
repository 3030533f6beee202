package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/beacon/watch"
)

// TestWatchIsContentOnlyWithTime holds beacon watch to succeed only where something told the time.
func TestWatchIsContentOnlyWithTime(t *testing.T) {
	key, req := watch.Event{Kind: beacon.KindDelegation}, watch.Event{Kind: beacon.KindRequest, Err: errors.New("not connected")}
	node := watch.FollowOptions{Enrolment: beacon.Enrolment{Node: "f"}}
	named := watch.FollowOptions{Session: watch.Options{User: "gw"}}
	for _, c := range []struct {
		name   string
		opt    watch.FollowOptions
		events []watch.Event
		state  error
		code   int
		says   string
	}{
		{"a beacon", node, []watch.Event{key, {Kind: beacon.KindBeacon}}, nil, exitOK, ""},
		{"an answer", node, []watch.Event{{Kind: beacon.KindResponse}}, nil, exitOK, ""},
		{"a delegation", node, []watch.Event{key}, nil, exitNotSynced, "only the delegation of the key"},
		{"a bad beacon", node, []watch.Event{key, {Kind: beacon.KindBeacon, Err: errors.New("bad")}}, nil, exitFailed, "1 message came, none was verified"},
		{"two bad beacons", node, []watch.Event{{Kind: beacon.KindBeacon, Err: errors.New("bad")}, {Kind: beacon.KindBeacon, Err: errors.New("bad")}}, nil, exitFailed, "2 messages came, none was verified"},
		{"a request that was not sent", node, []watch.Event{req}, nil, exitNotSynced, "no message came"},
		{"shut out as a node", node, []watch.Event{key, req}, watch.ErrRefused, exitFailed, "refuses the name and password of f;"},
		{"shut out with a user", named, nil, watch.ErrRefused, exitFailed, "user and password_file"},
		{"shut out without a name", watch.FollowOptions{}, nil, watch.ErrRefused, exitFailed, "lets nobody in without a name"},
		{"silence", node, nil, nil, exitNotSynced, "a broker off loopback wants a node's name"},
		{"unreachable", node, nil, errors.New("refused by a wall"), exitNotSynced, "refused by a wall; see that the broker runs"},
	} {
		w := &watcher{t: terminal{out: io.Discard, err: io.Discard}}
		for _, ev := range c.events {
			w.event(ev)
		}
		w.connection(c.state)
		err := w.verdict(&c.opt)
		code := exitOK
		if e := new(exitError); errors.As(err, &e) {
			code = e.code
		}
		if code != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: exit code %d, want %d: %v", c.name, code, c.code, err)
		}
	}
}
