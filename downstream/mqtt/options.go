package mqtt

import (
	"log/slog"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
)

// Timeline is where time and its bound are read.
type Timeline interface {
	Snapshot() *discipline.Snapshot
}

// Clock reads the raw clock, and for how long the machine was suspended since it booted.
type Clock interface {
	Now() discipline.Raw
	Suspended() time.Duration
}

// Options is what a Server works with. Nothing in it is changed.
type Options struct {
	Timeline Timeline
	Clock    Clock
	Keys     Keys
	Nodes    *Nodes // nil: no exchanges, and only anonymous readers
	Config   configs.MQTT
	Gateway  string // 1–16 of [a-z0-9-]
	Log      *slog.Logger
}
