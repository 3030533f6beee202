package beacon

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
)

// NodeKey derives a node's key from the gateway's master key: HKDF-SHA256 (RFC 5869) with the
// gateway's name as salt and "ntsgw/1/node/<node>/<generation>" as info.
func NodeKey(master []byte, gateway, node string, generation uint32) [32]byte {
	return derive(master, gateway, "node", node, generation)
}

// MQTTPassword derives the password of the embedded broker's user for the node: the unpadded
// base64url of the same with "mqtt" for "node".
func MQTTPassword(master []byte, gateway, node string, generation uint32) string {
	k := derive(master, gateway, "mqtt", node, generation)
	return base64.RawURLEncoding.EncodeToString(k[:])
}

func derive(master []byte, gateway, use, node string, generation uint32) (out [32]byte) {
	info := "ntsgw/1/" + use + "/" + node + "/" + strconv.FormatUint(uint64(generation), 10)
	k, err := hkdf.Key(sha256.New, master, []byte(gateway), info, len(out))
	if err != nil {
		panic("hkdf: " + err.Error()) // only a length beyond 255 hashes can fail
	}
	copy(out[:], k)
	return out
}
