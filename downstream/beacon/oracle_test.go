package beacon

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"github.com/ntsgw/ntsgw/discipline"
)

// TestPythonAgrees lets an implementation that shares no code judge the vectors.
func TestPythonAgrees(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, with Debian's modules
	if _, err := os.Stat(python); err != nil {
		t.Skip("python3 is not installed (Debian: python3)")
	}
	if err := exec.Command(python, "-c", "import cbor2, cryptography").Run(); err != nil {
		t.Skip("Python lacks modules (Debian: python3-cbor2 python3-cryptography)")
	}
	out, err := exec.Command(python, "testdata/verify.py", "testdata/vectors.json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(strings.TrimSpace(string(out)))
}

// renumbered is a go-cose verifier under the algorithm number of RFC 9864, which it doesn't know.
type renumbered struct {
	cose.Verifier
	alg cose.Algorithm
}

func (r renumbered) Algorithm() cose.Algorithm { return r.alg }

// goCose lets veraison/go-cose verify a Sign1 message and returns its payload.
func goCose(t *testing.T, k *PublicKey, msg []byte, external string) ([]byte, error) {
	t.Helper()
	var v cose.Verifier
	var err error
	if k.alg == ES256 {
		v, err = cose.NewVerifier(cose.AlgorithmES256, k.ec)
	} else {
		v, err = cose.NewVerifier(cose.AlgorithmEdDSA, ed25519.PublicKey(k.raw))
	}
	if err != nil {
		t.Fatal(err)
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(msg); err != nil {
		return nil, err
	}
	return m.Payload, m.Verify([]byte(external), renumbered{v, cose.Algorithm(k.alg)})
}

func TestGoCoseAgreesOnSignatures(t *testing.T) {
	keys := vectorKeys(t)
	judged := 0
	for _, c := range vectorCases(t) {
		if c.kind != KindBeacon && c.kind != KindDelegation {
			continue
		}
		var want bool
		switch c.reason {
		case "", ReasonOutsideValidity:
			want = true
		case ReasonBadSignature:
		default:
			continue
		}
		judged++
		_, err := goCose(t, keys[c.key].Public(), c.msg, "ntsgw/1/"+c.kind.String()+"/"+vectorGateway)
		if (err == nil) != want {
			t.Errorf("%s: go-cose says %v", c.name, err)
		}
	}
	if judged < 30 {
		t.Errorf("only %d messages judged", judged)
	}
}

// TestEncodingIsCoreDeterministic holds every payload that we write to fxamacker/cbor's core
// deterministic mode.
func TestEncodingIsCoreDeterministic(t *testing.T) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	dec, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := Beacon{Statement: randomStatement(rng), Sequence: shrunk(rng), NextIn: uint16(shrunk(rng))}
		r := Response{Statement: randomStatement(rng), Turnaround: time.Duration(shrunk(rng)), Serial: shrunk(rng)}
		q := Request{HalfWidth: shrunk(rng), HasHalfWidth: rng.IntN(2) == 0}
		for _, p := range [][]byte{b.appendPayload(nil), r.appendPayload(nil), q.appendPayload(nil)} {
			var v any
			if err := dec.Unmarshal(p, &v); err != nil {
				t.Fatalf("%x: %v", p, err)
			}
			again, err := enc.Marshal(v)
			if err != nil || !bytes.Equal(again, p) {
				t.Fatalf("%x, deterministically %x (%v)", p, again, err)
			}
		}
	}
}

// shrunk is a random number of random size.
func shrunk(rng *rand.Rand) uint32 { return rng.Uint32() >> rng.IntN(32) }

func randomStatement(rng *rand.Rand) Statement {
	return Statement{
		Seconds: shrunk(rng), Nanos: shrunk(rng) % nanosLimit,
		MaxError: time.Duration(rng.Int64N(errorLimit * int64(time.Second))),
		State:    discipline.Synchronized + discipline.State(rng.IntN(2)), Stratum: 1 + uint8(rng.IntN(15)),
		Leap: discipline.Leap(rng.IntN(4) - 1), TAIOffset: uint8(shrunk(rng)),
	}
}
