// Package ptp is a PTP grandmaster (IEEE 1588-2019, default profiles, annexes I.3 and I.4) on UDP over IPv4 or IPv6:
// two-step Sync, end-to-end or peer delays, and the kernel's software time stamps.
//
// Snapshots of the timeline come in; Announce, Sync, Follow_Up and Delay_Resp, or Pdelay_Resp with its Follow_Up, go out
// by multicast on each interface. The bound is in every Announce, as the clock accuracy and in nanoseconds as the
// enhanced accuracy metrics (clause 16.12): it holds for the time stamps of the messages, until the next
// Announce is overdue. While the timeline is not synchronized nothing is sent at all.
//
// Nothing of PTP is authenticated. Announces of others are counted and change nothing, else any of
// them could silence this one.
package ptp
