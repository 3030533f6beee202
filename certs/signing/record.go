package signing

import (
	"bytes"
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// Roles and states of a key.
const (
	RoleRoot   = "root"
	RoleOnline = "online"

	StateCurrent = "current"
	StateNext    = "next"    // delegated beforehand by a root kept elsewhere, or waiting for that
	StateRetired = "retired" // its secret half was erased
)

// Key is one key as it is listed: never a secret.
type Key struct {
	KID       string `json:"kid"`  // 16 hex digits
	Role      string `json:"role"` // root or online
	Alg       string `json:"alg"`  // Ed25519 or ES256
	Public    string `json:"public"`
	State     string `json:"state"` // current, next or retired
	Serial    uint32 `json:"serial"`
	NotBefore uint32 `json:"not_before"` // UTC seconds since 1970
	NotAfter  uint32 `json:"not_after"`
}

// List is what `ntsgw keys -json` prints.
type List struct {
	Gateway string `json:"gateway"`
	Keys    []Key  `json:"keys"`
}

// record is a Key as it is kept.
type record struct {
	Key
	Delegation string `json:"delegation,omitempty"` // the signed message, hex
}

// state is the whole content of keys.json.
type state struct {
	Version  int      `json:"version"`
	Gateway  string   `json:"gateway"`
	Serial   uint32   `json:"serial"` // the highest that was used or seen
	RootAway bool     `json:"root_away"`
	Keys     []record `json:"keys"`
}

func curve() elliptic.Curve { return elliptic.P256() }

func newRecord(role string, pub *beacon.PublicKey) record {
	kid := pub.KID()
	return record{Key: Key{
		KID: hex.EncodeToString(kid[:]), Role: role, Alg: pub.Alg().String(),
		Public: hex.EncodeToString(pub.Bytes()), State: StateCurrent,
	}}
}

// public parses the record's public half.
func (r *record) public() (*beacon.PublicKey, error) {
	alg, err := beacon.ParseAlg(r.Alg)
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(r.Public)
	if err != nil {
		return nil, err
	}
	pub, err := beacon.NewPublicKey(alg, raw)
	if err != nil {
		return nil, err
	}
	if kid := pub.KID(); hex.EncodeToString(kid[:]) != r.KID {
		return nil, errors.New("the key id is another key's")
	}
	return pub, nil
}

// find returns the first record of a role, algorithm and state, or nil.
func (s *state) find(role string, alg beacon.Alg, keyState string) *record {
	for i := range s.Keys {
		if r := &s.Keys[i]; r.Role == role && r.Alg == alg.String() && r.State == keyState {
			return r
		}
	}
	return nil
}

// decodeState parses keys.json strictly.
func decodeState(path string, b []byte) (*state, error) {
	bad := func(format string, args ...any) error {
		return &Error{Path: path, Why: WhyBad, Text: "is not what ntsgw wrote", Fix: "restore it from the backup", Err: fmt.Errorf(format, args...)}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var s state
	if err := dec.Decode(&s); err != nil {
		return nil, bad("%w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad("something follows")
	}
	if s.Version != 1 {
		return nil, bad("version %d is not known here", s.Version)
	}
	// Without keys and a name it is that of a first start that was interrupted.
	if !beacon.ValidName(s.Gateway) && (s.Gateway != "" || len(s.Keys) != 0) {
		return nil, bad("gateway %q", s.Gateway)
	}
	for i := range s.Keys {
		r := &s.Keys[i]
		if r.Role != RoleRoot && r.Role != RoleOnline {
			return nil, bad("key %s: role %q", r.KID, r.Role)
		}
		if r.State != StateCurrent && r.State != StateNext && r.State != StateRetired {
			return nil, bad("key %s: state %q", r.KID, r.State)
		}
		if _, err := r.public(); err != nil {
			return nil, bad("key %s: %w", r.KID, err)
		}
		if _, err := hex.DecodeString(r.Delegation); err != nil {
			return nil, bad("key %s: %w", r.KID, err)
		}
	}
	return &s, nil
}
