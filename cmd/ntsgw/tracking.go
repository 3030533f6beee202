package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

func openTracking(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the tracking log: %w; set tracking in [log] to a file in a folder that can be written, or leave it out", err)
	}
	return f, nil
}

// trackingFile is the tracking log: lines, the first of which names the columns. One that was moved away or removed,
// as logrotate does, is begun anew. It is written by one goroutine.
type trackingFile struct {
	path   string
	f      *os.File
	header []byte
}

func (t *trackingFile) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("#")) {
		t.header = bytes.Clone(line)
	} else if err := t.follow(); err != nil {
		return 0, err
	}
	return t.f.Write(line)
}

// follow opens the file at the path, where that is no longer the one that is open.
func (t *trackingFile) follow() error {
	open, err := t.f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(t.path)
	switch {
	case err == nil && os.SameFile(there, open):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := openTracking(t.path)
	if err != nil {
		return err
	}
	t.f.Close()
	t.f = f
	_, err = f.Write(t.header)
	return err
}
