package upstream

import "time"

// Status is what a source knows of itself. It is a copy: safe to keep.
type Status struct {
	Name      string
	Operator  string
	Address   string // KE host:port
	NTPAddr   string // negotiated host:port; empty before KE
	Reach     uint8  // RFC 5905 §9.2: the last eight polls, newest in bit 0
	Poll      time.Duration
	AEAD      uint16 // IANA AEAD number; 0 before KE
	Cookies   int
	KEAt      time.Time // when the present keys were made; zero before
	Denied    string    // why the server is refused at present; empty when it is not
	LastError string    // the newest failure as one sentence; empty after a success with full checks
	Stratum   uint8
	Offset    time.Duration // unused by selection: newest server time minus the host clock
	Delay     time.Duration
	Sent      uint64
	Received  uint64
	Rejected  map[string]uint64 // by reason: the Reason constants here and in nts and ntske

	DatesDeferred bool      // the session's certificate dates could not be judged yet
	NotAfter      time.Time // of the session's certificate; zero without a session
}
