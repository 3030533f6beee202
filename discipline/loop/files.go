package loop

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/ntsgw/ntsgw/durable"
)

// Files keeps the learned frequency in a small text file that is replaced atomically.
type Files struct {
	Drift string // path; empty: not kept
}

// SaveDrift writes the frequency and its standard deviation, ppm.
func (f *Files) SaveDrift(freqPPM, stdPPM float64) error {
	if f.Drift == "" {
		return nil
	}
	return durable.Replace(f.Drift, []byte(fmt.Sprintf("%.6f %.6f\n", freqPPM, stdPPM)), 0o644)
}

// LoadDrift reads what SaveDrift wrote; ok is false when there is none. A file that makes no
// sense is an error and nothing is taken from it.
func (f *Files) LoadDrift() (freqPPM, stdPPM float64, ok bool, err error) {
	b, err := readSmall(f.Drift)
	if b == "" || err != nil {
		return 0, 0, false, err
	}
	parts := strings.Fields(b)
	if len(parts) == 2 {
		a, errA := strconv.ParseFloat(parts[0], 64)
		s, errS := strconv.ParseFloat(parts[1], 64)
		if errA == nil && errS == nil && math.Abs(a) <= 1e5 && s > 0 && s <= 1e5 {
			return a, s, true, nil
		}
	}
	return 0, 0, false, fmt.Errorf("%s: want two numbers, the frequency and its standard deviation in ppm: remove the file to learn anew", f.Drift)
}

// readSmall returns a file's text; none, or none configured, is the empty string.
func readSmall(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}
