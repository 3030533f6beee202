package signing

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/durable"
)

const (
	stateFile = "keys.json"
	lockFile  = "keys.lock"

	// renewPatience is for how long a beacon waits for another process that changes the keys.
	renewPatience = time.Second

	// DefaultValidity is how long a delegation holds; it is renewed at half.
	DefaultValidity = 30 * 24 * time.Hour
	// backdate lets a key cover times a little before its delegation: the first beacons' t is the
	// timeline's, and a timeline may turn out to be ahead.
	backdate = time.Hour
)

// Options is what a Store works with.
type Options struct {
	Dir        string        // of the key files; made when missing, mode 0700
	MarkFile   string        // remembers the highest serial outside Dir; empty: Dir + ".serial"
	Gateway    string        // empty: the one kept, or derived from Host and the first root
	Host       string        // the host's name, for that
	Algorithms []beacon.Alg  // none: Ed25519
	Validity   time.Duration // of delegations; 0: DefaultValidity
	Random     io.Reader     // nil: crypto/rand

	RootAway    bool // the root was taken away by hand: its files need not be here any more
	ReplaceLost bool // an online key whose file is missing is given up and a new one made
	Look        bool // nothing is made or changed by Open, which fails where there are no keys yet
}

// Store holds the keys of one gateway. See the package for its concurrency.
type Store struct {
	o Options

	mu       sync.Mutex
	st       *state
	stamp    fileStamp
	roots    map[beacon.Alg]*beacon.SigningKey // none while the root is kept elsewhere
	online   map[beacon.Alg]*beacon.SigningKey
	restored uint32 // the serial by which an old backup was noticed; 0: none was
}

type fileStamp struct {
	mod  time.Time
	size int64
	ino  uint64
}

// Open reads the keys, or makes them at the first start: a root and an online key an algorithm.
// Delegations need to know the time: Renew makes them. A key file that is missing, unreadable or
// readable by others is refused with an *Error that names it and the cure.
//
// With Look the name and the keys are those that are there, one of a configured algorithm at least.
func Open(o Options) (*Store, error) {
	if len(o.Algorithms) == 0 {
		o.Algorithms = []beacon.Alg{beacon.Ed25519}
	}
	if o.Validity == 0 {
		o.Validity = DefaultValidity
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.MarkFile == "" {
		o.MarkFile = strings.TrimRight(o.Dir, "/") + ".serial"
	}
	if o.Gateway != "" && !beacon.ValidName(o.Gateway) {
		return nil, fmt.Errorf("gateway id %q: 1 to 16 characters of a–z, 0–9 and - are needed", o.Gateway)
	}
	if o.Validity < time.Hour || o.Validity > math.MaxUint32*time.Second {
		return nil, fmt.Errorf("a delegation's validity of %v is not possible", o.Validity)
	}
	s := &Store{o: o}
	if o.Look {
		if s.isMissing() {
			return nil, s.firstStart()
		}
	} else if err := durable.MakeFolder(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the signing keys: %w", err)
	}
	unlock, err := s.lock(durable.Patience)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	read := s.load
	if s.isMissing() {
		read = s.begin
	}
	if err := read(); err != nil {
		return nil, err
	}
	if o.Look {
		return s, s.hasRoot()
	}
	return s, s.complete()
}

// hasRoot returns why nothing can be seen: the first start was cut short, or is still to come for the
// algorithms that are configured now.
func (s *Store) hasRoot() error {
	for _, alg := range s.o.Algorithms {
		if s.st.find(RoleRoot, alg, StateCurrent) != nil {
			return nil
		}
	}
	return s.noKeys()
}

func (s *Store) noKeys() error {
	return &Error{Why: WhyMissing, Text: "there are no keys in " + s.o.Dir + " yet", Fix: "start the gateway, or enrol a node"}
}

func (s *Store) isMissing() bool {
	_, err := os.Stat(s.path(stateFile))
	return errors.Is(err, fs.ErrNotExist)
}

func (s *Store) path(name string) string { return filepath.Join(s.o.Dir, name) }

func (s *Store) lock(limit time.Duration) (func(), error) {
	unlock, err := durable.LockWithin(s.path(lockFile), limit)
	if err != nil {
		return nil, fmt.Errorf("lock the signing keys: %w", err)
	}
	return unlock, nil
}

// change lets f change the newest state under the lock that all processes share. That comes before
// s.mu, which readers wait for: who holds the lock may have been stopped.
func (s *Store) change(limit time.Duration, f func() error) error {
	unlock, err := s.lock(limit)
	if err != nil {
		return err
	}
	defer unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return err
	}
	return f()
}

