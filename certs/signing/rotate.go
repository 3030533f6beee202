package signing

import (
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/durable"
)

// Renew sees to it that every algorithm has a current online key whose delegation covers now and
// is not past half of its validity. It is cheap when nothing is to be done, and is meant to be
// called before every beacon; now must be the gateway's proved time. It reports whether the
// current keys changed, by itself or because another process rotated them.
//
// It waits a second at most for another process that changes the keys, and fails then: the present
// ones stay, and the next beacon tries again.
//
// With the root elsewhere it takes the next delegation of the batch that was imported; when there
// is none it keeps what there is (Warnings tells).
func (s *Store) Renew(now time.Time) (changed bool, err error) {
	s.mu.Lock()
	before := s.stamp
	err = s.refresh()
	changed, due := s.stamp != before, err == nil && s.due(now)
	s.mu.Unlock()
	if !due {
		return changed, err
	}
	err = s.change(renewPatience, func() (err error) {
		if s.due(now) { // another process may have done it meanwhile
			if s.st.RootAway {
				_, err = s.takeNext(now)
			} else {
				err = s.rotate(now)
			}
		}
		changed = s.stamp != before
		return err
	})
	return changed, err
}

// Rotate makes new online keys and erases the old ones' secret halves, whatever their age.
func (s *Store) Rotate(now time.Time) error {
	return s.change(durable.Patience, func() error { return s.rotateNow(now) })
}

func (s *Store) rotateNow(now time.Time) error {
	if s.st.RootAway {
		if took, err := s.takeNext(now); took || err != nil {
			return err
		}
		text := "the root is kept elsewhere and no delegation is at hand"
		if next := s.nextBegins(); next != 0 {
			text = "the root is kept elsewhere, and the next delegation at hand begins on " + time.Unix(next, 0).UTC().Format(time.RFC3339)
		}
		return &Error{Path: s.path(stateFile), Why: WhyRootAway, Text: text, Fix: "make a batch where the root is: ntsgw keys delegate"}
	}
	return s.rotate(now)
}

// nextBegins is when the first imported delegation that waits begins, UTC seconds; 0: none waits.
func (s *Store) nextBegins() (begins int64) {
	for i := range s.st.Keys {
		if r := &s.st.Keys[i]; r.Role == RoleOnline && r.State == StateNext && r.Delegation != "" && (begins == 0 || int64(r.NotBefore) < begins) {
			begins = int64(r.NotBefore)
		}
	}
	return begins
}

// due reports whether the online keys must be replaced.
func (s *Store) due(now time.Time) bool {
	if s.restored != 0 {
		return true
	}
	t := now.Unix()
	for _, alg := range s.o.Algorithms {
		r := s.st.find(RoleOnline, alg, StateCurrent)
		if r == nil || r.Delegation == "" {
			return true
		}
		// The middle of the validity; a delegation that begins later than now was made by a clock
		// that was ahead.
		if t >= (int64(r.NotBefore)+int64(r.NotAfter))/2 || t < int64(r.NotBefore) {
			return true
		}
	}
	return false
}

// rotate gives every algorithm a new online key under one new serial.
func (s *Store) rotate(now time.Time) (err error) {
	defer func() {
		if err != nil {
			s.discard()
		}
	}()
	from, to := now.Add(-backdate).Unix(), now.Add(s.o.Validity).Unix()
	if from < 0 || to > math.MaxUint32 {
		return &Error{Path: s.path(stateFile), Why: WhyTime, Text: fmt.Sprintf("a key valid at %v can't be delegated", now.UTC())}
	}
	serial := max(s.st.Serial, s.restored)
	if serial == math.MaxUint32 {
		return &Error{Path: s.path(stateFile), Why: WhyBad, Text: "all serials are used up", Fix: "make a new root and enrol every node again"}
	}
	serial++
	fresh := *s.st
	fresh.Keys = append([]record(nil), s.st.Keys...)
	fresh.Serial = serial
	online := map[beacon.Alg]*beacon.SigningKey{}
	for _, alg := range s.o.Algorithms {
		root := s.roots[alg]
		if root == nil {
			return &Error{Path: s.path(rootName(alg)), Why: WhyMissing, Text: "is missing", Fix: "restore it from the backup"}
		}
		// The key that was made at the first start has signed nothing: it is delegated as it is.
		r := fresh.find(RoleOnline, alg, StateCurrent)
		key := s.online[alg]
		if r == nil || r.Serial != 0 || r.Delegation != "" {
			if key, err = beacon.GenerateSigningKey(alg, s.o.Random); err != nil {
				return err
			}
			if r != nil {
				r.State = StateRetired
			}
			fresh.Keys = append(fresh.Keys, newRecord(RoleOnline, key.Public()))
			r = &fresh.Keys[len(fresh.Keys)-1]
			if err := writeKey(s.path(onlineName(r.KID)), key); err != nil {
				return fmt.Errorf("keep the online key: %w", err)
			}
		}
		d := beacon.Delegation{Key: key.Public(), Serial: serial, NotBefore: uint32(from), NotAfter: uint32(to)}
		msg, err := d.AppendSigned(nil, root, fresh.Gateway)
		if err != nil {
			return err
		}
		r.Serial, r.NotBefore, r.NotAfter, r.Delegation = serial, d.NotBefore, d.NotAfter, hex.EncodeToString(msg)
		online[alg] = key
	}
	return s.adopt(&fresh, online)
}

// adopt makes a prepared state the present one; the secrets that it no longer uses are erased.
func (s *Store) adopt(fresh *state, online map[beacon.Alg]*beacon.SigningKey) error {
	old, oldOnline := s.st, s.online
	s.st, s.online = fresh, online
	if err := s.save(); err != nil {
		s.st, s.online = old, oldOnline
		return err
	}
	for alg, k := range oldOnline {
		if online[alg] != k {
			k.Erase()
		}
	}
	s.restored = 0
	return nil
}

// Observe takes a delegation that was seen on a broker. One of our own root's with a higher serial
// than ours means that an old backup was restored: the next Renew goes beyond it. It reports
// whether that is so. Anything else changes nothing.
func (s *Store) Observe(msg []byte) (behind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, alg := range s.o.Algorithms {
		r := s.st.find(RoleRoot, alg, StateCurrent)
		if r == nil {
			continue
		}
		pub, err := r.public()
		if err != nil {
			continue
		}
		d, err := beacon.VerifyDelegation(msg, pub, s.st.Gateway)
		if err == nil && d.Serial > max(s.st.Serial, s.restored) {
			s.restored = d.Serial
			return true
		}
	}
	return false
}
