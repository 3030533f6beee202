//go:build linux && (arm || 386 || mips || mipsle)

package netstamp

import (
	"encoding/binary"
	"syscall"
)

// Linux 5.1 gave 32-bit machines a second SO_TIMESTAMPING, whose seconds have 64 bits and last
// beyond 2038 (include/uapi/asm-generic/socket.h, SO_TIMESTAMPING_NEW).
const stampingNew = 65

// setStamping sets SO_TIMESTAMPING with 64-bit stamps, or the old one where the kernel knows no
// other. Both are cleared when flags is 0.
func setStamping(fd, flags int) error {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, stampingNew, flags); err == nil {
		return nil
	}
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPING, flags)
}

// Software reads the kernel's stamp, the first of the three timespecs of an SCM_TIMESTAMPING message in
// either layout.
func Software(level, kind int32, data []byte) (int64, bool) {
	if level != syscall.SOL_SOCKET {
		return 0, false
	}
	switch {
	case kind == stampingNew && len(data) >= 16:
		sec := int64(binary.NativeEndian.Uint64(data))
		nsec := int64(binary.NativeEndian.Uint64(data[8:]))
		return sec*1e9 + nsec, true
	case kind == syscall.SO_TIMESTAMPING && len(data) >= 8:
		sec := int64(int32(binary.NativeEndian.Uint32(data)))
		nsec := int64(int32(binary.NativeEndian.Uint32(data[4:])))
		return sec*1e9 + nsec, true
	}
	return 0, false
}
