package signing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/durable"
)

// wanted is what the gateway writes for the place where the root is: public keys to delegate.
type wanted struct {
	Version int      `json:"version"`
	Gateway string   `json:"gateway"`
	Serial  uint32   `json:"serial"` // the highest that was used
	Rounds  [][]want `json:"rounds"` // one a rotation; one key an algorithm in each
}

type want struct {
	Alg    string `json:"alg"`
	Public string `json:"public"`
}

// batch is what comes back: delegations, one list a rotation.
type batch struct {
	Version     int        `json:"version"`
	Gateway     string     `json:"gateway"`
	Delegations [][]string `json:"delegations"` // hex
}

// TakeRootAway copies the root keys into a new file (PEM, mode 0600) and erases them here: from
// then on online keys are delegated in batches. Nothing is erased before the copy is on the disk.
func (s *Store) TakeRootAway(path string) error {
	return s.change(durable.Patience, func() error { return s.takeRootAway(path) })
}

func (s *Store) takeRootAway(path string) error {
	if s.st.RootAway {
		return &Error{Path: s.path(stateFile), Why: WhyRootAway, Text: "the root is kept elsewhere already"}
	}
	var all []byte
	for _, alg := range slices.Sorted(maps.Keys(s.roots)) { // one that is no longer configured, too: all are erased
		b, err := encodeKey(s.roots[alg])
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy the root: %w", err)
	}
	_, err = f.Write(all)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = durable.SyncDir(filepath.Dir(path)) // its name, too, before the root goes here
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("copy the root: %w", err)
	}
	return s.forgetRoots()
}

func (s *Store) forgetRoots() error {
	fresh := *s.st
	fresh.RootAway = true
	old := s.st
	s.st = &fresh
	if err := s.save(); err != nil {
		s.st = old
		return err
	}
	for alg, k := range s.roots {
		if err := erase(s.path(rootName(alg))); err != nil {
			return fmt.Errorf("erase the root: %w", err)
		}
		k.Erase()
	}
	s.roots = map[beacon.Alg]*beacon.SigningKey{}
	return nil
}

// Want returns what must be carried to the root, a JSON file without secrets: n rounds of online keys
// for coming rotations. Those that were listed before and wait for their delegations come first, so
// that a batch for any of these lists can be imported; what is missing is made.
func (s *Store) Want(n int) (list []byte, err error) {
	if n < 1 || n > 100 {
		return nil, fmt.Errorf("a batch has 1 to 100 rotations, not %d", n)
	}
	err = s.change(durable.Patience, func() (err error) {
		list, err = s.want(n)
		return err
	})
	return list, err
}

func (s *Store) want(n int) (list []byte, err error) {
	defer func() {
		if err != nil {
			s.discard()
		}
	}()
	fresh := *s.st
	fresh.Keys = nil
	waiting := map[string][]record{}
	for _, r := range s.st.Keys {
		if r.State == StateNext && r.Delegation == "" {
			if !s.canSign(&r) {
				continue // of an algorithm that is no longer configured, or its file is lost
			}
			waiting[r.Alg] = append(waiting[r.Alg], r)
		}
		fresh.Keys = append(fresh.Keys, r)
	}
	w := wanted{Version: 1, Gateway: fresh.Gateway, Serial: max(fresh.highest(), s.restored)}
	for i := range n {
		var round []want
		for _, alg := range s.o.Algorithms {
			if old := waiting[alg.String()]; i < len(old) {
				round = append(round, want{old[i].Alg, old[i].Public})
				continue
			}
			k, err := beacon.GenerateSigningKey(alg, s.o.Random)
			if err != nil {
				return nil, err
			}
			r := newRecord(RoleOnline, k.Public())
			r.State = StateNext
			if err := writeKey(s.path(onlineName(r.KID)), k); err != nil {
				return nil, fmt.Errorf("keep an online key: %w", err)
			}
			fresh.Keys = append(fresh.Keys, r)
			round = append(round, want{r.Alg, r.Public})
		}
		w.Rounds = append(w.Rounds, round)
	}
	if err := s.adoptKeeping(&fresh); err != nil {
		return nil, err
	}
	return json.MarshalIndent(w, "", "  ")
}

