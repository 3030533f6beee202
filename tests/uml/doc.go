// Package uml tries the gateway on a clock that tests may set: that of a user-mode Linux guest,
// with a kernel and an adjtimex of its own. The guest's true error is measured from outside, by
// probes against this machine's clock, which is what the test servers give and which nothing
// here ever sets.
//
// The tests need root, Debian's user-mode-linux, iproute2 and chrony, and skip without them; gcc builds what is preloaded into
// user-mode Linux so that its time can skip, and so that it runs on processors with AMX.
// NTSGW_UML=long makes the runs beside chrony as long as `make bench-clock` wants them, and
// NTSGW_UML_KEEP names a folder for what the probes saw: seconds since the start, error, half the
// round trip and the kernel's maximum error in ns, frequency in ppm.
package uml
