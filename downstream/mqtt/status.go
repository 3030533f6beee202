package mqtt

import "time"

// States of a broker.
const (
	BrokerConnecting = "connecting"
	BrokerConnected  = "connected"
	BrokerWaiting    = "waiting" // our own, for an address to listen on
	BrokerStopped    = "stopped"
)

// BrokerStatus is how one broker is. It is a copy.
type BrokerStatus struct {
	URL       string `json:"url"` // without a password; Embedded for our own
	State     string `json:"state"`
	LastError string `json:"last_error,omitempty"`
	Connects  uint64 `json:"connects"`          // since the start
	Clients   int    `json:"clients,omitempty"` // the embedded broker's

	Published uint64            `json:"published"` // beacons handed to it
	Dropped   uint64            `json:"dropped"`   // beacons that it was not there for
	Answered  uint64            `json:"answered"`  // exchanges
	Refused   map[string]uint64 `json:"refused"`   // requests, logins and topics, by reason
}

// Embedded stands for our own broker where another has a URL.
const Embedded = "embedded"

// NodeStatus is what was seen of one node. It is a copy.
type NodeStatus struct {
	Node             string     `json:"node"`
	Generation       uint32     `json:"generation"`
	LastExchange     *time.Time `json:"last_exchange"`      // null: none since the start
	HalfWidthSeconds *float64   `json:"half_width_seconds"` // the node's own report; null: none
	Exchanges        uint64     `json:"exchanges"`
}

// Status is a copy of all that a Server knows of itself: safe to keep.
type Status struct {
	Gateway         string            `json:"gateway"`
	Prefix          string            `json:"topic_prefix"`
	Listen          []string          `json:"listen"` // bound addresses of the embedded broker
	IntervalSeconds float64           `json:"interval_seconds"`
	Sequence        uint32            `json:"sequence"` // of the newest beacon
	LastBeacon      *time.Time        `json:"last_beacon"`
	Beacons         uint64            `json:"beacons"`   // signed
	Published       uint64            `json:"published"` // beacons handed to brokers, once a broker
	Dropped         uint64            `json:"dropped"`   // beacons that a broker was not there for
	Skipped         map[string]uint64 `json:"skipped"`   // beacons not made, by reason
	Answered        uint64            `json:"answered"`  // exchanges
	Refused         map[string]uint64 `json:"refused"`   // requests, logins and topics, by reason
	Nodes           []NodeStatus      `json:"nodes"`
	Brokers         []BrokerStatus    `json:"brokers"`
}
