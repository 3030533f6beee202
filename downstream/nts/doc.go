// Package nts serves the timeline over NTS (RFC 8915) to nodes that speak TLS 1.3: an NTS-KE
// listener hands out keys and cookies, and a UDP socket answers NTP requests that are
// authenticated by them, and no others.
//
// Snapshots of the timeline come in; datagrams go out, whose root distance covers the bound at
// the moment they were stamped. While the timeline is not synchronized no time is given.
package nts
