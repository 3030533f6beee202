package trust

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// Every file that is trusted by is replaced many times a second, well and badly, and SIGHUP sent in
// between, while devices listen to beacons and ask for time over NTS: no poll, no beacon and no
// answer is dropped, and a server that loses its session meanwhile gets another.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	const lasts, listeners = 12 * time.Second, 40
	pki, spare := certstest.New(t), certstest.New(t)
	clients := x509.NewCertPool()
	clients.AddCert(pki.Root.Cert)
	f := folder(t.TempDir())
	cas := []string{read(t, pki.CAFile(t)), read(t, pki.CAFile(t)) + read(t, spare.CAFile(t))}
	pairs := [2]map[string]string{}
	for i := range pairs {
		dir := t.TempDir()
		certstest.WritePair(t, dir, "client", pki.Issue(t, clientLeaf()))
		certstest.WritePair(t, dir, "server", pki.Issue(t, certstest.Leaf{}))
		pairs[i] = map[string]string{"ca.pem": cas[i]}
		for _, name := range []string{"client.pem", "client.key", "server.pem", "server.key"} {
			pairs[i][name] = read(t, filepath.Join(dir, name))
		}
		pairs[i]["list.crl"] = string(pki.Responder.List(pki.Intermediate, certstest.Honest))
	}
	lay := func(i int) {
		for name, text := range pairs[i] {
			replace(t, f.at(name), text)
		}
	}
	lay(0)
	var servers []*server
	var sections []string
	for i := range 5 {
		s := newServer(t, pki.Issue(t, certstest.Leaf{}), 0)
		var lines []string
		if i > 2 { // mTLS
			s.stop()
			s.clients = clients
			s.start(t)
			lines = f.lines()
		}
		servers = append(servers, s)
		// Patient polls: a busy machine is no silent server.
		section := s.section(letter(i), f.at("ca.pem"), append(lines, `revocation = "prefer"`)...)
		sections = append(sections, strings.NewReplacer(`"1s"`, `"3s"`, `"2s"`, `"3s"`).Replace(section))
	}
	restarted := letter(len(servers) - 1)
	broker, ke := loopback.Free(t), loopback.Free(t)
	g := newGateway(t, fmt.Sprintf("[trust]\ncrl = [%q]\n[mqtt]\nlisten = %q\ninterval = \"1s\"\n[nts_server]\nlisten = %q\nntp_listen = %q\ncert = %q\nkey = %q\n",
		f.at("list.crl"), broker, ke, ke, f.at("server.pem"), f.at("server.key")), sections...).start()
	before := g.await(t, "all are used", func(r *status.Report) bool {
		for _, s := range r.Sources {
			if s.Reach&3 != 3 {
				return false
			}
		}
		return allUsed(r)
	})
	ears := listen(t, g, broker, listeners)

	made := make([]int64, len(servers))
	for i, s := range servers {
		made[i] = s.made.Load()
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var load sync.WaitGroup
	var answered atomic.Int64
	pool := x509.NewCertPool()
	pool.AddCert(pki.Root.Cert)
	for range 2 {
		load.Go(func() {
			for ctx.Err() == nil {
				_, err := upstream.Query(context.Background(), upstream.QueryOptions{Address: ke, Trust: &upstreamtest.Trust{Roots: pool}, Clock: sysclock.Reader{}, Samples: 1})
				if err != nil {
					t.Errorf("a device got no time: %v", err)
				}
				answered.Add(1)
				pause(ctx, 100*time.Millisecond)
			}
		})
	}
	swaps := 0
	for tick := 1; ctx.Err() == nil; tick++ {
		lay(tick % 2)
		swaps++
		switch {
		case tick%10 == 3: // half a file, for long enough to be noticed
			program.Write(t, f.at("ca.pem"), cas[0][:len(cas[0])/2])
			pause(ctx, 500*time.Millisecond)
		case tick%10 == 6:
			g.hangUp()
		case tick%10 == 9:
			remove(t, f.at("client.key"))
			pause(ctx, 500*time.Millisecond)
		case tick == 24:
			servers[len(servers)-1].restart(t, pki.Issue(t, certstest.Leaf{}), 0)
		}
		pause(ctx, 150*time.Millisecond)
	}
	load.Wait()
	lay(0)
	after := g.await(t, "all are used", func(r *status.Report) bool {
		return allUsed(r) && !warned(r, "trust-file-refused", "")
	})
	t.Logf("%d sets of files, %d questions of devices", swaps, answered.Load())
	if g.refusals(t, "bad-file") == 0 || g.refusals(t, "unreadable-file") == 0 {
		t.Error("no bad file was noticed")
	}
	holds(t, after, before.Epoch, 0)
	for i, s := range after.Sources {
		had := before.Sources[i]
		if s.Name == restarted {
			continue
		}
		// One may be under way, and one may have been before.
		if lost := int64(s.Sent-s.Received) - int64(had.Sent-had.Received); lost > 1 {
			t.Errorf("%s: %d polls without an answer", s.Name, lost)
		}
		if s.Received < had.Received+3 || len(s.Rejected) != 0 {
			t.Errorf("%s: %+v", s.Name, s)
		}
		if n := servers[i].made.Load() - made[i]; n != 0 {
			t.Errorf("%s: keys were made %d times more", s.Name, n)
		}
	}
	ears.check(t, lasts)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// ears are devices that listen to beacons.
type ears struct {
	mu    sync.Mutex
	heard [][]uint32
	fault error
}

// listen connects n of them to the embedded broker.
func listen(t *testing.T, g *gateway, broker string, n int) *ears {
	t.Helper()
	key := g.onlineKey(t)
	e := &ears{heard: make([][]uint32, n)}
	for i := range n {
		opt := paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(fmt.Sprintf("ear%d", i)).SetAutoReconnect(false)
		c := paho.NewClient(opt)
		if token := c.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("connecting: %v", token.Error())
		}
		t.Cleanup(func() { c.Disconnect(0) })
		token := c.Subscribe("ntsgw/gw1/beacon", 0, func(_ paho.Client, m paho.Message) {
			b, err := beacon.VerifyBeacon(m.Payload(), key, "gw1")
			e.mu.Lock()
			defer e.mu.Unlock()
			if err != nil {
				e.fault = err
				return
			}
			e.heard[i] = append(e.heard[i], b.Sequence)
		})
		if !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("subscribing: %v", token.Error())
		}
	}
	return e
}

