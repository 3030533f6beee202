package upstream_test

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

var mismatch = &upstreamtest.Refusal{Word: "pin-mismatch", Text: "its key is not pinned"}

// slowTrust is a Trust whose judgement of a handshake, or of a standing session, takes as long as somebody else wants.
type slowTrust struct {
	*upstreamtest.Trust
	handshake func() // after it was judged; nil: at once
	rechecked func() // after it was judged; nil: at once
}

func (s *slowTrust) KEConfig(name string) (*tls.Config, bool, error) {
	cfg, deferred, err := s.Trust.KEConfig(name)
	if cfg != nil && s.handshake != nil {
		cfg.VerifyConnection = func(tls.ConnectionState) error {
			s.handshake()
			return nil
		}
	}
	return cfg, deferred, err
}

func (s *slowTrust) Recheck(name string, cs *tls.ConnectionState) error {
	err := s.Trust.Recheck(name, cs)
	if s.rechecked != nil {
		s.rechecked()
	}
	return err
}

// rechecked asks for a recheck and waits until the source has taken the question up.
func (r *rig) rechecked() {
	r.Recheck()
	for r.Nudged() {
		runtime.Gosched()
	}
}

// standings returns Changed for a source, and a wait for what it is told.
func standings(tb testing.TB) (func(string, discipline.Standing), func(what string, ok func(discipline.Standing) bool)) {
	told := make(chan discipline.Standing, 100)
	return func(_ string, now discipline.Standing) { told <- now }, func(what string, ok func(discipline.Standing) bool) {
		tb.Helper()
		end := time.After(patience)
		for {
			select {
			case s := <-told:
				if ok(s) {
					return
				}
			case <-end:
				tb.Fatalf("%s was not told", what)
			}
		}
	}
}

func isDistrusted(s discipline.Standing) bool { return s.Revoked && s.Denied != "" }

// Files that are replaced between the judgement of a handshake and the end of its key exchange hold for its session.
func TestRecheckDuringAKeyExchange(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	changed, told := standings(t)
	judged, replaced := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r := start(t, ca, server.Address, func(opt *upstream.Options) {
		opt.Changed = changed
		opt.Out = make(chan discipline.Measurement, 100)
		opt.Trust = &slowTrust{Trust: opt.Trust.(*upstreamtest.Trust), handshake: func() {
			once.Do(func() { close(judged); <-replaced })
		}}
	})
	<-judged
	r.trust.Refuse(mismatch)
	r.rechecked()
	close(replaced)
	told("that the session is distrusted", isDistrusted)
}

// Files that are replaced while a session is judged by the old ones hold for it, too.
func TestRecheckDuringARecheck(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	changed, told := standings(t)
	judged, replaced := make(chan struct{}, 10), make(chan struct{})
	defer close(replaced)
	r := start(t, ca, server.Address, func(opt *upstream.Options) {
		opt.Changed = changed
		opt.Out = make(chan discipline.Measurement, 100)
		trust := opt.Trust.(*upstreamtest.Trust)
		opt.Trust = &slowTrust{Trust: trust, rechecked: func() {
			judged <- struct{}{}
			if trust.Rechecks() == 1 {
				<-replaced
			}
		}}
	})
	told("that it answers", func(s discipline.Standing) bool { return s.Reachable })
	r.Recheck()
	<-judged
	r.trust.Refuse(mismatch)
	r.rechecked()
	told("that the session is distrusted", isDistrusted)
}

// What a server said stays for a while when its session is over: it is taken back all the same, when the server is
// distrusted then. That its certificate has ended since takes nothing back.
func TestRecheckOfASessionThatIsOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word   string
		taints bool
	}{{"pin-mismatch", true}, {"revoked", true}, {"expired", false}} {
		t.Run(c.word, func(t *testing.T) {
			t.Parallel()
			ca := upstreamtest.NewCA(t)
			server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
			changed, told := standings(t)
			var gone atomic.Bool
			r := start(t, ca, server.Address, func(opt *upstream.Options) {
				opt.Changed = changed
				opt.MinPoll, opt.MaxPoll = time.Second, time.Second
				opt.Out = make(chan discipline.Measurement, 1000)
				opt.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					if gone.Load() {
						return nil, syscall.EHOSTUNREACH
					}
					return new(net.Dialer).DialContext(ctx, network, address)
				}
			})
			told("that it answers", func(s discipline.Standing) bool { return s.Reachable })
			gone.Store(true)
			server.Forget(t)
			r.await("the end of the session", func(st upstream.Status) bool { return st.AEAD == 0 && st.Rejected["ke-unreachable"] > 0 })
			before := r.trust.Rechecks()
			r.trust.Refuse(&upstreamtest.Refusal{Word: c.word, Text: c.word})
			r.Recheck()
			r.await("the judgement", func(upstream.Status) bool { return r.trust.Rechecks() > before })
			told("the judgement", func(s discipline.Standing) bool { return s.Denied != "" && s.Revoked == c.taints })
		})
	}
}
