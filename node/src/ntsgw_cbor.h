/* Strict CBOR and COSE: private to the library.
 *
 * Deterministic encoding (RFC 8949 section 4.2.1) and nothing else: shortest
 * heads, definite lengths, ascending keys. No recursion, no allocation; at most
 * NTSGW_MESSAGE_MAX bytes. Everything handed out lies inside the input. */
#ifndef NTSGW_CBOR_H
#define NTSGW_CBOR_H

#include "ntsgw_node.h"

#define NTSGW_DEPTH_MAX 4

/* A piece of the input: n bytes from at. */
typedef struct {
  uint8_t at;
  uint8_t n;
} ntsgw_piece;

/* COSE_Sign1 (tag 18) or COSE_Mac0 (tag 17), RFC 9052 sections 4.2 and 6.2. The
 * two *_item pieces include their byte string's head, as they stand in the
 * structure that is signed. */
typedef struct {
  int16_t alg;
  ntsgw_piece kid;
  ntsgw_piece protected_item;
  ntsgw_piece payload_item;
  ntsgw_piece payload;
  ntsgw_piece proof;
} ntsgw_envelope;

/* Time of a beacon or a response. Pieces point into the message. */
typedef struct {
  uint32_t seconds;
  uint32_t nanoseconds;
  uint32_t error_seconds;
  uint32_t error_nanoseconds;
  uint32_t sequence;
  uint32_t turnaround;
  uint32_t serial;
  uint32_t next;
  ntsgw_piece epoch;
  ntsgw_piece nonce;
  uint8_t state;
  uint8_t stratum;
  uint8_t tai_utc;
  int8_t leap;
} ntsgw_time;

/* A delegation; key is 32 bytes (Ed25519), or x with y right after it is not
 * promised: y is a piece of its own (P-256). */
typedef struct {
  int16_t alg;
  ntsgw_piece x;
  ntsgw_piece y;
  uint32_t serial;
  uint32_t not_before;
  uint32_t not_after;
} ntsgw_delegation;

/*@ predicate piece_in(ntsgw_piece q, integer from, integer len) = from <= q.at && q.at + q.n <= len;
*/

/* ntsgw_cbor_envelope opens p[0..len-1]; 1 when it is well formed. */
/*@ requires len <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. len - 1)) && \valid(e);
    requires \separated(e, p + (0 .. len - 1));
    assigns *e;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> piece_in(e->kid, 0, len) && piece_in(e->protected_item, 0, len) &&
      piece_in(e->payload_item, 0, len) && piece_in(e->payload, 0, len) && piece_in(e->proof, 0, len);
*/
int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint8_t tag, ntsgw_envelope *e);

/* ntsgw_cbor_time reads the map in p[from..to-1] as a beacon's (response 0) or
 * a response's (response 1). */
/*@ requires from <= to <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. to - 1)) && \valid(t);
    requires \separated(t, p + (0 .. to - 1));
    assigns *t;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> t->nanoseconds < 1000000000 && t->error_seconds < 65536 && t->error_nanoseconds < 1000000000 &&
      t->next < 65536 && 1 <= t->state <= 2 && 1 <= t->stratum <= 15 && -1 <= t->leap <= 2;
    ensures \result == 1 ==> t->epoch.n == 8 && piece_in(t->epoch, from, to);
    ensures \result == 1 && response != 0 ==> t->nonce.n == 16 && piece_in(t->nonce, from, to);
*/
int ntsgw_cbor_time(const uint8_t *p, uint32_t from, uint32_t to, int response, ntsgw_time *t);

/* ntsgw_cbor_delegation reads the map in p[from..to-1]. */
/*@ requires from <= to <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. to - 1)) && \valid(d);
    requires \separated(d, p + (0 .. to - 1));
    assigns *d;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> d->alg == NTSGW_ED25519 || d->alg == NTSGW_ES256;
    ensures \result == 1 ==> d->x.n == 32 && piece_in(d->x, from, to);
    ensures \result == 1 && d->alg == NTSGW_ES256 ==> d->y.n == 32 && piece_in(d->y, from, to);
*/
int ntsgw_cbor_delegation(const uint8_t *p, uint32_t from, uint32_t to, ntsgw_delegation *d);

/* ntsgw_cbor_put appends a head to out (5 bytes are enough) and returns its
 * length: the shortest form. */
/*@ requires major < 8 && \valid(out + (0 .. 4));
    assigns out[0 .. 4];
    ensures 1 <= \result <= 5;
*/
uint32_t ntsgw_cbor_put(uint8_t *out, uint8_t major, uint32_t arg);

#endif
