package nts

import (
	"encoding/binary"
	"fmt"
	"io"
)

// FieldType is the type of an NTP extension field (RFC 7822 §3, RFC 8915 §7.8).
type FieldType uint16

// The extension fields of NTS (RFC 8915 §5).
const (
	TypeUniqueIdentifier  FieldType = 0x0104
	TypeCookie            FieldType = 0x0204
	TypeCookiePlaceholder FieldType = 0x0304
	TypeAuthenticator     FieldType = 0x0404
)

const (
	fieldHeaderSize = 4
	// minFieldSize is what RFC 7822 §3 asks of a field of a packet. Fields inside the
	// ciphertext are not bound by it.
	minFieldSize = 16
	// UniqueIdentifierSize is the length of the identifiers we send: the least that RFC 8915
	// §5.3 allows.
	UniqueIdentifierSize = 32
)

// Field is one extension field (RFC 7822 §3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Field Type           |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.                            Value                              .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Value aliases the bytes it was read from.
type Field struct {
	Type  FieldType
	Value []byte // with its padding
}

// FieldError says where the extension fields stop making sense.
type FieldError struct {
	At   int // offset in the bytes that were read
	Size int // the length that the field claims; 0: not even a header is left
}

// Error implements error.
func (e FieldError) Error() string {
	return fmt.Sprintf("extension field at byte %d with length %d", e.At, e.Size)
}

// NextField reads the extension field at offset at of b and returns it with the offset behind
// it. Fields shorter than least or not of a multiple of 4 bytes are a FieldError.
func NextField(b []byte, at, least int) (f Field, next int, err error) {
	rest := b[at:]
	if len(rest) < fieldHeaderSize {
		return Field{}, at, FieldError{At: at}
	}
	size := int(binary.BigEndian.Uint16(rest[2:]))
	if size < least || size < fieldHeaderSize || size%4 != 0 || size > len(rest) {
		return Field{}, at, FieldError{At: at, Size: size}
	}
	return Field{
		Type:  FieldType(binary.BigEndian.Uint16(rest)),
		Value: rest[fieldHeaderSize:size:size],
	}, at + size, nil
}

// AppendField appends a field with value and its padding to a multiple of 4 bytes.
func AppendField(b []byte, t FieldType, value []byte) []byte {
	b, v := appendEmptyField(b, t, len(value))
	copy(v, value)
	return b
}

// appendEmptyField appends a field with a zero value of n bytes and returns the value too.
func appendEmptyField(b []byte, t FieldType, n int) (out, value []byte) {
	padded := pad4(n)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = binary.BigEndian.AppendUint16(b, uint16(fieldHeaderSize+padded))
	at := len(b)
	for range padded / 4 {
		b = append(b, 0, 0, 0, 0)
	}
	return b, b[at : at+n]
}

func pad4(n int) int { return (n + 3) &^ 3 }

// authenticator is the value of the NTS Authenticator and Encrypted Extension Fields field
// (RFC 8915 §5.6):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Nonce Length          |      Ciphertext Length        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.              Nonce, including up to 3 octets padding          .
//	.           Ciphertext, including up to 3 octets padding        .
//	.                       Additional Padding                      .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type authenticator struct{ nonce, ciphertext []byte }

const authenticatorHeaderSize = 4

func parseAuthenticator(value []byte) (authenticator, bool) {
	if len(value) < authenticatorHeaderSize {
		return authenticator{}, false
	}
	n, c := int(binary.BigEndian.Uint16(value)), int(binary.BigEndian.Uint16(value[2:]))
	value = value[authenticatorHeaderSize:]
	if pad4(n)+pad4(c) > len(value) {
		return authenticator{}, false
	}
	return authenticator{nonce: value[:n], ciphertext: value[pad4(n):][:c]}, true
}

// appendAuthenticator seals plain with b as it stands as associated data, and appends the field.
// The nonce is read from random.
func appendAuthenticator(b []byte, a AEAD, plain []byte, random io.Reader) ([]byte, error) {
	// RFC 8915 §5.6: the nonce's length is at least min(16, N_MAX), so no additional padding.
	n, c := a.NonceSize(), len(plain)+a.Overhead()
	start := len(b)
	b, value := appendEmptyField(b, TypeAuthenticator, authenticatorHeaderSize+pad4(n)+pad4(c))
	binary.BigEndian.PutUint16(value, uint16(n))
	binary.BigEndian.PutUint16(value[2:], uint16(c))
	nonce := value[authenticatorHeaderSize:][:n]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return b[:start], fmt.Errorf("drawing a nonce: %w", err)
	}
	out := value[authenticatorHeaderSize+pad4(n):][:0:pad4(c)]
	if _, err := a.Seal(out, nonce, plain, b[:start]); err != nil {
		return b[:start], err
	}
	return b, nil
}
