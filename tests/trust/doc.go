// Package trust runs the built program against NTS servers whose certificates, revocation, clocks
// and files are wrong in every way that has a name, over real TLS connections: each case is refused
// under its own reason, the timeline stays as it was, and the next honest server is accepted.
//
// Nothing here sets a clock. A host whose clock is wrong is one whose servers, with certificates of
// their own time, all tell another time than the host's.
package trust
