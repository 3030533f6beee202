package beacon

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the vectors in testdata again")

// The types below are the form of testdata/vectors.json.
type vectorFile struct {
	Version  int              `json:"version"`
	Gateway  string           `json:"gateway"`
	Node     string           `json:"node"`
	Keys     []vectorKey      `json:"keys"`
	NodeKeys []vectorNodeKeyT `json:"node_keys"`
	Messages []vectorMessage  `json:"messages"`
}

type vectorKey struct {
	Name   string `json:"name"`
	Alg    string `json:"alg"`
	Secret string `json:"secret"`
	Public string `json:"public"`
	KID    string `json:"kid"`
}

type vectorNodeKeyT struct {
	Master       string `json:"master"`
	Gateway      string `json:"gateway"`
	Node         string `json:"node"`
	Generation   uint32 `json:"generation"`
	Key          string `json:"key"`
	MQTTPassword string `json:"mqtt_password"`
}

type vectorMessage struct {
	Name     string         `json:"name"`
	Kind     string         `json:"kind"`
	Key      string         `json:"key"` // a name in keys; "node": the first of node_keys
	Message  string         `json:"message"`
	Reason   string         `json:"reason"` // "": accepted
	Validity *[2]uint32     `json:"validity,omitempty"`
	Fields   map[string]any `json:"fields,omitempty"`
}

// judged is what verifying a vector gave; at most one of the four is set.
type judged struct {
	beacon     *Beacon
	delegation *Delegation
	request    *Request
	response   *Response
}

func judge(t testing.TB, c vectorCase) (judged, error) {
	keys := vectorKeys(t)
	switch c.kind {
	case KindBeacon:
		m, err := VerifyBeacon(c.msg, keys[c.key].Public(), vectorGateway)
		if err == nil && c.validity != [2]uint32{} {
			d := Delegation{NotBefore: c.validity[0], NotAfter: c.validity[1]}
			if !d.Covers(&m.Statement) {
				err = refuse(ReasonOutsideValidity, "")
			}
		}
		return judged{beacon: &m}, err
	case KindDelegation:
		m, err := VerifyDelegation(c.msg, keys[c.key].Public(), vectorGateway)
		return judged{delegation: &m}, err
	case KindRequest:
		m, err := OpenRequest(c.msg, vectorNodeKey(t, vectorGateway, vectorNode, 1))
		return judged{request: &m}, err
	}
	m, err := OpenResponse(c.msg, vectorNodeKey(t, vectorGateway, vectorNode, 1))
	return judged{response: &m}, err
}

func (j judged) fields() map[string]any {
	m := map[string]any{}
	put := func(s *Statement) {
		m["seconds"], m["nanoseconds"] = s.Seconds, s.Nanos
		m["error_seconds"], m["error_nanoseconds"] = int64(s.MaxError/time.Second), int64(s.MaxError%time.Second)
		m["epoch"], m["state"], m["stratum"] = hex.EncodeToString(s.Epoch[:]), int(s.State)-1, s.Stratum
		m["leap"], m["tai_offset"] = s.Leap, s.TAIOffset
	}
	switch {
	case j.beacon != nil:
		put(&j.beacon.Statement)
		m["sequence"], m["next"] = j.beacon.Sequence, j.beacon.NextIn
	case j.response != nil:
		put(&j.response.Statement)
		m["nonce"], m["turnaround"], m["serial"] = hex.EncodeToString(j.response.Nonce[:]), int64(j.response.Turnaround), j.response.Serial
	case j.request != nil:
		m["nonce"] = hex.EncodeToString(j.request.Nonce[:])
		if j.request.HasHalfWidth {
			m["half_width"] = j.request.HalfWidth
		}
	case j.delegation != nil:
		d := j.delegation
		m["public"], m["serial"] = hex.EncodeToString(d.Key.Bytes()), d.Serial
		m["not_before"], m["not_after"] = d.NotBefore, d.NotAfter
	}
	return m
}

func buildVectors(t testing.TB) vectorFile {
	f := vectorFile{Version: 1, Gateway: vectorGateway, Node: vectorNode}
	keys := vectorKeys(t)
	for _, name := range []string{"root-ed25519", "online-ed25519", "other-ed25519", "root-es256", "online-es256"} {
		k := keys[name]
		kid := k.pub.KID()
		f.Keys = append(f.Keys, vectorKey{name, k.pub.alg.String(), hex.EncodeToString(k.Secret()),
			hex.EncodeToString(k.pub.raw), hex.EncodeToString(kid[:])})
	}
	for _, n := range []struct {
		gateway, node string
		generation    uint32
	}{{vectorGateway, vectorNode, 1}, {vectorGateway, vectorNode, 2}, {vectorGateway, "node-8", 1}, {"gw2", vectorNode, 1}, {strings.Repeat("g", 16), strings.Repeat("n", 16), 1<<32 - 1}} {
		key := NodeKey(secret(0x66), n.gateway, n.node, n.generation)
		f.NodeKeys = append(f.NodeKeys, vectorNodeKeyT{hex.EncodeToString(secret(0x66)), n.gateway, n.node, n.generation,
			hex.EncodeToString(key[:]), MQTTPassword(secret(0x66), n.gateway, n.node, n.generation)})
	}
	for _, c := range vectorCases(t) {
		m := vectorMessage{Name: c.name, Kind: c.kind.String(), Key: c.key, Message: hex.EncodeToString(c.msg), Reason: string(c.reason)}
		if c.validity != [2]uint32{} {
			m.Validity = &c.validity
		}
		if c.reason == "" {
			j, err := judge(t, c)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			m.Fields = j.fields()
		}
		f.Messages = append(f.Messages, m)
	}
	return f
}

