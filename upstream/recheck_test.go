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
func standings(tb testing.TB) (func(context.Context, string, discipline.Standing), func(what string, ok func(discipline.Standing) bool)) {
	told := make(chan discipline.Standing, 100)
	return func(_ context.Context, _ string, now discipline.Standing) { told <- now }, func(what string, ok func(discipline.Standing) bool) {
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

// A newer session that has brought nothing yet does not hide the one before, by which the time still goes.
func TestRecheckOfTheSessionBefore(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	changed, told := standings(t)
	own := &sessionTrust{}
	r := start(t, ca, server.Address, func(opt *upstream.Options) {
		opt.Changed = changed
		opt.MinPoll, opt.MaxPoll = time.Second, time.Second
		opt.Out = make(chan discipline.Measurement, 1000)
		own.Trust = opt.Trust.(*upstreamtest.Trust)
		opt.Trust = own
	})
	told("that it answers", func(s discipline.Standing) bool { return s.Reachable })
	r.Recheck()
	r.await("the judgement of the first session", func(upstream.Status) bool { return own.first() != "" })
	server.Silence(true)
	r.await("another session", func(st upstream.Status) bool { kes, _ := server.Seen(); return kes >= 2 && st.AEAD != 0 })
	own.refuse.Store(true)
	r.Recheck()
	told("that the session before is distrusted", isDistrusted)
}

// What a server said under a certificate that it has replaced counts until newer samples take its place, and is taken back
// when that certificate is revoked, though newer sessions have brought the time since.
func TestRecheckOfACertificateThatWasReplaced(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	servers := []*upstreamtest.Server{upstreamtest.NewServer(t, ca, upstreamtest.Config{}), upstreamtest.NewServer(t, ca, upstreamtest.Config{}), upstreamtest.NewServer(t, ca, upstreamtest.Config{})}
	changed, told := standings(t)
	own := &sessionTrust{word: &upstreamtest.Refusal{Word: "revoked", Text: "it is revoked"}}
	var at atomic.Int32
	r := start(t, ca, servers[0].Address, func(opt *upstream.Options) {
		opt.Changed = changed
		opt.MinPoll, opt.MaxPoll = time.Second, time.Second
		own.Trust = opt.Trust.(*upstreamtest.Trust)
		opt.Trust = own
		opt.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, servers[at.Load()].Address)
		}
	})
	r.next()
	r.Recheck()
	r.await("the judgement of the first session", func(upstream.Status) bool { return own.first() != "" })
	for i := int32(1); i < 3; i++ {
		before := r.Status().NTPAddr
		at.Store(i)
		servers[i-1].Forget(t)
		r.await("the next certificate's session", func(st upstream.Status) bool { return st.AEAD != 0 && st.NTPAddr != before })
		r.next()
	}
	own.refuse.Store(true)
	r.Recheck()
	r.await("the denial", func(st upstream.Status) bool { return st.Denied != "" })
	told("that the first certificate is distrusted", isDistrusted)
}

// sessionTrust refuses, once it is to, the session that it was asked about first.
type sessionTrust struct {
	*upstreamtest.Trust
	refuse atomic.Bool
	word   *upstreamtest.Refusal // nil: mismatch
	mu     sync.Mutex
	id     string
}

func (s *sessionTrust) first() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

func (s *sessionTrust) Recheck(name string, cs *tls.ConnectionState) error {
	id, err := cs.ExportKeyingMaterial("test", nil, 16)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == "" {
		s.id = string(id)
	}
	if s.refuse.Load() && s.id == string(id) {
		if s.word != nil {
			return s.word
		}
		return mismatch
	}
	return nil
}

// A judgement by old files that comes late does not overrule one by the new files.
func TestRecheckThatComesLate(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	changed, told := standings(t)
	judged, late := make(chan struct{}, 10), make(chan struct{})
	var n atomic.Int32
	r := start(t, ca, server.Address, func(opt *upstream.Options) {
		opt.Changed = changed
		opt.Out = make(chan discipline.Measurement, 1000)
		opt.Trust = &slowTrust{Trust: opt.Trust.(*upstreamtest.Trust), rechecked: func() {
			first := n.Add(1) == 1
			judged <- struct{}{}
			if first {
				<-late
			}
		}}
	})
	told("that it answers", func(s discipline.Standing) bool { return s.Reachable })
	r.trust.Refuse(mismatch)
	r.Recheck()
	<-judged // by the old files, and slow
	r.trust.Refuse(nil)
	r.rechecked()
	<-judged      // by the new ones
	for range 5 { // all of them by the new files, and handed on meanwhile
		r.rechecked()
		<-judged
		time.Sleep(20 * time.Millisecond)
	}
	close(late)
	r.rechecked()
	<-judged
	time.Sleep(50 * time.Millisecond)
	if st := r.Status(); st.Denied != "" || st.AEAD == 0 {
		t.Errorf("denied by files that were replaced: %+v", st)
	}
}