func rootName(alg beacon.Alg) string { return "root-" + strings.ToLower(alg.String()) + ".key" }
func onlineName(kid string) string   { return "online-" + kid + ".key" }

// load reads everything from the disk. When it fails, what was known before stays.
func (s *Store) load() error {
	path := s.path(stateFile)
	stamp, err := stampOf(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{Path: path, Why: WhyMissing, Text: "is missing", Fix: "restore the whole folder from one backup"}
	}
	if err != nil {
		return &Error{Path: path, Why: WhyUnreadable, Text: "can't be read", Fix: "chown it to the user that ntsgw runs as", Err: err}
	}
	b, err := readPrivate(path)
	if err != nil {
		return err
	}
	st, err := decodeState(path, b)
	if err != nil {
		return err
	}
	st.RootAway = st.RootAway || s.o.RootAway
	roots, online := map[beacon.Alg]*beacon.SigningKey{}, map[beacon.Alg]*beacon.SigningKey{}
	for i := range st.Keys {
		r := &st.Keys[i]
		if r.State != StateCurrent || (r.Role == RoleRoot && st.RootAway) {
			continue
		}
		alg, _ := beacon.ParseAlg(r.Alg) // decodeState has seen to it
		k, err := s.loadKey(r, alg)
		if e := new(Error); errors.As(err, &e) && e.Why == WhyMissing && r.Role == RoleOnline && s.o.ReplaceLost {
			r.State = StateRetired
			continue
		}
		if err != nil {
			return err
		}
		if r.Role == RoleRoot {
			roots[alg] = k
		} else {
			online[alg] = k
		}
	}
	mark, err := s.mark()
	if err != nil {
		return err
	}
	for alg, old := range s.online { // another process rotated: what it erased on the disk goes here, too
		if k := online[alg]; k == nil || !k.Public().Equal(old.Public()) {
			old.Erase()
		} else {
			online[alg] = old
		}
	}
	s.st, s.stamp, s.roots, s.online = st, stamp, roots, online
	if s.restored <= st.Serial {
		s.restored = 0
	}
	if mark > max(st.Serial, s.restored) { // an old backup: a higher serial than its own was used already
		s.restored = mark
	}
	return nil
}

// loadKey reads the secret half of a current key.
func (s *Store) loadKey(r *record, alg beacon.Alg) (*beacon.SigningKey, error) {
	file := s.path(onlineName(r.KID))
	fix := "restore the whole folder from one backup, or make a new key: ntsgw keys rotate -lost"
	if r.Role == RoleRoot {
		file = s.path(rootName(alg))
		fix = "restore it from the backup (a root is moved elsewhere with: ntsgw keys delegate -away FILE)"
	}
	k, err := readKey(file, alg)
	if e := new(Error); errors.As(err, &e) && e.Why == WhyMissing {
		e.Fix = fix
	}
	if err != nil {
		return nil, err
	}
	if kid := k.Public().KID(); hex.EncodeToString(kid[:]) != r.KID {
		return nil, &Error{Path: file, Why: WhyBad, Text: "is another key than " + stateFile + " lists (" + r.KID + ")",
			Fix: "restore the whole folder from one backup"}
	}
	return k, nil
}

// begin is load at the first start, when there is nothing yet. A running gateway never begins anew,
// nor does one whose serials were used: its nodes know another root.
func (s *Store) begin() error {
	if err := s.firstStart(); err != nil {
		return err
	}
	s.st = &state{Version: 1}
	s.roots, s.online = map[beacon.Alg]*beacon.SigningKey{}, map[beacon.Alg]*beacon.SigningKey{}
	// Written before the first key: keys that it does not name are then those of a first start that
	// was interrupted, which nobody was enrolled with.
	return s.save()
}

// firstStart returns why the list that is missing can't be begun.
func (s *Store) firstStart() error {
	path := s.path(stateFile)
	names, err := filepath.Glob(s.path("*.key"))
	if err != nil {
		return err
	}
	mark, err := s.mark()
	if err != nil {
		return err
	}
	fix := "restore the whole folder from one backup, or empty it, remove " + s.o.MarkFile + " and enrol every node again"
	switch {
	case len(names) != 0:
		return &Error{Path: path, Why: WhyMissing, Text: "is missing, but there are keys", Fix: fix}
	case mark != 0:
		return &Error{Path: path, Why: WhyMissing, Text: fmt.Sprintf("is missing, but keys up to serial %d were used", mark), Fix: fix}
	case s.o.Look:
		return s.noKeys()
	}
	return nil
}

