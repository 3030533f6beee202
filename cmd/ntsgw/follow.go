package main

import (
	"fmt"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/loop"
)

// keptMaxError is more than maxerror grows to, by 500 ppm, where a daemon that polls every 2048 s sets it to 0 each time.
const keptMaxError = 2 * time.Second

// kernelBound warns where the kernel's own maxerror, and not what was measured, bounds a clock that is followed: it grows
// to 16 s under a program that steers without telling it, and nothing is served over NTS and PTP then.
func kernelBound(h *loop.Host) []discipline.Warning {
	if h.Mode != loop.Follow || h.MaxError != h.Kernel.MaxError || h.Kernel.MaxError < keptMaxError {
		return nil
	}
	return []discipline.Warning{{ID: "kernel-maxerror", Text: fmt.Sprintf("The bound is the kernel's own maxerror, %v: who steers the host clock does not keep it, "+
		"and from 16 s on nothing is served over NTS and PTP; let chronyd or ntpd steer the clock, or set mode = \"observe\" in [clock], which bounds the gateway's own time alone.",
		h.Kernel.MaxError.Round(time.Millisecond))}}
}
