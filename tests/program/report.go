package program

import (
	"context"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/status"
)

// Report is what the gateway on a control socket says of itself; nil when nobody answers.
func Report(socket string) *status.Report {
	r, err := status.Ask(context.Background(), socket)
	if err != nil {
		return nil
	}
	return r
}

// MustReport is the report of a gateway that has to answer.
func MustReport(t testing.TB, socket string) *status.Report {
	t.Helper()
	r := Report(socket)
	if r == nil {
		t.Fatal("the gateway does not answer")
	}
	return r
}

// Synced waits until the gateway is synchronized, as Eventually does, and returns what it says then.
func Synced(t testing.TB, within time.Duration, socket string) *status.Report {
	t.Helper()
	Eventually(t, within, "the gateway is synchronized", func() bool {
		r := Report(socket)
		return r != nil && r.Synchronized
	})
	return MustReport(t, socket)
}
