// Package status shows people and programs how the gateway is: a page, JSON, metrics and
// health over HTTP, and the control socket that the command line asks. Snapshots of the
// timeline come in; nothing goes back to the discipline.
package status

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// Report is what /status.json and `ntsgw status -json` say. The page, the metrics and the
// log use the same words. Durations are seconds; a value that is not known is null.
type Report struct {
	Gateway        string               `json:"gateway"`
	Version        string               `json:"version"`
	Mode           string               `json:"mode"` // system, observe or follow: what is done with the host clock
	State          string               `json:"state"`
	Synchronized   bool                 `json:"synchronized"`
	NTS            bool                 `json:"nts"`            // all selected sources are authenticated
	Time           string               `json:"time,omitempty"` // the timeline's UTC, RFC 3339; absent when nothing is served
	Stratum        int                  `json:"stratum"`
	SourceStratum  int                  `json:"source_stratum"`
	Offset         *float64             `json:"offset_seconds"` // timeline minus host clock
	Jitter         float64              `json:"jitter_seconds"`
	RootDelay      float64              `json:"root_delay_seconds"`
	RootDispersion float64              `json:"root_dispersion_seconds"`
	MaxError       *float64             `json:"max_error_seconds"`
	EstError       *float64             `json:"est_error_seconds"`
	Withheld       *float64             `json:"withheld_error_seconds,omitempty"` // the bound, where max_error_limit forbids to serve it
	FrequencyPPM   float64              `json:"frequency_ppm"`
	Leap           int                  `json:"leap"` // 0, 1, -1; 2 unknown
	TAIOffset      int                  `json:"tai_offset"`
	Epoch          string               `json:"epoch"`
	LastUpdate     *float64             `json:"last_update_seconds"` // age of the newest used measurement
	Uptime         float64              `json:"uptime_seconds"`
	Targets        []Target             `json:"targets"`
	Warnings       []discipline.Warning `json:"warnings"`
	Sources        []Source             `json:"sources"`
	Outlets        []Outlet             `json:"outlets"`
	Devices        []Device             `json:"devices"`
	Expiries       []Expiry             `json:"expiries"`
	Downstream     map[string]any       `json:"downstream,omitempty"`
}

// MarshalJSON writes null for what is known of a timeline only while there is one.
func (r Report) MarshalJSON() ([]byte, error) {
	type all Report
	j := struct {
		all
		SourceStratum  *int     `json:"source_stratum"`
		Jitter         *float64 `json:"jitter_seconds"`
		RootDelay      *float64 `json:"root_delay_seconds"`
		RootDispersion *float64 `json:"root_dispersion_seconds"`
		FrequencyPPM   *float64 `json:"frequency_ppm"`
	}{all: all(r)}
	if r.known() {
		j.SourceStratum, j.Jitter, j.RootDelay, j.RootDispersion, j.FrequencyPPM = &r.SourceStratum, &r.Jitter, &r.RootDelay, &r.RootDispersion, &r.FrequencyPPM
	}
	return json.Marshal(j)
}

// known reports whether there is a timeline that is served, and Jitter, RootDelay, RootDispersion,
// FrequencyPPM and SourceStratum with it.
func (r *Report) known() bool { return r.Time != "" }

// HostError bounds how far the host clock is off true time, seconds; nil while nothing tells. The timeline may be good
// long before anybody sets the host clock.
func (r *Report) HostError() *float64 {
	switch {
	case r.MaxError == nil || r.Offset == nil:
		return nil
	case r.Mode == "follow":
		return r.MaxError // the loop widens it to hold for the host clock, too
	}
	return pointer(*r.MaxError + math.Abs(*r.Offset))
}

// Source is one server as the report shows it.
type Source struct {
	Name      string            `json:"name"`
	Address   string            `json:"address"`
	NTP       string            `json:"ntp_address,omitempty"`
	Operator  string            `json:"operator,omitempty"`
	State     string            `json:"state"` // selected, candidate, falseticker, unreachable, denied
	Stratum   int               `json:"stratum"`
	Offset    *float64          `json:"offset_seconds"` // source minus timeline
	Delay     *float64          `json:"delay_seconds"`
	Jitter    *float64          `json:"jitter_seconds"`
	Reach     int               `json:"reach"` // the last eight polls as bits, newest in bit 0
	Poll      float64           `json:"poll_seconds"`
	AEAD      int               `json:"aead"`
	Cookies   int               `json:"cookies"`
	KEAge     *float64          `json:"ke_age_seconds"`
	Sent      uint64            `json:"sent"`
	Received  uint64            `json:"received"`
	Rejected  map[string]uint64 `json:"rejected"`
	LastError string            `json:"last_error,omitempty"`
}

// MarshalJSON writes null for the stratum of a server that was never heard.
func (s Source) MarshalJSON() ([]byte, error) {
	type all Source
	j := struct {
		all
		Stratum *int `json:"stratum"`
	}{all: all(s)}
	if s.Stratum > 0 {
		j.Stratum = &s.Stratum
	}
	return json.Marshal(j)
}

