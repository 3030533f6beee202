package mqtt

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/durable"
)

// States of a node in the file.
const (
	NodeActive  = "active"
	NodeRevoked = "revoked"
)

// Errors of enrolment that a caller decides on.
var (
	ErrNodeExists  = errors.New("the node is enrolled already")
	ErrNodeUnknown = errors.New("no such node")
	ErrNodeRevoked = errors.New("the node is revoked")
	ErrPermissions = errors.New("others may read it")
)

const (
	nodesFile  = "nodes.json"
	masterFile = "nodes.key"
	lockFile   = "nodes.lock"
)

// Node is one enrolled node as it is kept: never a secret.
type Node struct {
	Name string `json:"name"`
	// Generation counts the keys that the name has had, from 1. It never goes back, not even when
	// a revoked name is enrolled again: nonces must not repeat under one key.
	Generation uint32 `json:"generation"`
	State      string `json:"state"` // active or revoked
	// TopicPrefix is of the gateway that its secrets were made for, as it was called then: the node
	// listens to no other. Empty in lists of versions that did not keep it.
	TopicPrefix string `json:"topic_prefix,omitempty"`
}

// nodeFile is the file's whole content.
type nodeFile struct {
	Version int    `json:"version"`
	Nodes   []Node `json:"nodes"`
}

// nodeKeys is a node with what is derived from the master key for it.
type nodeKeys struct {
	Node
	key      [32]byte
	mac      *beacon.MACKey
	password string
}

// Nodes is the list of enrolled nodes: names and generations in one file, from which and one
// master key every node's secrets are derived. It is safe for concurrent use, also by several
// processes: changes are made under a file lock and replace the file at once.
type Nodes struct {
	dir     string
	gateway string
	site    string
	master  []byte

	mu      sync.Mutex // one change at a time in this process
	reading sync.Mutex // one reading of the file at a time
	table   atomic.Pointer[map[string]*nodeKeys]
}

// OpenNodes reads the list in dir, and makes the master key at the first use. Files that others
// than the owner may read are refused (ErrPermissions), naming the file and the cure. site is the
// configured topic prefix.
func OpenNodes(dir, gateway, site string) (*Nodes, error) {
	if err := checkName(gateway); err != nil {
		return nil, fmt.Errorf("the gateway's name: %w", err)
	}
	n := &Nodes{dir: dir, gateway: gateway, site: site}
	if err := durable.MakeFolder(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the node list: %w", err)
	}
	unlock, err := n.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if n.master, err = openMaster(filepath.Join(dir, masterFile), filepath.Join(dir, nodesFile)); err != nil {
		return nil, err
	}
	if err := n.Reload(); err != nil {
		return nil, err
	}
	return n, nil
}

