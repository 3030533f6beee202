package ntske

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"time"
)

// ALPN is the protocol name that both sides must agree on (RFC 8915 §4).
const ALPN = "ntske/1"

// OtherService says of a peer that did not agree to ALPN what it is.
const OtherService = "does not speak NTS-KE (no ALPN " + ALPN + "): it is another TLS service"

// RefusesALPN reports whether a handshake failed because the peer knows no protocol of ours (RFC 7301 §3.2).
func RefusesALPN(err error) bool {
	// crypto/tls has no type for it, neither for the alert received nor for its own.
	return strings.Contains(err.Error(), "no application protocol")
}

// exporterLabel is RFC 8915 §5.1's.
const exporterLabel = "EXPORTER-network-time-security"

// Keys are the two keys of an association (RFC 8915 §5.1), of KeySize bytes each.
type Keys struct{ C2S, S2C []byte }

// Session is what an exchange came to.
type Session struct {
	// NTPServer is the host that the server negotiated (a name or an address); empty: the
	// KE server's own host.
	NTPServer string
	NTPPort   uint16 // 123 unless negotiated
	AEAD      uint16
	// Cookies is 1 to 8 cookies whose length fits an NTP extension field.
	Cookies [][]byte
	Keys
	// Compliant128GCM is true when both sides sent the record of that name.
	Compliant128GCM bool
	// Alternative is set on a client with AEAD 30 whose server did not send the record: chrony
	// 4.4 to 4.6 then export their keys in the context of AEAD 15, others as RFC 8915 says.
	// Keys are the former; until a reply decides, a request that had none calls for the others in the next.
	Alternative *Keys
}

// KeySize returns the length of a key of the AEAD algorithm; 0: not one of ours.
func KeySize(aead uint16) int {
	switch aead {
	case AEADAESSIVCMAC256:
		return 32
	case AEADAES128GCMSIV:
		return 16
	}
	return 0
}

// exportKeys derives keys for aead in the context of contextAEAD (RFC 8915 §5.1), which is the
// same but for the chrony versions that Session.Alternative speaks of.
func exportKeys(state *tls.ConnectionState, aead, contextAEAD uint16) (Keys, error) {
	var context [5]byte
	binary.BigEndian.PutUint16(context[0:], ProtocolNTPv4)
	binary.BigEndian.PutUint16(context[2:], contextAEAD)
	c2s, err := state.ExportKeyingMaterial(exporterLabel, context[:], KeySize(aead))
	if err != nil {
		return Keys{}, &Error{Reason: ReasonInternal, Detail: "exporting keys", Err: err}
	}
	context[4] = 1
	s2c, err := state.ExportKeyingMaterial(exporterLabel, context[:], KeySize(aead))
	if err != nil {
		return Keys{}, &Error{Reason: ReasonInternal, Detail: "exporting keys", Err: err}
	}
	return Keys{C2S: c2s, S2C: s2c}, nil
}

// handshake completes TLS and checks what RFC 8915 §3 asks of it.
func handshake(ctx context.Context, conn *tls.Conn) (*tls.ConnectionState, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, &Error{Reason: ReasonTransport, Detail: "TLS handshake", Err: err}
	}
	state := conn.ConnectionState()
	if state.Version != tls.VersionTLS13 {
		return nil, failf(ReasonTLSVersion, "%s instead of TLS 1.3", tls.VersionName(state.Version))
	}
	if state.NegotiatedProtocol != ALPN {
		return nil, failf(ReasonALPN, "%q instead of %q", state.NegotiatedProtocol, ALPN)
	}
	return &state, nil
}

// bounded makes reads and writes on conn end with ctx; stop gives the connection back.
func bounded(ctx context.Context, conn *tls.Conn) (stop func()) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	undo := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return func() { undo() }
}