// Outlet is one way on which time is handed on.
type Outlet struct {
	Way      string            `json:"way"`   // MQTT, NTS, PTP
	Where    string            `json:"where"` // a broker, an address, an interface
	State    string            `json:"state"` // in the words of the way
	Error    string            `json:"error,omitempty"`
	Sent     uint64            `json:"sent"`     // beacons or Sync messages
	Answered uint64            `json:"answered"` // exchanges and requests
	Refused  map[string]uint64 `json:"refused"`  // messages of others, by reason
}

// Device is one enrolled node, without secrets.
type Device struct {
	Name         string     `json:"name"`
	State        string     `json:"state"` // active, revoked
	Generation   uint32     `json:"generation"`
	LastExchange *time.Time `json:"last_exchange"`      // null: none since the start
	HalfWidth    *float64   `json:"half_width_seconds"` // its own report of how far its time may be off
}

// Expiry is something in use that ends: a certificate, a revocation list, an answer about revocation, a
// key that signs beacons.
type Expiry struct {
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	From     string   `json:"from"` // a file, a URL or a server's name
	NotAfter string   `json:"not_after"`
	Left     *float64 `json:"left_seconds"` // null while the time is not known
}

// Target is one of the four things that the gateway is judged by.
type Target struct {
	Name string `json:"name"`
	Goal string `json:"goal"`
	Have string `json:"have"` // "unknown" is neither pass nor fail
	Pass bool   `json:"pass"`
}

// The limits of the targets.
const (
	offsetGoal = 0.050
	jitterGoal = 0.010
)

func seconds(d time.Duration) float64 { return d.Seconds() }

func pointer(f float64) *float64 { return &f }

// build fills a report from one snapshot at one raw reading. limit is the largest bound that may be served; 0: any.
func build(s *discipline.Snapshot, now discipline.Raw, host discipline.HostReading, limit time.Duration) Report {
	r := Report{
		State:          s.State.String(),
		Synchronized:   s.State == discipline.Synchronized,
		NTS:            s.NTS && s.Serving(),
		Stratum:        int(s.Stratum),
		SourceStratum:  int(s.SourceStratum),
		Jitter:         seconds(s.Jitter),
		RootDelay:      seconds(s.RootDelay),
		RootDispersion: seconds(s.RootDispersion),
		FrequencyPPM:   s.FrequencyPPM,
		Leap:           int(s.Leap),
		TAIOffset:      s.TAIOffset,
		Epoch:          hex.EncodeToString(s.Epoch[:]),
		Warnings:       append([]discipline.Warning{}, s.Warnings...),
		Sources:        []Source{},
		Outlets:        []Outlet{},
		Devices:        []Device{},
		Expiries:       []Expiry{},
	}
	if s.LastUpdate != 0 {
		r.LastUpdate = pointer(seconds(max(0, now.Sub(s.LastUpdate))))
	}
	if s.Serving() {
		u := s.UTCAt(now)
		r.TAIOffset, r.Leap = u.TAIOffset, int(u.Leap)
		r.Time = u.Time().Format("2006-01-02T15:04:05.000000Z")
		r.MaxError = pointer(seconds(s.MaxError(now)))
		r.RootDispersion += seconds(s.MaxError(now) - s.MaxErrorAt) // it grows as the bound does
		r.EstError = pointer(seconds(s.EstError(now)))
		r.Offset = pointer(float64(s.UTCAt(host.Raw).UnixNano()-host.Real) / 1e9)
	} else {
		r.Stratum, r.Leap = 16, int(discipline.LeapUnknown)
		clash := slices.ContainsFunc(s.Warnings, func(w discipline.Warning) bool { return w.ID == "majority-jumped" })
		bound := seconds(s.MaxErrorAt) + seconds(max(0, now.Sub(s.At)))*s.MaxErrorPPM*1e-6
		if s.MaxErrorAt > 0 && limit > 0 && bound > seconds(limit) && !clash {
			r.Withheld = pointer(bound)
		}
	}
	r.Targets = targets(&r)
	return r
}

func targets(r *Report) []Target {
	t := []Target{
		{Name: "Host clock offset", Goal: "below 50 ms", Have: "unknown"},
		{Name: "Jitter", Goal: "below 10 ms", Have: "unknown"},
		{Name: "Authenticated by NTS", Goal: "every selected server", Have: "unknown", Pass: r.NTS},
		{Name: "Stratum of the servers", Goal: "1", Have: "unknown", Pass: r.SourceStratum == 1 && r.known()},
	}
	if r.Offset != nil {
		t[0].Have, t[0].Pass = Duration(*r.Offset), math.Abs(*r.Offset) < offsetGoal
	}
	if r.known() {
		t[1].Have, t[1].Pass = Duration(r.Jitter), r.Jitter < jitterGoal
		t[3].Have = itoa(r.SourceStratum)
	}
	switch {
	case r.NTS:
		t[2].Have = "yes"
	case r.known():
		t[2].Have = "no"
	}
	return t
}
