package mqtt

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// Algorithm names as in the configuration.
const (
	algEd25519 = "ed25519"
	algES256   = "es256"
)

// testKeys holds a root and an online key an algorithm, rotated by hand.
type testKeys struct {
	t       testing.TB
	gateway string
	roots   map[beacon.Alg]*beacon.SigningKey

	mu       sync.Mutex
	now      map[beacon.Alg]testKey
	serial   uint32
	observed [][]byte

	renewed atomic.Uint64 // how often the time was told
}

type testKey struct {
	online     *beacon.SigningKey
	delegation beacon.Delegation
	signed     []byte
}

func newTestKeys(t testing.TB, gateway string, algs []string) *testKeys {
	t.Helper()
	k := &testKeys{t: t, gateway: gateway, roots: make(map[beacon.Alg]*beacon.SigningKey)}
	for _, a := range algs {
		alg, err := beacon.ParseAlg(a)
		if err != nil {
			t.Fatal(err)
		}
		if k.roots[alg], err = beacon.GenerateSigningKey(alg, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	k.rotate(1, time.Now().Add(-time.Hour), time.Now().Add(30*24*time.Hour))
	return k
}

// rotate makes new online keys under the next delegation.
func (k *testKeys) rotate(serial uint32, from, to time.Time) {
	k.t.Helper()
	out := make(map[beacon.Alg]testKey)
	for alg, root := range k.roots {
		online, err := beacon.GenerateSigningKey(alg, rand.Reader)
		if err != nil {
			k.t.Fatal(err)
		}
		d := beacon.Delegation{Key: online.Public(), Serial: serial, NotBefore: uint32(from.Unix()), NotAfter: uint32(to.Unix())}
		signed, err := d.AppendSigned(nil, root, k.gateway)
		if err != nil {
			k.t.Fatal(err)
		}
		out[alg] = testKey{online, d, signed}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now, k.serial = out, serial
}

func (k *testKeys) Renew(time.Time) (bool, error) {
	k.renewed.Add(1)
	return false, nil
}

func (k *testKeys) Online(alg beacon.Alg) (*beacon.SigningKey, []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now[alg].online, k.now[alg].signed
}

func (k *testKeys) Covers(alg beacon.Alg, t *beacon.Statement) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.now[alg].delegation
	return d.Covers(t)
}

func (k *testKeys) Serial() uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.serial
}

func (k *testKeys) Observe(b []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.observed = append(k.observed, b)
	return false
}

// verify checks a beacon as a node would: the delegation under the root, the beacon under the
// delegated key, its time inside the key's validity and near now.
func (k *testKeys) verify(t testing.TB, alg beacon.Alg, key, msg []byte) beacon.Beacon {
	t.Helper()
	d, err := beacon.VerifyDelegation(key, k.roots[alg].Public(), k.gateway)
	if err != nil {
		t.Fatalf("delegation: %v", err)
	}
	b, err := beacon.VerifyBeacon(msg, d.Key, k.gateway)
	if err != nil {
		t.Fatalf("beacon: %v", err)
	}
	if !d.Covers(&b.Statement) {
		t.Fatalf("beacon at %v outside its key's validity", b.UTC())
	}
	if diff := time.Since(b.UTC()).Abs(); diff > 20*time.Second {
		t.Errorf("beacon is %v away from now", diff)
	}
	return b
}

func onlineKey(l *lab) *beacon.SigningKey {
	k, _ := l.keys.Online(beacon.Ed25519)
	return k
}

func (k *testKeys) verifyBeacon(t testing.TB, msg []byte) beacon.Beacon {
	t.Helper()
	online, _ := k.Online(beacon.Ed25519)
	b, err := beacon.VerifyBeacon(msg, online.Public(), k.gateway)
	if err != nil {
		t.Fatalf("beacon: %v", err)
	}
	return b
}
