package beacon

import "time"

// AppendSigned appends the beacon signed by the online key. Errors: ReasonRange for a value that
// the protocol can't express.
func (m *Beacon) AppendSigned(dst []byte, online *SigningKey, gateway string) ([]byte, error) {
	if err := m.check(); err != nil {
		return dst, err
	}
	var room [MaxMessage]byte
	return appendSign1(dst, online, KindBeacon, gateway, m.appendPayload(room[:0]))
}

// VerifyBeacon verifies a beacon of gateway under the online key. Whether its time lies in the
// key's validity is the caller's to judge (Delegation.Covers): a Node does. Errors are *Error, in
// the order of the reasons from ReasonSize to ReasonBadSignature, then ReasonMalformed for the
// payload.
func VerifyBeacon(msg []byte, online *PublicKey, gateway string) (Beacon, error) {
	m, err := verifyBeacon(msg, online, gateway, realProver{})
	if err != nil {
		return Beacon{}, err
	}
	return m, nil
}

func verifyBeacon(msg []byte, online *PublicKey, gateway string, p prover) (Beacon, *Error) {
	payload, err := openSign1(msg, online, KindBeacon, gateway, p)
	if err != nil {
		return Beacon{}, err
	}
	f, err := parsePayload(KindBeacon, payload)
	if err != nil {
		return Beacon{}, err
	}
	return Beacon{Statement: f.Statement, Sequence: f.sequence, NextIn: f.nextIn}, nil
}

// AppendSigned appends the delegation signed by the root. Errors: ReasonRange when the key is
// missing or of another algorithm than the root.
func (m *Delegation) AppendSigned(dst []byte, root *SigningKey, gateway string) ([]byte, error) {
	if m.Key == nil || m.Key.alg != root.pub.alg {
		return dst, refuse(ReasonRange, "a root delegates keys of its own algorithm only")
	}
	var room [MaxMessage]byte
	return appendSign1(dst, root, KindDelegation, gateway, m.appendPayload(room[:0]))
}

// VerifyDelegation verifies a delegation of gateway under its root. The serial is the caller's to
// judge. Errors as for VerifyBeacon.
func VerifyDelegation(msg []byte, root *PublicKey, gateway string) (Delegation, error) {
	d, err := verifyDelegation(msg, root, gateway, realProver{})
	if err != nil {
		return Delegation{}, err
	}
	return d, nil
}

func verifyDelegation(msg []byte, root *PublicKey, gateway string, p prover) (Delegation, *Error) {
	payload, err := openSign1(msg, root, KindDelegation, gateway, p)
	if err != nil {
		return Delegation{}, err
	}
	return parseDelegation(root.alg, payload)
}

// AppendSealed appends the request with its MAC.
func (m *Request) AppendSealed(dst []byte, k *MACKey) []byte {
	return m.appendSealed(dst, k, realProver{})
}

func (m *Request) appendSealed(dst []byte, k *MACKey, p prover) []byte {
	var room [MaxMessage]byte
	return k.appendMAC0(dst, KindRequest, m.appendPayload(room[:0]), p)
}

// OpenRequest verifies a request of the key's node. Errors as for VerifyBeacon.
func OpenRequest(msg []byte, k *MACKey) (Request, error) {
	payload, err := k.openMAC0(msg, KindRequest, realProver{})
	if err != nil {
		return Request{}, err
	}
	f, err := parsePayload(KindRequest, payload)
	if err != nil {
		return Request{}, err
	}
	return Request{Nonce: f.nonce, HalfWidth: f.halfWidth, HasHalfWidth: f.seen&field(keyHalfWidth) != 0}, nil
}

// AppendSealed appends the response with its MAC. Errors: ReasonRange for a value that the
// protocol can't express.
func (m *Response) AppendSealed(dst []byte, k *MACKey) ([]byte, error) {
	return m.appendSealed(dst, k, realProver{})
}

func (m *Response) appendSealed(dst []byte, k *MACKey, p prover) ([]byte, error) {
	if err := m.check(); err != nil {
		return dst, err
	}
	if m.Turnaround < 0 || m.Turnaround >= 1<<32 {
		return dst, refuse(ReasonRange, "the turnaround must be below 2^32 ns")
	}
	var room [MaxMessage]byte
	return k.appendMAC0(dst, KindResponse, m.appendPayload(room[:0]), p), nil
}

// OpenResponse verifies a response to the key's node. Whether its nonce is open is the caller's
// to judge. Errors as for VerifyBeacon.
func OpenResponse(msg []byte, k *MACKey) (Response, error) {
	m, err := openResponse(msg, k, realProver{})
	if err != nil {
		return Response{}, err
	}
	return m, nil
}

func openResponse(msg []byte, k *MACKey, p prover) (Response, *Error) {
	payload, err := k.openMAC0(msg, KindResponse, p)
	if err != nil {
		return Response{}, err
	}
	f, err := parsePayload(KindResponse, payload)
	if err != nil {
		return Response{}, err
	}
	return Response{Statement: f.Statement, Nonce: f.nonce, Turnaround: time.Duration(f.turnaround), Serial: f.serial}, nil
}
