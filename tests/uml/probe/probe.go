// Package probe is how a test learns the true error of a guest's clock: datagrams with both
// ends' CLOCK_REALTIME and the guest kernel's own opinion of its clock.
package probe

import (
	"encoding/binary"
	"errors"
	"time"
)

// Port is where a guest answers.
const Port = 9070

// The first byte of a datagram.
const (
	Time    = 'P' // followed by 8 bytes that come back; answered by an Answer
	Command = 'C' // followed by a number and words; answered by the number, ok or error, and a text
)

// Answer is a guest's answer to Time.
type Answer struct {
	Token          uint64
	Received       int64 // CLOCK_REALTIME of the guest, ns, when the question arrived
	Sent           int64 // … when the answer left
	MaxError       time.Duration
	EstError       time.Duration
	FrequencyPPM   float64
	TAIOffset      int32
	Unsynchronized bool
}

const answerSize = 1 + 8*6 + 4 + 1

// AppendBinary encodes an Answer.
func (a *Answer) AppendBinary(b []byte) []byte {
	b = append(b, Time)
	for _, v := range []int64{int64(a.Token), a.Received, a.Sent, int64(a.MaxError), int64(a.EstError), int64(a.FrequencyPPM * 1e6)} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(a.TAIOffset))
	if a.Unsynchronized {
		return append(b, 1)
	}
	return append(b, 0)
}

// Decode is AppendBinary's inverse.
func Decode(b []byte) (Answer, error) {
	if len(b) != answerSize || b[0] != Time {
		return Answer{}, errors.New("not an answer to a time probe")
	}
	v := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[1+8*i:])) }
	return Answer{Token: uint64(v(0)), Received: v(1), Sent: v(2), MaxError: time.Duration(v(3)),
		EstError: time.Duration(v(4)), FrequencyPPM: float64(v(5)) / 1e6,
		TAIOffset: int32(binary.BigEndian.Uint32(b[49:])), Unsynchronized: b[53] == 1}, nil
}

// Spec is what a guest is told at its start.
type Spec struct {
	Address string        // with prefix length, on vec0
	Shared  string        // a folder of the host that the guest may write, seen at the same path
	Wrong   time.Duration // added to the guest's clock at its start
	Real    int64         // when not 0: what its clock is set to at its start, ns since 1970
	Modules []string      // kernel modules to load
	Setup   [][]string    // commands to run once
	Program []string      // started by the command "start", and at once when Start
	Start   bool
	Log     string // of the program, in Shared
}
