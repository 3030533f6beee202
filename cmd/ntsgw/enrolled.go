package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/durable"
)

// openSigning opens the keys that sign beacons, or makes them at the first start.
func openSigning(cfg configs.Config, options ...func(*signing.Options)) (*signing.Store, error) {
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
	for _, set := range options {
		set(&opt)
	}
	store, err := signing.Open(opt)
	return store, withFix(err)
}

func nodesFolder(cfg configs.Config) string { return filepath.Join(cfg.Gateway.StateDir, "nodes") }

// openNodes opens the list of enrolled devices.
func openNodes(cfg configs.Config, gateway string) (*mqtt.Nodes, error) {
	nodes, err := mqtt.OpenNodes(nodesFolder(cfg), gateway, cfg.MQTT.Prefix)
	return nodes, withFix(err)
}

func (g *gateway) openKeys() error {
	var err error
	if g.keys, err = openSigning(g.cfg); err != nil {
		return spoilt(err)
	}
	g.id = g.keys.Gateway()
	g.nodes, err = openNodes(g.cfg, g.id)
	return spoilt(err)
}

// spoilt gives an error about files that are not as ntsgw left them the code over which it is not started again. What the
// system refuses (a full disk) and a lock that is held may be otherwise by then.
func spoilt(err error) error {
	switch {
	case err == nil:
		return nil
	case isPermission(err):
		return &exitError{exitPermission, err}
	case errors.As(err, new(syscall.Errno)), errors.Is(err, durable.ErrHeld):
		return err
	}
	return toMend(err)
}

// isPermission reports whether err is about who may read or write something: a secret that others may read is one too.
func isPermission(err error) bool {
	refused := (*signing.Error)(nil)
	return errors.Is(err, os.ErrPermission) || errors.Is(err, mqtt.ErrPermissions) ||
		errors.As(err, &refused) && refused.Why == signing.WhyReadable
}
