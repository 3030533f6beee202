package main

import (
	"os"
	"path/filepath"
	"sync"

	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
)

// openSigning opens the keys that sign beacons, or makes them at the first start.
func openSigning(cfg configs.Config) (*signing.Store, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "ntsgw"
	}
	opt := signing.Options{Dir: filepath.Join(cfg.Gateway.StateDir, "keys"), Gateway: cfg.Gateway.ID, Host: host}
	for _, name := range cfg.MQTT.Algorithms {
		alg, err := beacon.ParseAlg(name)
		if err != nil {
			return nil, err
		}
		opt.Algorithms = append(opt.Algorithms, alg)
	}
	return signing.Open(opt)
}

// openNodes opens the list of enrolled devices.
func openNodes(cfg configs.Config, gateway string) (*mqtt.Nodes, error) {
	return mqtt.OpenNodes(filepath.Join(cfg.Gateway.StateDir, "nodes"), gateway, cfg.MQTT.Prefix)
}

func (g *gateway) openKeys() error {
	var err error
	if g.keys, err = openSigning(g.cfg); err != nil {
		return err
	}
	g.id = g.keys.Gateway()
	g.nodes, err = openNodes(g.cfg, g.id)
	return err
}

// signer gives the publisher the online keys of the present. They are renewed here, by proved
// time only: until it is served there is nothing to sign.
type signer struct {
	store    *signing.Store
	timeline interface{ Snapshot() *discipline.Snapshot }
	now      func() discipline.Raw
	failed   func(error)

	mu      sync.Mutex
	present []mqtt.SigningKey
	serial  uint32
	lastErr string
}

// Current returns the online key of each algorithm with its delegation.
func (s *signer) Current() []mqtt.SigningKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	if snap := s.timeline.Snapshot(); snap.Serving() {
		var err error
		changed, err = s.store.Renew(snap.UTCAt(s.now()).Time())
		s.tell(err)
	}
	if serial := s.store.Serial(); changed || serial != s.serial {
		s.present, s.serial = s.load(), serial
	}
	return s.present
}

func (s *signer) load() []mqtt.SigningKey {
	var list []mqtt.SigningKey
	for _, root := range s.store.Roots() {
		key, signed := s.store.Online(root.Alg())
		if key == nil {
			continue
		}
		d, err := beacon.VerifyDelegation(signed, root, s.store.Gateway())
		if err != nil {
			s.tell(err)
			continue
		}
		list = append(list, mqtt.SigningKey{Online: key, Delegation: d, Signed: signed})
	}
	return list
}

// tell reports each failure once.
func (s *signer) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != s.lastErr && err != nil {
		s.failed(err)
	}
	s.lastErr = text
}
