// Package configs gives the gateway its typed configuration: a TOML file in, a checked
// Config out, or every mistake in it with file, line, column and the nearest valid name.
// Without any file the defaults work.
package configs

import "time"

// Config is the whole configuration, one field a section. It is immutable once loaded.
type Config struct {
	Gateway   Gateway
	Clock     Clock
	Servers   []Server
	Trust     Trust
	MQTT      MQTT
	NTSServer NTSServer
	PTP       PTP
	Status    Status
	Log       Log
	// BuiltinServers is true when no [[server]] was given and Servers is the built-in list,
	// which is polled at 64 s or slower.
	BuiltinServers bool
	// Path is the file that was read; empty for the defaults.
	Path string
	// Notes are what does nothing in the file. That is said, but is no mistake: time is worth more than a tidy file.
	Notes Problems
}

// Gateway names this gateway and says where it keeps its state.
type Gateway struct {
	ID       string // 1–16 of [a-z0-9-]; empty: derived from the host name and the root key
	StateDir string
}

// Clock says who steers the host clock, and within which limits.
type Clock struct {
	Mode            string        // auto, system, observe, follow
	StepThreshold   time.Duration // a larger host offset is stepped, a smaller one slewed
	PanicThreshold  time.Duration // a larger change after the first setting ends the program
	MinSources      int           // 0: auto
	BootstrapQuorum int           // 0: auto
	HoldoverMax     time.Duration // after it without an update: unsynchronized
	MaxErrorLimit   time.Duration // a larger bound: unsynchronized; 0: no limit
	MaxFrequencyPPM float64       // limit of |frequency|, ppm
	RTC             bool          // keep the battery clock
	Thermometer     string        // auto, none, or a file that holds millidegrees Celsius
	DriftFile       string        // relative to StateDir; learned frequency with its variance
	LeapList        string        // a leap-seconds.list; empty: the newer of built in and the system's
}

// Server is one NTS server.
type Server struct {
	Name       string        // how it is called everywhere; default: the address
	Address    string        // KE host, port optional (4460)
	CA         string        // PEM file; empty: system roots
	Roots      string        // system, ca or both: which roots count when CA is given
	Pins       []string      // sha256/BASE64 of SubjectPublicKeyInfo
	PinMode    string        // add (chain and pin) or replace (pin alone)
	Names      []string      // certificate names allowed instead of the host
	Cert       string        // client certificate chain, PEM
	Key        string        // its key
	Operator   string        // who runs it; empty: the registrable domain
	MinPoll    time.Duration // 1 s … 131072 s
	MaxPoll    time.Duration
	Revocation string // off, prefer, require; empty: as in [trust]
	Line       int    // of its [[server]] in the file
}

// Trust says what a server's certificate must satisfy.
type Trust struct {
	Servers          []string // not empty: no server outside it is contacted; whom certificates name for revocation is
	MaxSourceStratum int
	Revocation       string
	CRL              []string      // local CRL files
	RevocationCheck  time.Duration // how often standing sessions are checked again
	Roots            string        // a PEM file instead of the system roots
}

// MQTT says where beacons are published and what the embedded broker does.
type MQTT struct {
	Enabled      bool
	Broker       string        // empty: the embedded broker
	Listen       string        // of the embedded broker
	Interval     time.Duration // between beacons, 1 s … 65535 s
	Also         []string      // further brokers
	Prefix       string        // before "ntsgw/", at most 4 characters
	Algorithms   []string      // ed25519, es256
	User         string
	PasswordFile string
	CA           string
	Cert         string
	Key          string
	TLSListen    string // a second listener of the embedded broker, with TLS
	TLSCert      string
	TLSKey       string
	MaxClients   int
	Discovery    bool    // Home Assistant discovery messages
	RequestRate  float64 // exchanges a second and node
	RequestBurst int
}

// NTSServer is the NTS server for nodes that speak TLS 1.3.
type NTSServer struct {
	Listen    string // KE address; empty: off
	NTPListen string // default: the same host, port 123
	Cert      string
	Key       string
}

// PTP says on which interfaces the gateway is a grandmaster.
type PTP struct {
	Interfaces []string // empty: off
	P2P        []string // those of them with peer delays, not end-to-end
	UDP6       []string // those of them over IPv6, not IPv4
	Domain     int
	Priority1  int // what other clocks compare first: the lowest wins
	Priority2  int // what they compare after the clock's quality
}

// Status says where people and programs see how the gateway is.
type Status struct {
	Listen string
	Hosts  []string // further names that the page is asked for by loopback
	Socket string
}

// Log says what is written where.
type Log struct {
	Level    string // debug, info, warn, error
	Format   string // auto, text, json
	Tracking string // a file for one line an update
}
