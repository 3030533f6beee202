package certs

import (
	"fmt"
	"math"
	"strings"

	"github.com/ntsgw/ntsgw/configs"
)

// String returns the report as lines for a person.
func (r Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch {
	case !r.Accepted:
		line("%s: refused (%s): %s", r.Server, r.Reason, strings.TrimPrefix(r.Text, r.Server+": "))
	case r.DatesDeferred:
		line("%s: accepted, dates not judged: the time is not known", r.Server)
	default:
		line("%s: accepted, %s left", r.Server, configs.Counted(int(math.Round(r.DaysLeft)), "day", "days"))
	}
	for i, c := range r.Chain {
		line("  %d %s", i, c.Subject)
		line("    issuer %s, until %s", c.Issuer, stamp(c.NotAfter))
		line("    pin %s", c.Pin)
		if n := c.Revocation; n != nil {
			from := n.Source
			if n.From != "" {
				from += " " + n.From
			}
			if n.Cached {
				from += ", kept"
			}
			switch n.Status {
			case "unknown":
				line("    revocation unknown")
			case "good":
				line("    revocation good (%s) until %s", from, stamp(n.NextUpdate))
			default:
				line("    revocation %s (%s)", n.Status, from)
			}
			for _, why := range n.Problems {
				line("      %s", why)
			}
		}
	}
	if len(r.Chain) > 0 {
		switch {
		case r.PinsSet == 0:
			line("  pins: none configured")
		default:
			line("  pins: %d of %d in the chain", len(r.PinsMet), r.PinsSet)
		}
		staple := ""
		if r.MustStaple {
			staple = ", the certificate demands a staple"
		}
		line("  revocation: %s%s", r.Mode, staple)
	}
	return b.String()
}