// complete makes what is missing of the configured algorithms and gives the gateway its name.
func (s *Store) complete() error {
	changed := s.o.RootAway || s.o.ReplaceLost
	for _, alg := range s.o.Algorithms {
		if s.st.find(RoleRoot, alg, StateCurrent) == nil {
			if s.st.RootAway {
				return &Error{Path: s.path(rootName(alg)), Why: WhyRootAway, Text: "there is no root of " + alg.String() + ", and roots are kept elsewhere",
					Fix: "put the other roots back before a new one is made"}
			}
			k, err := beacon.GenerateSigningKey(alg, s.o.Random)
			if err != nil {
				return err
			}
			if err := writeKey(s.path(rootName(alg)), k); err != nil {
				return fmt.Errorf("keep the root key: %w", err)
			}
			s.roots[alg] = k
			s.st.Keys = append(s.st.Keys, newRecord(RoleRoot, k.Public()))
			changed = true
		}
		if s.st.find(RoleOnline, alg, StateCurrent) == nil && !s.st.RootAway {
			if err := s.newOnline(alg); err != nil {
				return err
			}
			changed = true
		}
	}
	name := s.o.Gateway
	if name == "" {
		name = s.st.Gateway
	}
	if name == "" {
		root := s.st.find(RoleRoot, s.o.Algorithms[0], StateCurrent)
		name = DefaultGateway(s.o.Host, root.KID)
	}
	if name != s.st.Gateway {
		for i := range s.st.Keys { // they were signed for the old name
			s.st.Keys[i].Delegation = ""
		}
		s.st.Gateway = name
		changed = true
	}
	if !changed {
		return s.sweep()
	}
	return s.save()
}

// DefaultGateway is a gateway's name when none is configured: the host's, cut to 11 characters,
// with the first four hex digits of the root's key id.
func DefaultGateway(host, rootKID string) string {
	var b strings.Builder
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	for _, c := range host {
		if b.Len() == 11 {
			break
		}
		if (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' {
			b.WriteRune(c)
		}
	}
	if b.Len() == 0 {
		b.WriteString("ntsgw")
	}
	return b.String() + "-" + rootKID[:4]
}

// newOnline makes an online key that awaits its delegation.
func (s *Store) newOnline(alg beacon.Alg) error {
	k, err := beacon.GenerateSigningKey(alg, s.o.Random)
	if err != nil {
		return err
	}
	r := newRecord(RoleOnline, k.Public())
	if err := writeKey(s.path(onlineName(r.KID)), k); err != nil {
		return fmt.Errorf("keep the online key: %w", err)
	}
	s.online[alg] = k
	s.st.Keys = append(s.st.Keys, r)
	return nil
}

// save makes the present state the one on the disk, then erases what it no longer names. The mark
// never goes down, and comes first: no serial is used that can't be remembered.
func (s *Store) save() error {
	mark, err := s.mark()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(s.st, "", "  ")
	if err != nil {
		return err
	}
	if err := s.setMark(max(mark, s.st.Serial)); err != nil {
		return fmt.Errorf("keep the highest serial: %w", err)
	}
	path := s.path(stateFile)
	if err := durable.Replace(path, append(b, '\n'), 0o600); err != nil {
		// As it was, where that can be: the serial was not used, and is no sign of an old backup.
		return errors.Join(fmt.Errorf("keep the list of signing keys: %w", err), s.setMark(mark))
	}
	if s.stamp, err = stampOf(path); err != nil {
		return err
	}
	return s.sweep()
}

func (s *Store) setMark(serial uint32) error {
	return durable.Replace(s.o.MarkFile, []byte(strconv.FormatUint(uint64(serial), 10)+"\n"), 0o600)
}

// discard erases the keys that a change made which came to nothing, so that tries don't leave more and more of them.
// Where the list on the disk is another than ours, it may name them.
func (s *Store) discard() {
	if now, err := stampOf(s.path(stateFile)); err == nil && now == s.stamp {
		_ = s.sweep() // what stays is found by the next one
	}
}

// sweep erases online keys that are neither current nor to come: the end of a rotation, or of one
// that was cut short.
func (s *Store) sweep() error {
	names, err := filepath.Glob(s.path(onlineName("*")))
	if err != nil {
		return err
	}
	for _, n := range names {
		kid := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(n), "online-"), ".key")
		used := false
		for i := range s.st.Keys {
			r := &s.st.Keys[i]
			used = used || (r.Role == RoleOnline && r.KID == kid && r.State != StateRetired)
		}
		if !used {
			if err := erase(n); err != nil {
				return fmt.Errorf("erase a retired key: %w", err)
			}
		}
	}
	return nil
}

