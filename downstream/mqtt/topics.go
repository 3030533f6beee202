package mqtt

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// maxTopic is the longest topic, in bytes: with it a whole MQTT 3.1.1 packet of the largest
// legal message stays within the 256 bytes that small clients have as a buffer.
const maxTopic = 48

var errName = errors.New("not a valid name")

// checkName says what is wrong with the name of a gateway or a node, and what to write.
func checkName(s string) error {
	if !beacon.ValidName(s) {
		return fmt.Errorf("%q: %w: write 1 to 16 characters of a–z, 0–9 and -", s, errName)
	}
	return nil
}

// topics are the names under which one gateway publishes and listens.
type topics struct {
	prefix string // "…ntsgw/<gateway>/"
	beacon map[beacon.Alg]string
	key    map[beacon.Alg]string
	status string
	state  string
	req    string // before the node's name
	resp   string // before the node's name

	announced []string // Home Assistant discovery's, when that is on
}

func newTopics(site, gateway string) topics {
	p := TopicPrefix(site, gateway)
	return topics{
		prefix: p,
		beacon: map[beacon.Alg]string{beacon.Ed25519: p + "beacon", beacon.ES256: p + "beacon-es256"},
		key:    map[beacon.Alg]string{beacon.Ed25519: p + "key", beacon.ES256: p + "key-es256"},
		status: p + "status",
		state:  p + "state",
		req:    p + "req/",
		resp:   p + "resp/",
	}
}

// TopicPrefix is what all topics of a gateway begin with; site is the configured prefix, at most
// four characters.
func TopicPrefix(site, gateway string) string { return site + "ntsgw/" + gateway + "/" }

// common reports whether everybody may read topic.
func (t *topics) common(topic string) bool {
	if len(topic) > len(t.prefix) && topic[:len(t.prefix)] == t.prefix {
		switch topic[len(t.prefix):] {
		case "beacon", "beacon-es256", "key", "key-es256", "status", "state":
			return true
		}
		return false
	}
	return slices.Contains(t.announced, topic)
}

// commonMatches reports whether a filter with wildcards can match something that everybody may
// read.
func (t *topics) commonMatches(filter string) bool {
	for _, n := range []string{"beacon", "beacon-es256", "key", "key-es256", "status", "state"} {
		if filterMatches(filter, t.prefix+n) {
			return true
		}
	}
	return slices.ContainsFunc(t.announced, func(topic string) bool { return filterMatches(filter, topic) })
}
