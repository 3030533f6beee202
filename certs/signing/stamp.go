package signing

import (
	"os"
	"syscall"
)

// stampOf tells one version of a file from the next: files are replaced, never written in place.
func stampOf(path string) (fileStamp, error) {
	st, err := os.Stat(path)
	if err != nil {
		return fileStamp{}, err
	}
	f := fileStamp{mod: st.ModTime(), size: st.Size()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		f.ino = sys.Ino
	}
	return f, nil
}
