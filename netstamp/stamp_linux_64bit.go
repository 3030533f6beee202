//go:build linux && !arm && !386 && !mips && !mipsle

package netstamp

import (
	"encoding/binary"
	"syscall"
)

// setStamping sets SO_TIMESTAMPING. On 64-bit machines there is one layout of its stamps.
func setStamping(fd, flags int) error {
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPING, flags)
}

// Software reads the kernel's stamp, the first of the three timespecs of an SCM_TIMESTAMPING message.
func Software(level, kind int32, data []byte) (int64, bool) {
	if level != syscall.SOL_SOCKET || kind != syscall.SO_TIMESTAMPING || len(data) < 16 {
		return 0, false
	}
	sec := int64(binary.NativeEndian.Uint64(data))
	nsec := int64(binary.NativeEndian.Uint64(data[8:]))
	return sec*1e9 + nsec, true
}