// openMaster reads the master key. Where nothing is there yet it makes an empty list and then the
// key, in this order: a key without a list is a loss, for the generations in it must never go back,
// and an empty list without a key a first start that was interrupted.
func openMaster(path, list string) ([]byte, error) {
	listed, listErr := readPrivate(list)
	if listErr != nil && !errors.Is(listErr, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the node list: %w", listErr)
	}
	b, err := readPrivate(path)
	if err == nil {
		if listErr != nil {
			return nil, fmt.Errorf("%s is missing, but %s is there: restore both from one backup, or remove the key and enrol every node again", list, path)
		}
		k, err := hex.DecodeString(strings.TrimSpace(string(b)))
		if err != nil || len(k) != 32 {
			return nil, fmt.Errorf("%s: the master key of the nodes must be 64 hex digits; restore it from the backup", path)
		}
		return k, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the master key of the nodes: %w", err)
	}
	if listErr != nil {
		if err := writeList(list, []Node{}); err != nil {
			return nil, err
		}
	} else if nodes, err := parseNodes(listed); err != nil || len(nodes) > 0 {
		return nil, fmt.Errorf("%s is missing, but %s lists nodes: restore it from the backup, or remove the list and enrol every node again", path, list)
	}
	k := make([]byte, 32)
	if _, err := rand.Read(k); err != nil {
		return nil, fmt.Errorf("make the master key of the nodes: %w", err)
	}
	if err := durable.Replace(path, []byte(hex.EncodeToString(k)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("keep the master key of the nodes: %w", err)
	}
	return k, nil
}

// writeList replaces the file of the node list.
func writeList(path string, list []Node) error {
	b, err := json.MarshalIndent(nodeFile{Version: 1, Nodes: list}, "", "  ")
	if err == nil && len(b) >= mostPrivate { // it could not be read again
		return fmt.Errorf("the node list would be larger than 1 MiB with its %d nodes: run another gateway for more", len(list))
	}
	if err == nil {
		err = durable.Replace(path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the node list: %w", err)
	}
	return nil
}

// Reload reads the file again. When it is bad the old list stays, and the error says why.
func (n *Nodes) Reload() error {
	n.reading.Lock() // or an older list may be stored after a newer one
	defer n.reading.Unlock()
	path := filepath.Join(n.dir, nodesFile)
	b, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: restore it from the backup", path)
	}
	if err != nil {
		return fmt.Errorf("read the node list: %w", err)
	}
	list, err := parseNodes(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	table := make(map[string]*nodeKeys, len(list))
	for _, node := range list {
		if table[node.Name], err = n.derive(node); err != nil {
			return fmt.Errorf("%s: node %s: %w", path, node.Name, err)
		}
	}
	n.table.Store(&table)
	return nil
}

// parseNodes decodes the file strictly: unknown fields, bad or repeated names and generation 0
// are errors.
func parseNodes(b []byte) ([]Node, error) {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	var f nodeFile
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("the node list is not what ntsgw wrote: %w", err)
	}
	if dec.More() {
		return nil, errors.New("the node list is followed by something else")
	}
	if f.Version != 1 {
		return nil, fmt.Errorf("version %d of the node list is not known here", f.Version)
	}
	seen := make(map[string]bool, len(f.Nodes))
	for _, node := range f.Nodes {
		if err := checkName(node.Name); err != nil {
			return nil, err
		}
		switch {
		case seen[node.Name]:
			return nil, fmt.Errorf("node %s is listed twice", node.Name)
		case node.Generation == 0:
			return nil, fmt.Errorf("node %s: generations begin with 1", node.Name)
		case node.State != NodeActive && node.State != NodeRevoked:
			return nil, fmt.Errorf("node %s: the state must be %s or %s, not %q", node.Name, NodeActive, NodeRevoked, node.State)
		}
		seen[node.Name] = true
	}
	return f.Nodes, nil
}

func (n *Nodes) derive(node Node) (*nodeKeys, error) {
	key := beacon.NodeKey(n.master, n.gateway, node.Name, node.Generation)
	mac, err := beacon.NewMACKey(key, n.gateway, node.Name, node.Generation)
	if err != nil {
		return nil, err
	}
	return &nodeKeys{
		Node: node, key: key, mac: mac,
		password: beacon.MQTTPassword(n.master, n.gateway, node.Name, node.Generation),
	}, nil
}

// lookup returns the node called name, or nil. The value is immutable.
func (n *Nodes) lookup(name string) *nodeKeys { return (*n.table.Load())[name] }

// List returns all nodes by name, the revoked ones too.
func (n *Nodes) List() []Node {
	t := *n.table.Load()
	out := make([]Node, 0, len(t))
	for _, k := range t {
		out = append(out, k.Node)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// warning is about active nodes that listen to a name which this gateway had before.
func (n *Nodes) warning() (discipline.Warning, bool) {
	now := TopicPrefix(n.site, n.gateway)
	var lost []Node
	for _, node := range n.List() {
		if node.State == NodeActive && node.TopicPrefix != "" && node.TopicPrefix != now {
			lost = append(lost, node)
		}
	}
	if len(lost) == 0 {
		return discipline.Warning{}, false
	}
	first, who := lost[0], "Node "+lost[0].Name+" was"
	if more := len(lost) - 1; more > 0 {
		who = fmt.Sprintf("Node %s and %d more were", first.Name, more)
	}
	return discipline.Warning{ID: "nodes-of-another-name", Text: fmt.Sprintf(
		"%s enrolled when this gateway's topics began with %s; now they begin with %s, which no such node listens to: set id in [gateway] and prefix in [mqtt] back, or make new secrets: ntsgw node rotate %s.",
		who, first.TopicPrefix, now, first.Name)}, true
}

// Add enrols name and returns its secrets, which are not kept. A revoked name gets its next
// generation.
func (n *Nodes) Add(name string) (*Enrolment, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return n.change(name, func(old *Node) (Node, error) {
		if old == nil {
			return Node{Name: name, Generation: 1, State: NodeActive}, nil
		}
		if old.State == NodeActive {
			return Node{}, fmt.Errorf("%s: %w; `node rotate %s` gives it a new key", name, ErrNodeExists, name)
		}
		return next(*old)
	})
}

// Rotate gives an active node its next generation and returns its new secrets. The old ones end
// at once.
func (n *Nodes) Rotate(name string) (*Enrolment, error) {
	return n.change(name, func(old *Node) (Node, error) {
		if old == nil {
			return Node{}, fmt.Errorf("%s: %w%s", name, ErrNodeUnknown, n.nearest(name))
		}
		if old.State == NodeRevoked {
			return Node{}, fmt.Errorf("%s: %w; `node add %s` enrols it again", name, ErrNodeRevoked, name)
		}
		return next(*old)
	})
}

// Revoke ends a node's key. The name and its generation stay in the list.
func (n *Nodes) Revoke(name string) error {
	_, err := n.change(name, func(old *Node) (Node, error) {
		if old == nil {
			return Node{}, fmt.Errorf("%s: %w%s", name, ErrNodeUnknown, n.nearest(name))
		}
		if old.State == NodeRevoked {
			return Node{}, fmt.Errorf("%s: %w already", name, ErrNodeRevoked)
		}
		revoked := *old
		revoked.State = NodeRevoked
		return revoked, nil
	})
	return err
}

func next(old Node) (Node, error) {
	if old.Generation == 1<<32-1 {
		return Node{}, fmt.Errorf("%s has used up its generations; choose another name", old.Name)
	}
	return Node{Name: old.Name, Generation: old.Generation + 1, State: NodeActive}, nil
}

// change applies f to one node under the lock, on the file as it is now.
func (n *Nodes) change(name string, f func(old *Node) (Node, error)) (*Enrolment, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	unlock, err := n.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := n.Reload(); err != nil {
		return nil, err
	}
	var old *Node
	if k := n.lookup(name); k != nil {
		old = &k.Node
	}
	changed, err := f(old)
	if err != nil {
		return nil, err
	}
	if changed.State == NodeActive {
		changed.TopicPrefix = TopicPrefix(n.site, n.gateway)
	}
	list := n.List()
	if old == nil {
		list = append(list, changed)
		sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	} else {
		for i := range list {
			if list[i].Name == name {
				list[i] = changed
			}
		}
	}
	if err := writeList(filepath.Join(n.dir, nodesFile), list); err != nil {
		return nil, err
	}
	if err := n.Reload(); err != nil {
		return nil, err
	}
	return n.enrolment(n.lookup(name)), nil
}

// nearest suggests an enrolled name that a person may have meant.
func (n *Nodes) nearest(name string) string {
	list := n.List()
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	best := configs.Nearest(name, names)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// lock takes the lock that all processes share.
func (n *Nodes) lock() (func(), error) {
	unlock, err := durable.Lock(filepath.Join(n.dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("lock the node list: %w", err)
	}
	return unlock, nil
}

// mostPrivate is far above any list of nodes, bytes.
const mostPrivate = 1 << 20

func readPrivate(path string) ([]byte, error) {
	b, err := durable.ReadPrivate(path, mostPrivate)
	var exposed *durable.ExposedError
	switch {
	case errors.As(err, &exposed):
		return nil, fmt.Errorf("%s: %w (mode %04o); run: chmod 600 %s", path, ErrPermissions, exposed.Mode, path)
	case errors.Is(err, durable.ErrNotRegular):
		return nil, fmt.Errorf("%s is not a regular file; restore it from the backup", path)
	case errors.Is(err, durable.ErrTooLong):
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return b, err
}
