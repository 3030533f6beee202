package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/status"
)

func beaconVerb(ctx context.Context, t terminal, args []string) error {
	if wantsHelp(t, "beacon", args, "watch", "verify") {
		return nil
	}
	if len(args) > 0 {
		switch args[0] {
		case "verify":
			return beaconVerify(t, args[1:])
		case "watch":
			return beaconWatch(ctx, t, args[1:])
		}
		if !strings.HasPrefix(args[0], "-") {
			return unknownWord("subcommand", args[0], "watch", "verify")
		}
	}
	return misuse("say what to do: watch or verify")
}

// message is a verified message as `beacon verify -json` prints it.
type message struct {
	Kind       string   `json:"kind"`
	Gateway    string   `json:"gateway"`
	Alg        string   `json:"alg"`
	Time       string   `json:"time,omitempty"`
	Seconds    *uint32  `json:"seconds,omitempty"`
	Nanos      *uint32  `json:"nanoseconds,omitempty"`
	MaxError   *float64 `json:"max_error_seconds,omitempty"`
	Epoch      string   `json:"epoch,omitempty"`
	Sequence   *uint32  `json:"sequence,omitempty"`
	State      string   `json:"state,omitempty"`
	Stratum    *uint8   `json:"stratum,omitempty"`
	Leap       *int8    `json:"leap,omitempty"`
	TAIOffset  *uint8   `json:"tai_offset,omitempty"`
	NextIn     *uint16  `json:"next_in_seconds,omitempty"`
	Serial     *uint32  `json:"serial,omitempty"`
	NotBefore  *uint32  `json:"not_before,omitempty"`
	NotAfter   *uint32  `json:"not_after,omitempty"`
	OnlineKID  string   `json:"online_kid,omitempty"`
	OnlineKey  string   `json:"online_public,omitempty"`
	Verdict    string   `json:"verdict"`
	ReasonWord string   `json:"reason,omitempty"`
}

func beaconVerify(t terminal, args []string) error {
	f := newFlags(t, "beacon verify")
	key := f.String("key", "", "the public key as `HEX`: the online key for a beacon, the root's for a delegation")
	gateway := f.String("gateway", "", "the gateway's `ID`")
	asJSON := f.Bool("json", false, "print the message decoded")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	if *key == "" || *gateway == "" {
		return f.misuse("-key and -gateway are needed")
	}
	if !configs.ValidName(*gateway) {
		return f.misuse("%q is not a gateway's id; use 1 to 16 characters of a–z, 0–9 and -", *gateway)
	}
	pub, err := parsePublic(*key)
	if err != nil {
		return f.misuse("-key: %v", err)
	}
	// Who waits at a terminal may leave: nothing has to be tidied up.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	msg, err := readHex(t.in)
	if err != nil {
		return err
	}
	m, err := verifyMessage(msg, pub, *gateway)
	if *asJSON {
		if printErr := printJSON(t.out, m); printErr != nil {
			return printErr
		}
	} else if err == nil {
		fmt.Fprintln(t.out, m.text())
	}
	if err != nil {
		return exit(exitFailed, "not accepted: %w", err)
	}
	return nil
}

func parsePublic(text string) (*beacon.PublicKey, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("a public key is 64 hex digits (Ed25519) or 130 (P-256), as ntsgw keys prints it")
	}
	alg := beacon.Ed25519
	if len(raw) == 65 {
		alg = beacon.ES256
	}
	return beacon.NewPublicKey(alg, raw)
}

// readHex reads one message in hex; white space does not count.
func readHex(r io.Reader) ([]byte, error) {
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(r), most))
	if err != nil {
		return nil, err
	}
	msg, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return nil, exit(exitFailed, "not accepted: standard input is not one message in hex: %w", err)
	}
	return msg, nil
}

// verifyMessage takes msg for a beacon, and when it is of another kind for a delegation.
func verifyMessage(msg []byte, pub *beacon.PublicKey, gateway string) (message, error) {
	m := message{Gateway: gateway, Alg: pub.Alg().String(), Kind: "beacon", Verdict: "accepted"}
	b, err := beacon.VerifyBeacon(msg, pub, gateway)
	if err == nil {
		m.fill(&b.Statement)
		m.Sequence, m.NextIn = &b.Sequence, &b.NextIn
		return m, nil
	}
	d, keyErr := beacon.VerifyDelegation(msg, pub, gateway)
	if keyErr == nil {
		kid := d.Key.KID()
		m.Kind, m.Serial, m.NotBefore, m.NotAfter = "key", &d.Serial, &d.NotBefore, &d.NotAfter
		m.OnlineKID, m.OnlineKey = hex.EncodeToString(kid[:]), hex.EncodeToString(d.Key.Bytes())
		return m, nil
	}
	// The refusal that came later in the checks says more.
	if beacon.ReasonOf(err) == beacon.ReasonBadSignature && beacon.ReasonOf(keyErr) != beacon.ReasonBadSignature {
		err = keyErr
	}
	return message{Gateway: gateway, Alg: m.Alg, Kind: "unknown", Verdict: "refused", ReasonWord: string(beacon.ReasonOf(err))}, err
}

func (m *message) fill(s *beacon.Statement) {
	e, leap := s.MaxError.Seconds(), int8(s.Leap)
	m.Time = s.UTC().Format("2006-01-02T15:04:05.000000000Z")
	m.Seconds, m.Nanos, m.MaxError = &s.Seconds, &s.Nanos, &e
	m.Epoch, m.State = hex.EncodeToString(s.Epoch[:]), s.State.String()
	m.Stratum, m.Leap, m.TAIOffset = &s.Stratum, &leap, &s.TAIOffset
}

func (m *message) text() string {
	if m.Kind == "key" {
		return fmt.Sprintf("delegation ok: gateway %s, serial %d, %s key %s, from %s to %s", m.Gateway, *m.Serial, m.Alg, m.OnlineKID,
			time.Unix(int64(*m.NotBefore), 0).UTC().Format(time.RFC3339), time.Unix(int64(*m.NotAfter), 0).UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("beacon ok: gateway %s, %s ± %s, %s, stratum %d, sequence %d", m.Gateway, m.Time, status.Bound(*m.MaxError), m.State, *m.Stratum, *m.Sequence)
}