// canSign reports whether a waiting key's secret half is there and of use.
func (s *Store) canSign(r *record) bool {
	alg, err := beacon.ParseAlg(r.Alg)
	if err != nil || !slices.Contains(s.o.Algorithms, alg) {
		return false
	}
	_, err = s.loadKey(r, alg)
	return err == nil
}

// highest is the highest serial that was used or is delegated.
func (s *state) highest() uint32 {
	high := s.Serial
	for i := range s.Keys {
		high = max(high, s.Keys[i].Serial)
	}
	return high
}

// adoptKeeping is adopt when the current keys stay.
func (s *Store) adoptKeeping(fresh *state) error {
	restored := s.restored
	if err := s.adopt(fresh, s.online); err != nil {
		return err
	}
	s.restored = restored
	return nil
}

// Delegate signs what Want wrote, where the root is. The first rotation begins at start, each
// holds for validity, and the next one begins at its half. rootPEM is what TakeRootAway wrote.
func Delegate(rootPEM, wantedJSON []byte, start time.Time, validity time.Duration) ([]byte, error) {
	var w wanted
	dec := json.NewDecoder(bytes.NewReader(wantedJSON))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil || w.Version != 1 || !beacon.ValidName(w.Gateway) {
		return nil, fmt.Errorf("the list of wanted keys is not what ntsgw wrote: %w", errors.Join(err, errVersion(w.Version)))
	}
	if validity < time.Hour {
		return nil, fmt.Errorf("a validity of %v is too short", validity)
	}
	roots, err := decodeRoots(rootPEM)
	if err != nil {
		return nil, err
	}
	out := batch{Version: 1, Gateway: w.Gateway}
	for i, round := range w.Rounds {
		from := start.Add(time.Duration(i) * (validity / 2))
		nb, na := from.Add(-backdate).Unix(), from.Add(validity).Unix()
		if nb < 0 || na > math.MaxUint32 || uint64(w.Serial)+uint64(i)+1 > math.MaxUint32 {
			return nil, fmt.Errorf("rotation %d from %v can't be expressed", i+1, from.UTC())
		}
		var msgs []string
		for _, k := range round {
			alg, err := beacon.ParseAlg(k.Alg)
			if err != nil {
				return nil, err
			}
			public, err := hex.DecodeString(k.Public)
			if err != nil {
				return nil, fmt.Errorf("a wanted key: %w", err)
			}
			pub, err := beacon.NewPublicKey(alg, public)
			if err != nil {
				return nil, fmt.Errorf("a wanted key: %w", err)
			}
			root := roots[alg]
			if root == nil {
				return nil, fmt.Errorf("there is no %v root in the file", alg)
			}
			d := beacon.Delegation{Key: pub, Serial: w.Serial + uint32(i) + 1, NotBefore: uint32(nb), NotAfter: uint32(na)}
			msg, err := d.AppendSigned(nil, root, w.Gateway)
			if err != nil {
				return nil, err
			}
			msgs = append(msgs, hex.EncodeToString(msg))
		}
		out.Delegations = append(out.Delegations, msgs)
	}
	return json.MarshalIndent(out, "", "  ")
}

func errVersion(v int) error {
	if v == 1 {
		return nil
	}
	return fmt.Errorf("version %d", v)
}

// Import takes a batch of delegations. All of it must verify under our roots and be for keys that
// Want made, with serials beyond ours; else nothing changes.
func (s *Store) Import(batchJSON []byte) (rotations int, err error) {
	err = s.change(durable.Patience, func() (err error) {
		rotations, err = s.take(batchJSON)
		return err
	})
	return rotations, err
}

