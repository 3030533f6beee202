package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ntsgw/ntsgw/discipline"
)

// systemLeapList is where tzdata keeps its list.
const systemLeapList = "/usr/share/zoneinfo/leap-seconds.list"

// leapPath is the file that the list is looked for in: the named one, or without a name the system's.
func leapPath(named string) string { return cmp.Or(named, systemLeapList) }

// leapTable is the list at path, or without one the newer of the built-in list and the
// system's. A system list that can't be used is passed over; a named one is an error.
func leapTable(path string) (discipline.LeapTable, error) {
	named := path != ""
	path = leapPath(path)
	text, err := os.ReadFile(path)
	if err != nil {
		if named && errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("leap_list: %s is not there; leave leap_list empty for the system's", path)
		}
		if named {
			return nil, fmt.Errorf("leap_list: %w", err)
		}
		return discipline.BuiltinLeaps(), nil
	}
	table, err := discipline.ParseLeapSeconds(text)
	if err != nil {
		if named {
			return nil, fmt.Errorf("leap_list: %s: %w", path, err)
		}
		return discipline.BuiltinLeaps(), nil
	}
	if named {
		return table, nil
	}
	return discipline.NewestLeaps(discipline.BuiltinLeaps(), table), nil
}
