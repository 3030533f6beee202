package watch

import (
	"errors"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker/brokertest"
	"github.com/ntsgw/ntsgw/tests/program"
)

// TestABrokerThatAnswersTooMuch ends the connection, and is named; it ended the program.
func TestABrokerThatAnswersTooMuch(t *testing.T) {
	url := brokertest.Serve(t, func(filters []string) []byte { return make([]byte, len(filters)+7) })
	said := make(chan error, 16)
	s, err := Open(Options{
		Broker: url, Prefix: "ntsgw/gw1/", Topics: []string{"key", "beacon"},
		Now: func() discipline.Raw { return 0 },
		State: func(err error) {
			select {
			case said <- err:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for late := time.After(program.Busy * 10 * time.Second); ; {
		select {
		case err := <-said:
			if errors.Is(err, broker.ErrUnasked) {
				return
			}
		case <-late:
			t.Fatal("nothing was said of the broker")
		}
	}
}