func (s *Store) take(batchJSON []byte) (rotations int, err error) {
	var b batch
	dec := json.NewDecoder(bytes.NewReader(batchJSON))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil || b.Version != 1 {
		return 0, fmt.Errorf("the batch is not what ntsgw wrote: %w", errors.Join(err, errVersion(b.Version)))
	}
	if b.Gateway != s.st.Gateway {
		return 0, fmt.Errorf("the batch is for gateway %q, not %q", b.Gateway, s.st.Gateway)
	}
	fresh := *s.st
	fresh.Keys = append([]record(nil), s.st.Keys...)
	serial := s.st.highest()
	for _, round := range b.Delegations {
		if len(round) != len(s.o.Algorithms) {
			return 0, errors.New("the batch was made for other algorithms")
		}
		high := serial
		for _, h := range round {
			d, err := s.verifyOwn(h)
			if err != nil {
				return 0, err
			}
			if d.Serial <= serial {
				return 0, fmt.Errorf("the batch repeats serial %d, and %d is at hand already: it, or another for the same keys, was imported; %s", d.Serial, serial, newList)
			}
			high = max(high, d.Serial)
			if err := fresh.attach(d, h); err != nil {
				return 0, err
			}
		}
		serial = high
	}
	return len(b.Delegations), s.adoptKeeping(&fresh)
}

func (s *Store) verifyOwn(h string) (beacon.Delegation, error) {
	msg, err := hex.DecodeString(h)
	if err != nil {
		return beacon.Delegation{}, fmt.Errorf("a delegation of the batch: %w", err)
	}
	var last error = errors.New("no root")
	for _, alg := range s.o.Algorithms {
		r := s.st.find(RoleRoot, alg, StateCurrent)
		if r == nil {
			continue
		}
		pub, err := r.public()
		if err != nil {
			return beacon.Delegation{}, err
		}
		d, err := beacon.VerifyDelegation(msg, pub, s.st.Gateway)
		if err == nil {
			return d, nil
		}
		last = err
	}
	return beacon.Delegation{}, fmt.Errorf("a delegation of the batch is not by our root: %w", last)
}

// newList is what to do when a batch can't be taken.
const newList = "for more, carry a new list to the root: ntsgw keys delegate -want N"

// attach gives a waiting key its delegation.
func (s *state) attach(d beacon.Delegation, h string) error {
	kid := d.Key.KID()
	for i := range s.Keys {
		r := &s.Keys[i]
		if r.Role != RoleOnline || r.KID != hex.EncodeToString(kid[:]) {
			continue
		}
		if r.State == StateNext && r.Delegation == "" {
			r.Serial, r.NotBefore, r.NotAfter, r.Delegation = d.Serial, d.NotBefore, d.NotAfter, h
			return nil
		}
		return fmt.Errorf("the batch delegates key %x, which has a delegation (serial %d) already; %s", kid, r.Serial, newList)
	}
	return fmt.Errorf("the batch delegates key %x, which is not one of this folder's: its list was made elsewhere, or before a backup was restored; %s", kid, newList)
}

// takeNext makes the imported delegation with the highest serial that covers now current, when it
// is newer than the current one. Those that it passes over are retired: nodes may have seen none
// of them, but none may ever come after a higher one.
func (s *Store) takeNext(now time.Time) (bool, error) {
	t := now.Unix()
	best := uint32(0)
	for i := range s.st.Keys {
		r := &s.st.Keys[i]
		if r.Role == RoleOnline && r.State == StateNext && r.Delegation != "" && r.Serial > max(s.st.Serial, s.restored) &&
			int64(r.NotBefore) <= t && t <= int64(r.NotAfter) {
			best = max(best, r.Serial)
		}
	}
	if best == 0 {
		return false, nil
	}
	fresh := *s.st
	fresh.Keys = append([]record(nil), s.st.Keys...)
	fresh.Serial = best
	online := map[beacon.Alg]*beacon.SigningKey{}
	for i := range fresh.Keys {
		r := &fresh.Keys[i]
		if r.Role != RoleOnline {
			continue
		}
		alg, err := beacon.ParseAlg(r.Alg)
		if err != nil {
			return false, err
		}
		switch {
		case r.Serial == best && r.State == StateNext:
			k, err := readKey(s.path(onlineName(r.KID)), alg)
			if err != nil {
				return false, err
			}
			r.State, online[alg] = StateCurrent, k
		case r.State == StateCurrent, r.State == StateNext && r.Delegation != "" && r.Serial < best:
			r.State = StateRetired
		}
	}
	for _, alg := range s.o.Algorithms {
		if online[alg] == nil {
			return false, fmt.Errorf("serial %d was not delegated for %v", best, alg)
		}
	}
	return true, s.adopt(&fresh, online)
}
