// Package signing keeps the keys that beacons are signed with: files in, signing keys and signed
// delegations out (docs/beacon-protocol.md, "Keys"). A root key a configured algorithm signs
// delegations only and may be kept elsewhere; the online key that it delegates signs beacons, is
// renewed at half of its validity, and its secret half is erased then.
//
// A Store is safe for concurrent use, also by several processes on the same folder: changes are
// made under a file lock, and a Store notices those of others.
package signing