// mark returns the highest serial that was used, as the file outside the folder says; 0: there is none.
func (s *Store) mark() (uint32, error) {
	b, err := os.ReadFile(s.o.MarkFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, &Error{Path: s.o.MarkFile, Why: WhyUnreadable, Text: "can't be read", Fix: "chown it to the user that ntsgw runs as", Err: err}
	}
	mark, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32)
	if err != nil {
		return 0, &Error{Path: s.o.MarkFile, Why: WhyBad, Text: "is not a serial number", Fix: "remove it", Err: err}
	}
	return uint32(mark), nil
}

// refresh reads the folder again when another process changed it.
func (s *Store) refresh() error {
	if stamp, err := stampOf(s.path(stateFile)); err == nil && stamp == s.stamp {
		return nil
	}
	return s.load()
}

// Gateway returns the gateway's name.
func (s *Store) Gateway() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Gateway
}

// Algorithms returns the configured algorithms, the first one first.
func (s *Store) Algorithms() []beacon.Alg { return append([]beacon.Alg(nil), s.o.Algorithms...) }

// Serial returns the serial of the current delegations; 0 before the first.
func (s *Store) Serial() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.st.find(RoleOnline, s.o.Algorithms[0], StateCurrent)
	if r == nil || r.Delegation == "" {
		return 0
	}
	return r.Serial
}

// Online returns the current online key of an algorithm and its delegation as published; nil
// before Renew has made one.
func (s *Store) Online(alg beacon.Alg) (key *beacon.SigningKey, delegation []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.st.find(RoleOnline, alg, StateCurrent)
	if r == nil || r.Delegation == "" || s.online[alg] == nil {
		return nil, nil
	}
	b, err := hex.DecodeString(r.Delegation)
	if err != nil {
		return nil, nil // decodeState has seen to it
	}
	return s.online[alg], b
}

// Covers reports whether a beacon of algorithm alg may state t now: whether t lies inside its
// key's validity.
func (s *Store) Covers(alg beacon.Alg, t *beacon.Statement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.st.find(RoleOnline, alg, StateCurrent)
	if r == nil || r.Delegation == "" {
		return false
	}
	d := beacon.Delegation{NotBefore: r.NotBefore, NotAfter: r.NotAfter}
	return d.Covers(t)
}

// Roots returns the public halves that nodes are enrolled with.
func (s *Store) Roots() []*beacon.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*beacon.PublicKey
	for _, alg := range s.o.Algorithms {
		if r := s.st.find(RoleRoot, alg, StateCurrent); r != nil {
			if pub, err := r.public(); err == nil {
				out = append(out, pub)
			}
		}
	}
	return out
}

// List returns all keys, retired ones included, the oldest first.
func (s *Store) List() List {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := List{Gateway: s.st.Gateway, Keys: []Key{}}
	for i := range s.st.Keys {
		l.Keys = append(l.Keys, s.st.Keys[i].Key)
	}
	return l
}

// Warnings returns what a person should know at now.
func (s *Store) Warnings(now time.Time) []discipline.Warning {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []discipline.Warning
	if s.restored != 0 {
		out = append(out, discipline.Warning{ID: "signing-keys-restored", Text: fmt.Sprintf(
			"The signing keys were restored from an old backup: serial %d was used already, they are at %d. A new online key is made as soon as time is known and the root is here (ntsgw keys rotate).", s.restored, s.st.Serial)})
	}
	if s.st.RootAway {
		if left := s.runway(now); left < 14*24*time.Hour {
			out = append(out, discipline.Warning{ID: "signing-delegations-run-out", Text: fmt.Sprintf(
				"The delegations at hand end in %s and the root is kept elsewhere: make and bring a batch (ntsgw keys delegate).", configs.Counted(int(max(0, left)/(24*time.Hour)), "day", "days"))})
		}
	}
	return out
}

// runway is for how long there are delegations without the root.
func (s *Store) runway(now time.Time) time.Duration {
	end := int64(0)
	for i := range s.st.Keys {
		if r := &s.st.Keys[i]; r.Role == RoleOnline && r.State != StateRetired && r.Delegation != "" {
			end = max(end, int64(r.NotAfter))
		}
	}
	return time.Unix(end, 0).Sub(now)
}
