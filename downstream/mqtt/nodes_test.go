package mqtt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/tests/program"
)

func openTestNodes(t testing.TB) (*Nodes, string) {
	t.Helper()
	dir := t.TempDir()
	n, err := OpenNodes(dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	return n, dir
}

// A gateway that is called otherwise has lost its nodes, and says which and what to do.
func TestNodesOfAnotherName(t *testing.T) {
	n, dir := openTestNodes(t)
	for _, name := range []string{"cellar", "kitchen", "roof"} {
		if _, err := n.Add(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Revoke("cellar"); err != nil {
		t.Fatal(err)
	}
	if w, ok := n.warning(); ok {
		t.Errorf("all is well, yet: %v", w)
	}
	for _, name := range []struct{ gateway, site, begin string }{{"gw2", "", "ntsgw/gw2/"}, {"gw1", "lab/", "lab/ntsgw/gw1/"}} {
		other, err := OpenNodes(dir, name.gateway, name.site)
		if err != nil {
			t.Fatal(err)
		}
		w, ok := other.warning()
		for _, part := range []string{"Node kitchen and 1 more were", "ntsgw/gw1/;", name.begin + ",", "node rotate kitchen"} {
			if !ok || w.ID != "nodes-of-another-name" || !strings.Contains(w.Text, part) {
				t.Errorf("warning %v lacks %q", w, part)
			}
		}
	}
	other, err := OpenNodes(dir, "gw2", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Rotate("kitchen"); err != nil {
		t.Fatal(err)
	}
	if w, ok := other.warning(); !ok || !strings.Contains(w.Text, "Node roof was") {
		t.Errorf("after the first rotation: %v", w)
	}
	if _, err := other.Rotate("roof"); err != nil {
		t.Fatal(err)
	}
	if w, ok := other.warning(); ok {
		t.Errorf("after both rotations: %v", w)
	}
}

// A list that an older version wrote does not say what its nodes listen to: nothing is claimed.
func TestNodesOfAnOldList(t *testing.T) {
	n, dir := openTestNodes(t)
	if _, err := n.Add("kitchen"); err != nil {
		t.Fatal(err)
	}
	old := `{"version": 1, "nodes": [{"name": "kitchen", "generation": 1, "state": "active"}]}`
	if err := os.WriteFile(filepath.Join(dir, nodesFile), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := OpenNodes(dir, "gw2", "")
	if err != nil {
		t.Fatal(err)
	}
	if w, ok := other.warning(); ok || other.lookup("kitchen") == nil {
		t.Errorf("warning %v", w)
	}
}

func TestNodesLife(t *testing.T) {
	n, dir := openTestNodes(t)
	a, err := n.Add("kitchen")
	if err != nil {
		t.Fatal(err)
	}
	if a.Generation != 1 || len(a.Key) != 64 || a.MQTTUser != "kitchen" || a.TopicPrefix != "ntsgw/gw1/" {
		t.Errorf("enrolment %+v", a)
	}
	if _, err := n.Add("kitchen"); !errors.Is(err, ErrNodeExists) {
		t.Errorf("second add: %v", err)
	}
	b, err := n.Rotate("kitchen")
	if err != nil {
		t.Fatal(err)
	}
	if b.Generation != 2 || b.Key == a.Key || b.MQTTPassword == a.MQTTPassword {
		t.Errorf("rotation kept something: %+v then %+v", a, b)
	}
	if err := n.Revoke("kitchen"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Rotate("kitchen"); !errors.Is(err, ErrNodeRevoked) {
		t.Errorf("rotate a revoked node: %v", err)
	}
	if err := n.Revoke("kitchen"); !errors.Is(err, ErrNodeRevoked) {
		t.Errorf("revoke twice: %v", err)
	}
	c, err := n.Add("kitchen")
	if err != nil {
		t.Fatal(err)
	}
	if c.Generation != 3 {
		t.Errorf("generation after enrolling again: %d, want 3", c.Generation)
	}
	if err := n.Revoke("kitchem"); !errors.Is(err, ErrNodeUnknown) || !strings.Contains(err.Error(), "did you mean kitchen") {
		t.Errorf("misspelt: %v", err)
	}
	// Another process sees the same, and derives the same.
	again, err := OpenNodes(dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	if k := again.lookup("kitchen"); k == nil || hex.EncodeToString(k.key[:]) != c.Key || k.password != c.MQTTPassword {
		t.Error("the key is another one after opening again")
	}
	// Another gateway's keys differ.
	other, err := OpenNodes(dir, "gw2", "")
	if err != nil {
		t.Fatal(err)
	}
	if k := other.lookup("kitchen"); hex.EncodeToString(k.key[:]) == c.Key {
		t.Error("two gateways derive the same key")
	}
	for _, f := range []string{nodesFile, masterFile} {
		st, err := os.Stat(filepath.Join(dir, f))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, st.Mode(), err)
		}
	}
	text, _ := os.ReadFile(filepath.Join(dir, nodesFile))
	for _, secret := range []string{c.Key, c.MQTTPassword} {
		if bytes.Contains(text, []byte(secret)) {
			t.Error("a secret stands in the node list")
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNodesRefused(t *testing.T) {
	n, dir := openTestNodes(t)
	for _, name := range []string{"", "Kitchen", "a/b", "seventeen-letters", "+", "#", "a b", "é"} {
		if _, err := n.Add(name); !errors.Is(err, errName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := n.Add("a"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, nodesFile)
	good, _ := os.ReadFile(path)
	for name, text := range map[string]string{
		"half written":     string(good[:len(good)/2]),
		"empty":            "",
		"unknown field":    `{"version":1,"nodes":[],"keys":[]}`,
		"other version":    `{"version":2,"nodes":[]}`,
		"bad name":         `{"version":1,"nodes":[{"name":"A","generation":1,"state":"active"}]}`,
		"twice":            `{"version":1,"nodes":[{"name":"a","generation":1,"state":"active"},{"name":"a","generation":2,"state":"active"}]}`,
		"generation 0":     `{"version":1,"nodes":[{"name":"a","generation":0,"state":"active"}]}`,
		"bad state":        `{"version":1,"nodes":[{"name":"a","generation":1,"state":"gone"}]}`,
		"large generation": `{"version":1,"nodes":[{"name":"a","generation":4294967296,"state":"active"}]}`,
		"something after":  `{"version":1,"nodes":[]}{}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := n.Reload(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if k := n.lookup("a"); k == nil || k.Generation != 1 {
			t.Errorf("%s: the old list is gone", name)
		}
	}
	os.WriteFile(path, good, 0o600)
	for _, f := range []string{nodesFile, masterFile} {
		os.Chmod(filepath.Join(dir, f), 0o644)
		if _, err := OpenNodes(dir, "gw1", ""); !errors.Is(err, ErrPermissions) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%s readable by others: %v", f, err)
		}
		os.Chmod(filepath.Join(dir, f), 0o600)
	}
	// Reading a pipe would wait for whoever writes it, for ever.
	for _, f := range []string{nodesFile, masterFile} {
		path := filepath.Join(dir, f)
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		refused := make(chan error, 1)
		go func() {
			_, err := OpenNodes(dir, "gw1", "")
			refused <- err
		}()
		select {
		case err := <-refused:
			if err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s is a pipe: %v", f, err)
			}
		case <-time.After(program.Busy * 5 * time.Second):
			t.Fatalf("%s is a pipe: no answer", f)
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
	// A master key that got lost is not replaced in silence: every node would be locked out.
	os.Remove(filepath.Join(dir, masterFile))
	if _, err := OpenNodes(dir, "gw1", ""); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("lost master key: %v", err)
	}
}

func TestNodesConcurrent(t *testing.T) {
	_, dir := openTestNodes(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			n, err := OpenNodes(dir, "gw1", "") // as another process would
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := n.Add(fmt.Sprintf("node-%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n, err := OpenNodes(dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(n.List()); got != 8 {
		t.Errorf("%d nodes of 8", got)
	}
}

func testEnrolment(t *testing.T) *Enrolment {
	t.Helper()
	n, _ := openTestNodes(t)
	e, err := n.Add("kitchen")
	if err != nil {
		t.Fatal(err)
	}
	e.Roots = []Root{
		{Alg: "Ed25519", KID: "0011223344556677", Public: strings.Repeat("ab", 32)},
		{Alg: "ES256", KID: "8899aabbccddeeff", Public: "04" + strings.Repeat("cd", 64)},
	}
	return e
}

func TestEnrolmentForms(t *testing.T) {
	e := testEnrolment(t)
	for _, form := range Forms() {
		var b bytes.Buffer
		if err := e.Write(&b, form); err != nil {
			t.Errorf("%s: %v", form, err)
		}
		if b.Len() == 0 {
			t.Errorf("%s: nothing written", form)
		}
	}
	if err := e.Write(new(bytes.Buffer), "xml"); err == nil || !strings.Contains(err.Error(), "c-header") {
		t.Errorf("unknown form: %v", err)
	}
	var b bytes.Buffer
	e.Write(&b, "json")
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"gateway", "node", "generation", "key", "roots", "topic_prefix", "mqtt_user", "mqtt_password"} {
		if _, ok := m[k]; !ok {
			t.Errorf("json: %s is missing", k)
		}
		delete(m, k)
	}
	if len(m) != 0 {
		t.Errorf("json: more than agreed: %v", m)
	}
}

func TestMerge(t *testing.T) {
	at, w := time.Unix(1e9, 0).UTC(), 0.012
	got := Merge([]Node{{Name: "a", Generation: 2, State: NodeActive}, {Name: "b", Generation: 1, State: NodeRevoked}}, []NodeStatus{{Node: "a", Generation: 2, LastExchange: &at, HalfWidthSeconds: &w}})
	b, _ := json.Marshal(got)
	want := `[{"node":"a","generation":2,"state":"active","last_exchange":"2001-09-09T01:46:40Z","half_width_seconds":0.012},{"node":"b","generation":1,"state":"revoked","last_exchange":null,"half_width_seconds":null}]`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func FuzzParseNodes(f *testing.F) {
	f.Add([]byte(`{"version":1,"nodes":[{"name":"a","generation":1,"state":"active"}]}`))
	f.Add([]byte(`{"version":1,"nodes":null}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseNodes(b)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, n := range list {
			if !beacon.ValidName(n.Name) || seen[n.Name] || n.Generation == 0 {
				t.Errorf("accepted %+v", n)
			}
			seen[n.Name] = true
		}
	})
}

func FuzzFilterMatches(f *testing.F) {
	for _, s := range [][2]string{{"#", "a/b"}, {"a/+", "a/b"}, {"a/#", "a"}, {"+/+", "a"}, {"a/b", "a/b"}, {"$share/x/a", "a"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if !strings.ContainsAny(filter, "+#") && filterMatches(filter, topic) != (filter == topic) {
			t.Errorf("%q against %q", filter, topic)
		}
	})
}

func TestFilterMatches(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"#", "a/b/c", true}, {"a/#", "a/b/c", true}, {"a/#", "a", true}, {"a/+", "a/b", true}, {"a/+", "a/b/c", false},
		{"+/b", "a/b", true}, {"+", "a/b", false}, {"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/b/#", "a/b", true},
		{"a/b/+", "a/b", false}, {"#/a", "x/a", false}, {"a", "a/b", false}, {"+/#", "a", true},
	} {
		if got := filterMatches(c.filter, c.topic); got != c.want {
			t.Errorf("%s against %s: %v", c.filter, c.topic, got)
		}
	}
}

// Without the list the generations would begin again under the same master key, and revoked keys be
// good again.
func TestALostListIsRefused(t *testing.T) {
	dir := t.TempDir()
	n, err := OpenNodes(dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Add("kitchen"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, nodesFile)); err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(); err == nil || len(n.List()) != 1 {
		t.Errorf("while running: %v, %d nodes", err, len(n.List()))
	}
	if _, err := n.Add("hall"); err == nil {
		t.Error("a node was enrolled without the list")
	}
	if _, err := OpenNodes(dir, "gw1", ""); err == nil || !strings.Contains(err.Error(), "restore both from one backup") {
		t.Errorf("at a start: %v", err)
	}
}

func TestAnInterruptedFirstStartOfTheListStartsAgain(t *testing.T) {
	dir := t.TempDir()
	if err := writeList(filepath.Join(dir, nodesFile), []Node{}); err != nil {
		t.Fatal(err)
	}
	n, err := OpenNodes(dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Add("kitchen"); err != nil {
		t.Fatal(err)
	}
}

// TestAListThatIsFull: what could not be read again is not written, or nobody would be let in after the next start.
func TestAListThatIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := OpenNodes(dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, nodesFile)
	list := make([]Node, 20000)
	for i := range list {
		list[i] = Node{Name: fmt.Sprintf("node-%011d", i), Generation: 1, State: NodeActive, TopicPrefix: "ntsgw/gw1/"}
	}
	most := sort.Search(len(list), func(i int) bool { return writeList(path, list[:i+1]) != nil })
	if err := writeList(path, list[:most]); err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(); err != nil || most < 5000 {
		t.Fatalf("%d nodes: %v", most, err)
	}
	before, _ := os.ReadFile(path)
	if _, err := n.Add("one-more-node-16"); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("a node more: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the list was changed")
	}
	if n.lookup("node-00000000000") == nil {
		t.Error("the first node is not known any more")
	}
}