// check holds that each heard every beacon of the time.
func (e *ears) check(t *testing.T, lasted time.Duration) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fault != nil {
		t.Errorf("a beacon does not verify: %v", e.fault)
	}
	for i, heard := range e.heard {
		if len(heard) < int(lasted/time.Second)-1 {
			t.Fatalf("listener %d heard %d beacons in %v", i, len(heard), lasted)
		}
		for j := 1; j < len(heard); j++ {
			if heard[j] != heard[j-1]+1 {
				t.Fatalf("listener %d: beacon %d after %d", i, heard[j], heard[j-1])
			}
		}
	}
	t.Logf("%d listeners heard %d beacons each without a gap", len(e.heard), len(e.heard[0]))
}

// onlineKey is the public key that beacons are signed with.
func (g *gateway) onlineKey(t *testing.T) *beacon.PublicKey {
	t.Helper()
	out, code := program.Run(t, "", "keys", "-json", "-config", g.config())
	if code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	var list struct {
		Keys []struct{ Role, State, Public string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	for _, k := range list.Keys {
		if k.Role == "online" && k.State == "current" {
			raw, err := hex.DecodeString(k.Public)
			if err != nil {
				t.Fatal(err)
			}
			key, err := beacon.NewPublicKey(beacon.Ed25519, raw)
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
	}
	t.Fatalf("no online key: %s", out)
	return nil
}
