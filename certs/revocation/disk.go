package revocation

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// disk keeps answers and lists as they came, signature and all: they are checked again when they
// are read, so who can write here can only make us forget. All failures are silent for that reason.
type disk struct{ dir string }

// mostFiles bounds the folder.
const mostFiles = 256

func (d disk) path(k key) string { return filepath.Join(d.dir, hex.EncodeToString(k[:])+".der") }

func (d disk) read(k key) []byte {
	if d.dir == "" {
		return nil
	}
	info, err := os.Stat(d.path(k))
	if err != nil || info.Size() > maxCRL {
		return nil
	}
	der, err := os.ReadFile(d.path(k))
	if err != nil {
		return nil
	}
	return der
}

func (d disk) write(k key, der []byte) {
	if d.dir == "" || os.MkdirAll(d.dir, 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(d.dir, ".new-*")
	if err != nil {
		return
	}
	_, err = f.Write(der)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), d.path(k))
	}
	if err != nil {
		os.Remove(f.Name())
		return
	}
	d.prune()
}

// prune removes the files that were not written for the longest time, and what a crash left.
func (d disk) prune() {
	entries, err := os.ReadDir(d.dir)
	if err != nil || len(entries) <= mostFiles {
		return
	}
	type aged struct {
		name string
		at   int64
	}
	var files []aged
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(e.Name(), ".der") && !strings.HasPrefix(e.Name(), ".new-") {
			continue
		}
		files = append(files, aged{e.Name(), info.ModTime().UnixNano()})
	}
	slices.SortFunc(files, func(a, b aged) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, f := range files[:max(0, len(files)-mostFiles)] {
		os.Remove(filepath.Join(d.dir, f.name))
	}
}

// derOf unwraps a list that a server sends in PEM against RFC 5280 §4.2.1.13.
func derOf(body []byte) []byte {
	if bytes.HasPrefix(body, []byte("-----BEGIN ")) {
		if block, _ := pem.Decode(body); block != nil {
			return block.Bytes
		}
	}
	return body
}
