package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
)

// fileProblems are the files of the configuration that can't be used, each with what to do: those that run refuses
// to start over, and those without which a server or a broker would never be used.
func fileProblems(cfg configs.Config) []error {
	var list []error
	bad := func(err error) { list = append(list, err) }
	const asOwner = "run this as root or as the user that runs ntsgw"
	// open says whether the file that key names can be read.
	open := func(who, section, key, path string) bool {
		if path == "" {
			return false
		}
		f, err := os.Open(path)
		if err != nil {
			fix := "put it there, or mend " + key + " in " + section
			if errors.Is(err, fs.ErrPermission) {
				fix = asOwner + ", or let that user read it"
			}
			bad(fmt.Errorf("%s: %s: %w; %s", who, key, err, fix))
			return false
		}
		f.Close()
		return true
	}
	for _, s := range cfg.Servers {
		open(s.Name, "its [[server]]", "ca", s.CA)
		open(s.Name, "its [[server]]", "cert", s.Cert)
		open(s.Name, "its [[server]]", "key", s.Key)
	}
	open("trust", "[trust]", "roots", cfg.Trust.Roots)
	for _, path := range cfg.Trust.CRL {
		open("trust", "[trust]", "crl", path)
	}
	if policy, err := certs.New(certs.Options{Servers: cfg.Servers, Trust: cfg.Trust, Clock: hostClock}); err != nil {
		bad(err)
	} else {
		said := map[string]bool{}
		for _, err := range policy.Problems() {
			text := err.Error()
			if e := new(certs.Error); errors.As(err, &e) {
				text = strings.TrimPrefix(text, e.Server+": ") // a revocation list is every server's
			}
			if told := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission); !told && !said[text] {
				said[text] = true
				bad(err)
			}
		}
	}
	if n := cfg.NTSServer; n.Listen != "" {
		const who = "the NTS server's certificate"
		if cert, key := open(who, "[nts_server]", "cert", n.Cert), open(who, "[nts_server]", "key", n.Key); cert && key {
			if _, err := certs.LoadKeyPair(n.Cert, n.Key); err != nil {
				bad(fmt.Errorf("%s: %w", who, err))
			}
		}
	}
	m := cfg.MQTT
	pair := func(certKey, cert, keyKey, key string) {
		if c, k := open("mqtt", "[mqtt]", certKey, cert), open("mqtt", "[mqtt]", keyKey, key); c && k {
			if _, err := certs.LoadKeyPair(cert, key); err != nil {
				bad(fmt.Errorf("mqtt: %s and %s: %w; mend them in [mqtt]", certKey, keyKey, err))
			}
		}
	}
	if m.Enabled && m.Broker == "" && m.TLSListen != "" {
		pair("tls_cert", m.TLSCert, "tls_key", m.TLSKey)
	}
	if m.Enabled && (m.Broker != "" || len(m.Also) > 0) {
		open("mqtt", "[mqtt]", "password_file", m.PasswordFile)
		if open("mqtt", "[mqtt]", "ca", m.CA) {
			if _, err := certs.LoadPool(m.CA); err != nil {
				bad(fmt.Errorf("mqtt: ca: %w", err))
			}
		}
		pair("cert", m.Cert, "key", m.Key)
	}
	if _, err := leapTable(cfg.Clock.LeapList); err != nil {
		bad(err)
	}
	if _, _, err := findSensor(cfg.Clock.Thermometer); err != nil {
		bad(err)
	}
	if cfg.Log.Tracking != "" {
		err := tryTracking(cfg.Log.Tracking)
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w; or %s", err, asOwner)
		}
		if err != nil {
			bad(err)
		}
	}
	return list
}

// pairFiles are the files of a certificate and its key.
type pairFiles struct{ cert, key string }

// shownPairs are those of the listeners that are configured.
func shownPairs(cfg configs.Config) []pairFiles {
	var list []pairFiles
	if n := cfg.NTSServer; n.Listen != "" {
		list = append(list, pairFiles{n.Cert, n.Key})
	}
	if m := cfg.MQTT; m.Enabled && m.Broker == "" && m.TLSListen != "" {
		list = append(list, pairFiles{m.TLSCert, m.TLSKey})
	}
	return list
}

// tryTracking opens the tracking log as run would, and leaves no file behind that was not there.
func tryTracking(path string) error {
	_, err := os.Lstat(path)
	made := errors.Is(err, os.ErrNotExist)
	f, err := openTracking(path)
	if err != nil {
		return err
	}
	if made {
		os.Remove(path)
	}
	return f.Close()
}
