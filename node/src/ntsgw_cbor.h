/* Strict CBOR and COSE: private to the library.
 *
 * Deterministic encoding (RFC 8949 section 4.2.1) and nothing else: shortest
 * heads, definite lengths, ascending keys. No recursion, no allocation; at most
 * NTSGW_MESSAGE_MAX bytes. Everything handed out lies inside the input. The
 * contracts are those that `make prove` checks. */
#ifndef NTSGW_CBOR_H
#define NTSGW_CBOR_H

#include "ntsgw_interval.h"
#include "ntsgw_node.h"

#define NTSGW_DEPTH_MAX 4

/* A piece of the input: n bytes from at. */
typedef struct {
  uint32_t at;
  uint32_t n;
} ntsgw_piece;

/* COSE_Sign1 (tag 18) or COSE_Mac0 (tag 17), RFC 9052 sections 4.2 and 6.2. The
 * two *_item pieces include their byte string's head, as they stand in the
 * structure that is signed. The message ends with the proof: 64 bytes of signature, or
 * 32 of a MAC. */
typedef struct {
  int32_t alg; /* 0 when it is none that has a number here */
  ntsgw_piece kid;
  ntsgw_piece protected_item;
  ntsgw_piece payload_item;
  ntsgw_piece payload;
} ntsgw_envelope;

/* Keys of the payload map: their places in value. */
enum {
  NTSGW_EPOCH = 2, /* where its 8 bytes begin in the input */
  NTSGW_SEQUENCE = 3,
  NTSGW_STATE = 4,
  NTSGW_STRATUM = 5,
  NTSGW_LEAP = 6, /* + 1: 0 to 3 */
  NTSGW_TAI_UTC = 7,
  NTSGW_NEXT = 8,
  NTSGW_NONCE = 9, /* where its 16 bytes begin */
  NTSGW_TURNAROUND = 10,
  NTSGW_SERIAL = 11,
  /* of a delegation */
  NTSGW_COSE_KEY = 1, /* where it begins: x is 8 bytes on, y of an ES256 key 43 */
  NTSGW_KEY_SERIAL = 10, /* keys 2 to 4 */
  NTSGW_NOT_BEFORE = 11,
  NTSGW_NOT_AFTER = 12,
  NTSGW_VALUES = 14
};

/* What a payload says. */
typedef struct {
  uint32_t value[NTSGW_VALUES];
  uint32_t seconds;
  uint32_t nanoseconds;
  uint32_t error_seconds;
  uint32_t error_nanoseconds;
  uint32_t key_n; /* bytes of the COSE_Key */
} ntsgw_claims;

/* Kinds of payloads: those of the messages, and an ES256 key's delegation where a request would stand. */
enum { NTSGW_CLAIMS_BEACON = 1, NTSGW_CLAIMS_ED25519, NTSGW_CLAIMS_ES256, NTSGW_CLAIMS_RESPONSE };

/*@ predicate piece_in(ntsgw_piece q, integer from, integer to) = from <= q.at && q.at + q.n <= to;

    // What holds of claims, however few of the keys were read.
    predicate numbers_ok{L}(ntsgw_claims *c) =
      c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000 &&
      c->value[NTSGW_LEAP] <= 3 && c->value[NTSGW_TAI_UTC] <= 255;
    // n bytes that were found begin at a place other than 0.
    predicate place_ok(integer at, integer n, integer to) = at == 0 || at + n <= to;
    predicate places_ok{L}(ntsgw_claims *c, integer to) =
      place_ok(c->value[NTSGW_EPOCH], 8, to) && place_ok(c->value[NTSGW_NONCE], 16, to);
    predicate key_ok{L}(ntsgw_claims *c, integer n, integer to) =
      c->key_n == 0 || (c->key_n >= n && c->value[NTSGW_COSE_KEY] + c->key_n <= to);
*/

/* ntsgw_cbor_envelope opens p[0..len-1]; 1 when it is well formed. */
/*@ requires len <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. len - 1)) && \valid(e);
    requires \separated(e, p + (0 .. len - 1));
    assigns *e;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> piece_in(e->kid, 0, len) && piece_in(e->protected_item, 0, len) &&
      piece_in(e->payload_item, 0, len) && piece_in(e->payload, 0, len) && len >= (tag == 17 ? 32 : 64);
*/
int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint32_t tag, ntsgw_envelope *e);

/* ntsgw_cbor_claims reads a map in p as the payload of a kind. */
/*@ requires at.at + at.n <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. at.at + at.n - 1)) && \valid(c);
    requires \separated(c, p + (0 .. at.at + at.n - 1));
    requires 1 <= kind <= 4;
    assigns *c;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 && (kind == NTSGW_CLAIMS_BEACON || kind == NTSGW_CLAIMS_RESPONSE) ==>
      numbers_ok(c) && places_ok(c, at.at + at.n);
    ensures \result == 1 && kind == NTSGW_CLAIMS_ED25519 ==> key_ok(c, 33, at.at + at.n);
    ensures \result == 1 && kind == NTSGW_CLAIMS_ES256 ==> key_ok(c, 66, at.at + at.n);
*/
int ntsgw_cbor_claims(const uint8_t *p, ntsgw_piece at, int kind, ntsgw_claims *c);

/* ntsgw_claims_time gives the time that is claimed, on TAI, ns since 1970, and
 * t - E and t + E: bounds that the interval arithmetic takes, with any turnaround
 * (below 2^32 ns) taken off. */
/*@ requires \valid_read(c) && \valid(t) && \valid(e) && \separated(c, e, t) && numbers_ok(c);
    assigns *t, e->lo.tai, e->hi.tai;
    ensures *t == (c->seconds + c->value[NTSGW_TAI_UTC]) * 1000000000 + c->nanoseconds;
    ensures e->lo.tai == *t - (c->error_seconds * 1000000000 + c->error_nanoseconds);
    ensures e->hi.tai == *t + (c->error_seconds * 1000000000 + c->error_nanoseconds);
    ensures NTSGW_TIME_MIN + 4294967296 <= e->lo.tai <= e->hi.tai <= NTSGW_TIME_MAX;
*/
void ntsgw_claims_time(const ntsgw_claims *c, int64_t *t, ntsgw_interval *e);

/* ntsgw_cbor_put appends a head to out (5 bytes are enough) and returns its
 * length: the shortest form. */
/*@ requires major < 8 && \valid(out + (0 .. 4));
    assigns out[0 .. 4];
    ensures 1 <= \result <= 5;
*/
uint32_t ntsgw_cbor_put(uint8_t *out, uint8_t major, uint32_t arg);

#endif