func TestVectors(t *testing.T) {
	names := map[string]bool{}
	for _, c := range vectorCases(t) {
		if names[c.name] {
			t.Errorf("%s: there are two of that name", c.name)
		}
		names[c.name] = true
		_, err := judge(t, c)
		if got := ReasonOf(err); got != c.reason || (err != nil && got == "") {
			t.Errorf("%s: %v; want %q", c.name, err, c.reason)
		}
	}
	f := buildVectors(t)
	j, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "vectors.json", append(j, '\n'))
	golden(t, "vectors.h", vectorHeader(f))
}

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name string, want []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code makes now; if that is wanted: go test ./downstream/beacon -run %s -update", path, t.Name())
	}
}

// vectorHeader writes the same for C99: one struct a message, absent fields 0.
func vectorHeader(f vectorFile) []byte {
	var b bytes.Buffer
	b.WriteString(`/* Test vectors of the beacon protocol, version 1. Made by: go test ./downstream/beacon -run TestVectors -update
 * The same as vectors.json, for C99. See README.md beside it. */
#ifndef NTSGW_VECTORS_H
#define NTSGW_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#define VECTOR_BEACON 1
#define VECTOR_KEY 2
#define VECTOR_REQUEST 3
#define VECTOR_RESPONSE 4

struct vector_key {
  const char *name;
  int alg;             /* COSE: -19 Ed25519, -9 ES256 */
  const char *secret;  /* hex, 32 bytes */
  const char *public_; /* hex, 32 bytes or the 65-byte point */
  const char *kid;     /* hex, 8 bytes */
};

struct vector_node_key {
  const char *master; /* hex */
  const char *gateway;
  const char *node;
  uint32_t generation;
  const char *key; /* hex, 32 bytes */
  const char *mqtt_password;
};

struct vector_message {
  const char *name;
  int kind;
  int key;             /* index of the vector_keys entry that judges it; -1: vector_node_keys[0] */
  const char *message; /* hex */
  const char *reason;  /* "" when it is to be accepted */
  uint32_t not_before, not_after; /* of a beacon's key, and of a delegation; 0, 0: not asked */
  /* Only where accepted: */
  uint32_t seconds, nanoseconds, error_seconds, error_nanoseconds;
  const char *epoch; /* hex, 8 bytes; "" when absent */
  int state, stratum, leap, tai_offset;
  uint32_t sequence, next;
  const char *nonce; /* hex, 16 bytes; "" when absent */
  uint32_t turnaround, serial;
  uint32_t half_width;
  int has_half_width;
  const char *public_; /* the delegated key, hex; "" when absent */
};

`)
	fmt.Fprintf(&b, "#define VECTOR_GATEWAY %q\n#define VECTOR_NODE %q\n\n", f.Gateway, f.Node)
	index := map[string]int{"node": -1}
	b.WriteString("static const struct vector_key vector_keys[] = {\n")
	for i, k := range f.Keys {
		index[k.Name] = i
		alg, _ := ParseAlg(k.Alg)
		fmt.Fprintf(&b, "  {%q, %d, %q,\n   %q, %q},\n", k.Name, int(alg), k.Secret, k.Public, k.KID)
	}
	b.WriteString("};\n\nstatic const struct vector_node_key vector_node_keys[] = {\n")
	for _, k := range f.NodeKeys {
		fmt.Fprintf(&b, "  {%q, %q, %q, %dU,\n   %q, %q},\n", k.Master, k.Gateway, k.Node, k.Generation, k.Key, k.MQTTPassword)
	}
	b.WriteString("};\n\nstatic const struct vector_message vector_messages[] = {\n")
	kinds := map[string]string{"beacon": "VECTOR_BEACON", "key": "VECTOR_KEY", "req": "VECTOR_REQUEST", "resp": "VECTOR_RESPONSE"}
	for _, m := range f.Messages {
		fmt.Fprintf(&b, "  {.name = %q, .kind = %s, .key = %d, .reason = %q, .message =\n   %q", m.Name, kinds[m.Kind], index[m.Key], m.Reason, m.Message)
		text := map[string]string{"epoch": "", "nonce": "", "public": ""}
		for _, k := range []string{"seconds", "nanoseconds", "error_seconds", "error_nanoseconds", "state", "stratum", "leap", "tai_offset", "sequence", "next", "turnaround", "serial", "half_width", "not_before", "not_after"} {
			if v, ok := m.Fields[k]; ok {
				s := fmt.Sprintf("%d", v)
				if !strings.HasPrefix(s, "-") && k != "state" && k != "stratum" && k != "leap" && k != "tai_offset" {
					s += "U"
				}
				fmt.Fprintf(&b, ",\n   .%s = %s", k, s)
				if k == "half_width" {
					b.WriteString(", .has_half_width = 1")
				}
			}
		}
		if m.Validity != nil {
			fmt.Fprintf(&b, ",\n   .not_before = %dU, .not_after = %dU", m.Validity[0], m.Validity[1])
		}
		for _, k := range []string{"epoch", "nonce", "public"} {
			if v, ok := m.Fields[k]; ok {
				text[k] = v.(string)
			}
		}
		fmt.Fprintf(&b, ",\n   .epoch = %q, .nonce = %q, .public_ = %q},\n", text["epoch"], text["nonce"], text["public"])
	}
	b.WriteString("};\n\n#endif\n")
	return b.Bytes()
}
