package signing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/durable"
)

func noon() time.Time { return time.Unix(1_790_000_000, 0) }

func options(t *testing.T) Options {
	t.Helper()
	return Options{Dir: filepath.Join(t.TempDir(), "keys"), Gateway: "gw1", Algorithms: []beacon.Alg{beacon.Ed25519, beacon.ES256}}
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// renew lets a store renew at now and says whether anything changed.
func renew(t *testing.T, s *Store, now time.Time) bool {
	t.Helper()
	changed, err := s.Renew(now)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// begun is a store with its first keys, and what it was opened with.
func begun(t *testing.T) (Options, *Store) {
	t.Helper()
	o := options(t)
	s := open(t, o)
	renew(t, s, noon())
	return o, s
}

// verifies holds what the store would publish to what nodes check.
func verifies(t *testing.T, s *Store, at time.Time) {
	t.Helper()
	st := beacon.Statement{Seconds: uint32(at.Unix()), State: discipline.Synchronized, Stratum: 2, TAIOffset: 37}
	for i, alg := range s.Algorithms() {
		key, msg := s.Online(alg)
		d, err := beacon.VerifyDelegation(msg, s.Roots()[i], s.Gateway())
		if err != nil {
			t.Fatalf("%v: %v", alg, err)
		}
		if d.Serial != s.Serial() || !d.Key.Equal(key.Public()) || !d.Covers(&st) || !s.Covers(alg, &st) {
			t.Errorf("%v: delegation %+v, serial %d", alg, d, s.Serial())
		}
		b := beacon.Beacon{Statement: st}
		out, err := b.AppendSigned(nil, key, s.Gateway())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := beacon.VerifyBeacon(out, d.Key, s.Gateway()); err != nil {
			t.Errorf("%v: %v", alg, err)
		}
	}
}

func secretFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFirstStartMakesPrivateKeysAndRenewDelegatesThem(t *testing.T) {
	o := options(t)
	s := open(t, o)
	if key, msg := s.Online(beacon.Ed25519); key != nil || msg != nil {
		t.Error("there is a delegation before time is known")
	}
	if !renew(t, s, noon()) {
		t.Error("the first renewal says that nothing changed")
	}
	verifies(t, s, noon())
	if s.Serial() != 1 {
		t.Errorf("the first serial is %d", s.Serial())
	}
	for _, n := range append(secretFiles(t, o.Dir), filepath.Join(o.Dir, stateFile)) {
		if st, err := os.Stat(n); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", n, st.Mode(), err)
		}
	}
	if n := len(secretFiles(t, o.Dir)); n != 4 {
		t.Errorf("%d secret files, want two roots and two online keys", n)
	}
	if renew(t, s, noon().Add(14*24*time.Hour)) {
		t.Error("renewed before half of the validity")
	}
}

func TestRenewalAtHalfErasesTheOldSecret(t *testing.T) {
	o, s := begun(t)
	old, _ := s.Online(beacon.Ed25519)
	oldFiles := secretFiles(t, o.Dir)
	later := noon().Add(15 * 24 * time.Hour)
	if !renew(t, s, later) {
		t.Fatal("not renewed at half of the validity")
	}
	verifies(t, s, later)
	if s.Serial() != 2 {
		t.Errorf("serial %d", s.Serial())
	}
	if _, err := (&beacon.Beacon{Statement: beacon.Statement{State: discipline.Synchronized, Stratum: 1}}).AppendSigned(nil, old, "gw1"); err == nil {
		t.Error("the retired key still signs")
	}
	for _, n := range oldFiles {
		if _, err := os.Stat(n); strings.Contains(n, "online") && err == nil {
			t.Errorf("%s is still there", n)
		}
	}
	// A new process sees the same.
	verifies(t, open(t, o), later)
	var retired, current int
	for _, k := range s.List().Keys {
		switch k.State {
		case StateRetired:
			retired++
		case StateCurrent:
			current++
		}
	}
	if retired != 2 || current != 4 {
		t.Errorf("list: %+v", s.List())
	}
}

func TestListIsWhatKeysPrints(t *testing.T) {
	s := open(t, options(t))
	renew(t, s, noon())
	b, err := json.Marshal(s.List())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Gateway string
		Keys    []map[string]any
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Gateway != "gw1" || len(got.Keys) != 4 {
		t.Fatalf("%s", b)
	}
	for _, k := range got.Keys {
		public, err := hex.DecodeString(k["public"].(string))
		if want := map[any]int{"Ed25519": 32, "ES256": 65}[k["alg"]]; err != nil || len(public) != want {
			t.Errorf("public %q", k["public"])
		}
		for _, field := range []string{"kid", "role", "alg", "public", "state", "serial", "not_before", "not_after"} {
			if _, ok := k[field]; !ok {
				t.Errorf("%s is missing in %v", field, k)
			}
		}
	}
	if strings.Contains(string(b), "delegation") || strings.Contains(string(b), "secret") {
		t.Errorf("more than public halves: %s", b)
	}
}

func TestBadFilesAreRefusedWithPathAndFix(t *testing.T) {
	root := func(o Options) string { return filepath.Join(o.Dir, "root-ed25519.key") }
	online := func(o Options) string {
		names, _ := filepath.Glob(filepath.Join(o.Dir, "online-*.key"))
		return names[0]
	}
	list := func(o Options) string { return filepath.Join(o.Dir, stateFile) }
	write := func(content string) func(*testing.T, string) {
		return func(t *testing.T, p string) {
			if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod := func(mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, p string) {
			if err := os.Chmod(p, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, p string) {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		path func(Options) string
		harm func(*testing.T, string)
		why  string
		fix  string
	}{
		{"root missing", root, remove, WhyMissing, "backup"},
		{"root readable by all", root, chmod(0o644), WhyReadable, "chmod 600"},
		{"root readable by the group", root, chmod(0o640), WhyReadable, "chmod 600"},
		{"root empty", root, write(""), WhyBad, "backup"},
		{"root is no key", root, write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), WhyBad, "backup"},
		{"root is a folder", root, func(t *testing.T, p string) { remove(t, p); os.Mkdir(p, 0o700) }, WhyBad, "backup"},
		{"online missing", online, remove, WhyMissing, "rotate -lost"},
		{"online readable by all", online, chmod(0o604), WhyReadable, "chmod 600"},
		{"online is another key", online, func(t *testing.T, p string) {
			names, _ := filepath.Glob(filepath.Join(filepath.Dir(p), "root-*.key"))
			for _, n := range names {
				b, _ := os.ReadFile(n)
				if _, err := decodeKey(n, beacon.Ed25519, b); (err == nil) == (onlineAlg(t, p) == beacon.Ed25519) {
					write(string(b))(t, p)
				}
			}
		}, WhyBad, "backup"},
		{"list missing", list, remove, WhyMissing, "backup"},
		{"list cut short", list, write(`{"version": 1, "gat`), WhyBad, "backup"},
		{"list of a later version", list, write(`{"version": 2, "gateway": "gw1", "serial": 0, "root_away": false, "keys": []}`), WhyBad, "backup"},
		{"list readable by all", list, chmod(0o644), WhyReadable, "chmod 600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t)
			renew(t, open(t, o), noon())
			path := c.path(o)
			c.harm(t, path)
			_, err := Open(o)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v: not an *Error", err)
			}
			if e.Why != c.why || e.Path != path || !strings.Contains(e.Error(), c.fix) {
				t.Errorf("%v (%s)", e, e.Why)
			}
		})
	}
}

func TestLostOnlineKeyIsReplacedWhenAsked(t *testing.T) {
	o := options(t)
	renew(t, open(t, o), noon())
	names, _ := filepath.Glob(filepath.Join(o.Dir, "online-*.key"))
	os.Remove(names[0])
	o.ReplaceLost = true
	s := open(t, o)
	if !renew(t, s, noon()) || s.Serial() != 2 {
		t.Errorf("serial %d", s.Serial())
	}
	verifies(t, s, noon())
	o.ReplaceLost = false
	verifies(t, open(t, o), noon())
}

// onlineAlg is the algorithm of the key in a file.
func onlineAlg(t *testing.T, path string) beacon.Alg {
	t.Helper()
	if _, err := readKey(path, beacon.Ed25519); err == nil {
		return beacon.Ed25519
	}
	return beacon.ES256
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(to, "*"))
	for _, n := range names {
		if err := os.Chmod(n, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func warned(s *Store, id string) bool {
	for _, w := range s.Warnings(noon()) {
		if w.ID == id {
			return true
		}
	}
	return false
}

func TestOldBackupIsNoticed(t *testing.T) {
	for _, how := range []string{"by the mark beside the folder", "by the delegation that a broker holds"} {
		t.Run(how, func(t *testing.T) {
			o := options(t)
			s := open(t, o)
			renew(t, s, noon())
			backup := filepath.Join(t.TempDir(), "backup")
			copyDir(t, o.Dir, backup)
			for range 3 {
				if err := s.Rotate(noon()); err != nil {
					t.Fatal(err)
				}
			}
			_, newest := s.Online(beacon.ES256)
			copyDir(t, backup, o.Dir)
			if how != "by the mark beside the folder" {
				os.Remove(o.Dir + ".serial")
			}
			s = open(t, o)
			if how != "by the mark beside the folder" {
				if warned(s, "signing-keys-restored") {
					t.Error("noticed by nothing")
				}
				if s.Observe(flipLast(newest)) {
					t.Error("believed a forged delegation")
				}
				if !s.Observe(newest) {
					t.Error("not noticed")
				}
			}
			if !warned(s, "signing-keys-restored") {
				t.Error("not said")
			}
			renew(t, s, noon())
			if s.Serial() != 5 {
				t.Errorf("serial %d after 4 were used", s.Serial())
			}
			if warned(s, "signing-keys-restored") {
				t.Error("still said after it was mended")
			}
			if s.Observe(newest) {
				t.Error("our own past counts as a restored backup")
			}
			verifies(t, s, noon())
		})
	}
}

func flipLast(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

// The mark goes up only: a list that an old backup brought, and that a command then saves, is still
// noticed at the next start.
func TestMarkNeverGoesDown(t *testing.T) {
	o, s := begun(t)
	backup := filepath.Join(t.TempDir(), "backup")
	copyDir(t, o.Dir, backup)
	for range 3 {
		if err := s.Rotate(noon()); err != nil {
			t.Fatal(err)
		}
	}
	copyDir(t, backup, o.Dir)
	if _, err := open(t, o).Want(1); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(o.Dir + ".serial"); err != nil || string(b) != "4\n" {
		t.Errorf("the mark is %q after serial 4 was used (%v)", b, err)
	}
	if !warned(open(t, o), "signing-keys-restored") {
		t.Error("the old backup is forgotten")
	}
}

// While the mark can't be written no serial is used, and no key file is left by any of the tries; then it goes on.
func TestMarkThatCannotBeWritten(t *testing.T) {
	o := options(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	o.MarkFile = filepath.Join(outside, "serial")
	s := open(t, o)
	renew(t, s, noon())
	files := func() string {
		names, err := filepath.Glob(filepath.Join(o.Dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, "\n")
	}
	list, err := os.ReadFile(filepath.Join(o.Dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	before := files()
	if err := os.Rename(outside, outside+"-away"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Rotate(noon()); err == nil || !strings.Contains(err.Error(), "highest serial") {
			t.Errorf("rotation: %v", err)
		}
		if _, err := s.Want(2); err == nil {
			t.Error("keys are wanted that can't be kept")
		}
	}
	if now, err := os.ReadFile(filepath.Join(o.Dir, stateFile)); err != nil || string(now) != string(list) || files() != before {
		t.Errorf("%v; the folder holds\n%s\nafter\n%s\nand the list\n%s", err, files(), before, now)
	}
	verifies(t, s, noon())
	if err := os.Rename(outside+"-away", outside); err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(noon()); err != nil || s.Serial() != 2 {
		t.Errorf("serial %d afterwards (%v)", s.Serial(), err)
	}
	verifies(t, s, noon())
	if again := open(t, o); again.Serial() != 2 || warned(again, "signing-keys-restored") {
		t.Errorf("serial %d after a restart", again.Serial())
	}
}

// A person empties the folder to unpack a backup there while the gateway runs on.
func TestEmptiedFolderIsNoFirstStart(t *testing.T) {
	o, s := begun(t)
	backup := filepath.Join(t.TempDir(), "backup")
	copyDir(t, o.Dir, backup)
	copyDir(t, t.TempDir(), o.Dir)
	missing := func(what string, err error) {
		t.Helper()
		var e *Error
		if !errors.As(err, &e) || e.Why != WhyMissing || !strings.Contains(e.Fix, "backup") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, at := range []time.Time{noon(), noon().Add(20 * 24 * time.Hour)} {
		_, err := s.Renew(at)
		missing("renewal", err)
	}
	missing("rotation", s.Rotate(noon()))
	_, err := Open(o)
	missing("start", err)
	if files := secretFiles(t, o.Dir); len(files) != 0 {
		t.Errorf("made %v", files)
	}
	verifies(t, s, noon()) // the keys that are known still sign
	copyDir(t, backup, o.Dir)
	renew(t, s, noon())
	verifies(t, s, noon())
	if warned(s, "signing-keys-restored") {
		t.Error("the newest backup passes for an old one")
	}
	// To begin anew is said in so many words.
	copyDir(t, t.TempDir(), o.Dir)
	if err := os.Remove(o.Dir + ".serial"); err != nil {
		t.Fatal(err)
	}
	renew(t, open(t, o), noon())
}

// Another process that was stopped while it changes the keys holds up no reader, and a beacon for a
// moment only.
func TestHeldLockStopsNobody(t *testing.T) {
	o, s := begun(t)
	unlock, err := durable.Lock(filepath.Join(o.Dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, unlock).Stop() // so that the test ends in any case
	later := noon().Add(16 * 24 * time.Hour)
	renewed := make(chan error, 1)
	go func() {
		_, err := s.Renew(later)
		renewed <- err
	}()
	pages := 0
	for waiting := true; waiting; {
		select {
		case err := <-renewed:
			if waiting = false; err == nil || !strings.Contains(err.Error(), lockFile) {
				t.Errorf("a renewal while another process holds the lock: %v", err)
			}
		case <-time.After(10 * time.Millisecond):
			s.Warnings(later)
			pages++
		}
	}
	if pages < 2 { // the first may have waited for the renewal
		t.Errorf("%d pages were shown in the time that the renewal waited", pages)
	}
	verifies(t, s, noon())
	unlock()
	if !renew(t, s, later) || s.Serial() != 2 {
		t.Errorf("serial %d once the lock is free", s.Serial())
	}
}

// Who only looks makes nothing, and renames nothing.
func TestLookMakesNothing(t *testing.T) {
	o := options(t)
	looking := o
	looking.Look = true
	list := func() string {
		t.Helper()
		var all strings.Builder
		err := filepath.WalkDir(filepath.Dir(o.Dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				fmt.Fprintln(&all, path)
				return err
			}
			b, err := os.ReadFile(path)
			fmt.Fprintf(&all, "%s %q\n", path, b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all.String()
	}
	refused := func(what string) {
		t.Helper()
		before := list()
		var e *Error
		if _, err := Open(looking); !errors.As(err, &e) || e.Why != WhyMissing || e.Fix == "" {
			t.Errorf("%s: %v", what, err)
		}
		if after := list(); after != before {
			t.Errorf("%s: there is now\n%s", what, after)
		}
	}
	refused("no folder")
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("an empty folder")
	one := o
	one.Algorithms = o.Algorithms[:1]
	open(t, one)
	looking.Algorithms = o.Algorithms[1:]
	refused("keys of another algorithm")
	renew(t, open(t, o), noon())
	before := list()
	looking.Gateway = "gw2"
	s := open(t, looking)
	if s.Gateway() != "gw1" || s.Serial() != 1 || len(s.List().Keys) != 4 {
		t.Errorf("%s, serial %d, %+v", s.Gateway(), s.Serial(), s.List())
	}
	if after := list(); after != before {
		t.Errorf("there is now\n%s", after)
	}
}

// What root does to the keys of a gateway that runs as another user stays readable to that one.
func TestRootKeepsTheUsersKeysReadable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away (run the tests as root)")
	}
	o := options(t)
	dir := filepath.Dir(o.Dir)
	if err := os.Chown(dir, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	s := open(t, o)
	renew(t, s, noon())
	if err := s.Rotate(noon()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Want(1); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if sys := st.Sys().(*syscall.Stat_t); sys.Uid != 1234 || sys.Gid != 1235 {
			t.Errorf("%s is %d:%d's", path, sys.Uid, sys.Gid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnotherProcessRotates(t *testing.T) {
	o := options(t)
	gateway := open(t, o)
	renew(t, gateway, noon())
	key, _ := gateway.Online(beacon.Ed25519)
	if err := open(t, o).Rotate(noon()); err != nil {
		t.Fatal(err)
	}
	if !renew(t, gateway, noon()) {
		t.Error("not noticed")
	}
	if now, _ := gateway.Online(beacon.Ed25519); now == key || gateway.Serial() != 2 {
		t.Errorf("still the old key, serial %d", gateway.Serial())
	}
	if len(key.Secret()) != 0 {
		t.Error("the retired key is still in memory")
	}
	verifies(t, gateway, noon())
}

func TestInterruptedRotationLeavesNoSecret(t *testing.T) {
	o := options(t)
	renew(t, open(t, o), noon())
	stray := filepath.Join(o.Dir, "online-0123456789abcdef.key")
	if err := os.WriteFile(stray, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	verifies(t, open(t, o), noon())
	if _, err := os.Stat(stray); err == nil {
		t.Error("a key that nothing names is still there")
	}
}

// Killed at any moment of the first start, the folder still starts: the list of keys is written
// before the first key, so keys that it does not name belong to nobody.
func TestInterruptedFirstStartStartsAgain(t *testing.T) {
	for _, stray := range []string{"", "root-ed25519.key", "online-0123456789abcdef.key"} {
		o := options(t)
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		o.MarkFile = o.Dir + ".serial"
		empty := &Store{o: o, st: &state{Version: 1}}
		if err := empty.save(); err != nil {
			t.Fatal(err)
		}
		if stray != "" {
			if err := os.WriteFile(filepath.Join(o.Dir, stray), []byte("half a ke"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, o)
		renew(t, s, noon())
		verifies(t, s, noon())
	}
}

func TestNewNameNeedsNewDelegations(t *testing.T) {
	o := options(t)
	renew(t, open(t, o), noon())
	o.Gateway = "gw2"
	s := open(t, o)
	if key, _ := s.Online(beacon.Ed25519); key != nil {
		t.Error("published under another gateway's name")
	}
	renew(t, s, noon())
	if s.Serial() != 2 || s.Gateway() != "gw2" {
		t.Errorf("serial %d of %s", s.Serial(), s.Gateway())
	}
	verifies(t, s, noon())
}

func TestDerivedNameStays(t *testing.T) {
	o := options(t)
	o.Gateway, o.Host = "", "RaspberryPi.local"
	s := open(t, o)
	kid := s.Roots()[0].KID()
	if want := "raspberrypi-" + hex.EncodeToString(kid[:2]); s.Gateway() != want {
		t.Errorf("%s, want %s", s.Gateway(), want)
	}
	o.Host = "renamed"
	if got := open(t, o).Gateway(); got != s.Gateway() {
		t.Errorf("%s after the host was renamed", got)
	}
	for host, want := range map[string]string{"": "ntsgw-abcd", "ÄÖ": "ntsgw-abcd", "a_b": "ab-abcd", "averyveryverylongname": "averyveryve-abcd"} {
		if got := DefaultGateway(host, "abcdef"); got != want || !beacon.ValidName(got) {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
	}
}

// A root that the configuration no longer uses is erased with the others, so it must be in the file.
func TestEveryRootIsTakenAway(t *testing.T) {
	o := options(t)
	open(t, o)
	o.Algorithms = []beacon.Alg{beacon.Ed25519}
	file := filepath.Join(t.TempDir(), "root.pem")
	if err := open(t, o).TakeRootAway(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := decodeRoots(b)
	if err != nil || roots[beacon.Ed25519] == nil || roots[beacon.ES256] == nil {
		t.Errorf("%d roots of 2 were kept: %v", len(roots), err)
	}
}

func TestRootKeptElsewhere(t *testing.T) {
	o, s := begun(t)
	rootFile := filepath.Join(t.TempDir(), "root.pem")
	if err := s.TakeRootAway(rootFile); err != nil {
		t.Fatal(err)
	}
	for _, n := range secretFiles(t, o.Dir) {
		if strings.Contains(n, "root-") {
			t.Errorf("%s is still there", n)
		}
	}
	s = open(t, o)
	verifies(t, s, noon())
	var e *Error
	if err := s.Rotate(noon()); !errors.As(err, &e) || e.Why != WhyRootAway {
		t.Errorf("rotated without a root: %v", err)
	}
	wanted, err := s.Want(3)
	if err != nil {
		t.Fatal(err)
	}
	rootPEM, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	start := noon().Add(10 * 24 * time.Hour)
	batch, err := Delegate(rootPEM, wanted, start, DefaultValidity)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(bytes.Replace(batch, []byte(`"gw1"`), []byte(`"gw2"`), 1)); err == nil {
		t.Error("took another gateway's batch")
	}
	if n, err := s.Import(batch); err != nil || n != 3 {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := s.Import(batch); err == nil {
		t.Error("took the same batch twice")
	}
	if renew(t, s, start) {
		t.Error("took a delegation that has begun before the present one is at half of its time")
	}
	at := start
	for serial := uint32(2); serial <= 4; serial++ {
		at = start.Add(time.Duration(serial-2)*15*24*time.Hour + 6*24*time.Hour)
		s = open(t, o)
		renew(t, s, at)
		if s.Serial() != serial {
			t.Errorf("at %v: serial %d, want %d", at, s.Serial(), serial)
		}
		verifies(t, s, at)
	}
	if renew(t, s, at.Add(20*24*time.Hour)) {
		t.Error("renewed from an empty batch")
	}
	found := false
	for _, w := range s.Warnings(at.Add(20 * 24 * time.Hour)) {
		found = found || w.ID == "signing-delegations-run-out"
	}
	if !found {
		t.Error("nobody is told that delegations run out")
	}
}

// A list that was made again, because the first was lost or for more rounds, makes no batch useless.
func TestListMadeAgain(t *testing.T) {
	o, s := begun(t)
	rootFile := filepath.Join(t.TempDir(), "root.pem")
	if err := s.TakeRootAway(rootFile); err != nil {
		t.Fatal(err)
	}
	rootPEM, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	want := func(n int) []byte {
		t.Helper()
		list, err := s.Want(n)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	batch := func(list []byte) []byte {
		t.Helper()
		b, err := Delegate(rootPEM, list, noon(), DefaultValidity)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	take := func(what string, b []byte, rounds int) {
		t.Helper()
		n, err := s.Import(b)
		if n != rounds || (err == nil) != (rounds > 0) || err != nil && !strings.Contains(err.Error(), "keys delegate -want") {
			t.Errorf("%s: %d rounds of %d, %v", what, n, rounds, err)
		}
	}
	first, again, longer := want(2), want(2), want(3)
	if !bytes.Equal(first, again) {
		t.Error("the list that was made again has other keys")
	}
	take("the first list's batch", batch(first), 2)
	take("the same list's, made again", batch(again), 0)
	take("a longer one's of the same keys", batch(longer), 0)
	// What is listed now follows what is at hand.
	take("the next list's", batch(want(2)), 2)
	if err := s.Rotate(noon().Add(16 * 24 * time.Hour)); err != nil || s.Serial() != 5 {
		t.Errorf("serial %d, %v", s.Serial(), err)
	}
	verifies(t, s, noon().Add(16*24*time.Hour))
	// A key whose file was lost is not listed again.
	lost := want(1)
	for _, k := range s.List().Keys {
		if k.State == StateNext && k.Serial == 0 {
			if err := os.Remove(filepath.Join(o.Dir, onlineName(k.KID))); err != nil {
				t.Fatal(err)
			}
		}
	}
	take("the list's of the keys that are left", batch(want(1)), 1)
	take("the list's of keys that were lost", batch(lost), 0)
}

func TestOpensslReadsTheKeys(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed (Debian: openssl)")
	}
	o := options(t)
	open(t, o)
	for _, n := range secretFiles(t, o.Dir) {
		if out, err := exec.Command(openssl, "pkey", "-in", n, "-noout", "-check").CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", n, err, out)
		}
	}
}

func FuzzKeysFile(f *testing.F) {
	f.Add([]byte(`{"version": 1, "gateway": "gw1", "serial": 0, "root_away": false, "keys": []}`))
	f.Add([]byte(`{"version": 1, "gateway": "gw1", "serial": 1, "keys": [{"kid": "00", "role": "root", "alg": "Ed25519", "public": "00", "state": "current"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeState("keys.json", b); err == nil && !beacon.ValidName(s.Gateway) {
			t.Error("accepted without a name")
		}
	})
}

// A pipe in a key's place is refused, not waited for.
func TestPipeIsNoKey(t *testing.T) {
	o := options(t)
	open(t, o)
	path := filepath.Join(o.Dir, rootName(beacon.Ed25519))
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() { _, err := Open(o); refused <- err }()
	select {
	case err := <-refused:
		if e := (*Error)(nil); !errors.As(err, &e) || e.Why != WhyBad {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for somebody to write")
	}
}
