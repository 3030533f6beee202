/* Strict CBOR and COSE: private to the library.
 *
 * Deterministic encoding (RFC 8949 section 4.2.1) and nothing else: shortest
 * heads, definite lengths, ascending keys. No recursion, no allocation; at most
 * NTSGW_MESSAGE_MAX bytes. Everything handed out lies inside the input. The
 * contracts are those that `make prove` checks. */
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
 * structure that is signed. The message ends with the proof: 64 bytes of signature, or
 * 32 of a MAC. */
typedef struct {
  int32_t alg; /* 0 when it is none that has a number here */
  ntsgw_piece kid;
  ntsgw_piece protected_item;
  ntsgw_piece payload_item;
  ntsgw_piece payload;
} ntsgw_envelope;

/* Keys of the payload map whose values are numbers: their places in value. */
enum {
  NTSGW_SEQUENCE = 3,
  NTSGW_STATE = 4,
  NTSGW_STRATUM = 5,
  NTSGW_LEAP = 6, /* + 1: 0 to 3 */
  NTSGW_TAI_UTC = 7,
  NTSGW_NEXT = 8,
  NTSGW_TURNAROUND = 10,
  NTSGW_SERIAL = 11,
  /* of a delegation */
  NTSGW_KEY_SERIAL = 2,
  NTSGW_NOT_BEFORE = 3,
  NTSGW_NOT_AFTER = 4,
  NTSGW_VALUES = 14
};

/* What a payload says. */
typedef struct {
  uint32_t seconds;
  uint32_t nanoseconds;
  uint32_t error_seconds;
  uint32_t error_nanoseconds;
  uint32_t value[NTSGW_VALUES];
  ntsgw_piece epoch;
  ntsgw_piece nonce;
  ntsgw_piece key; /* the whole COSE_Key */
  ntsgw_piece x;
  ntsgw_piece y; /* of an ES256 key */
} ntsgw_claims;

/* Kinds of payloads: those of the messages, and an ES256 key's delegation where a request would stand. */
enum { NTSGW_CLAIMS_BEACON = 1, NTSGW_CLAIMS_ED25519, NTSGW_CLAIMS_ES256, NTSGW_CLAIMS_RESPONSE };

/*@ predicate piece_in(ntsgw_piece q, integer from, integer to) = from <= q.at && q.at + q.n <= to;

    // What holds of claims, however few of the keys were read.
    predicate numbers_ok{L}(ntsgw_claims *c) =
      c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000 &&
      c->value[NTSGW_LEAP] <= 3 && c->value[NTSGW_TAI_UTC] <= 255;
    predicate pieces_ok{L}(ntsgw_claims *c, integer to) =
      (c->epoch.n == 0 || (c->epoch.n == 8 && piece_in(c->epoch, 0, to))) &&
      (c->nonce.n == 0 || (c->nonce.n == 16 && piece_in(c->nonce, 0, to))) &&
      (c->key.n == 0 || (piece_in(c->key, 0, to) && c->x.n == 32 && piece_in(c->x, 0, to))) &&
      (c->y.n == 0 || (c->y.n == 32 && piece_in(c->y, 0, to)));
*/

/* ntsgw_cbor_envelope opens p[0..len-1]; 1 when it is well formed. */
/*@ requires len <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. len - 1)) && \valid(e);
    requires \separated(e, p + (0 .. len - 1));
    assigns *e;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> piece_in(e->kid, 0, len) && piece_in(e->protected_item, 0, len) &&
      piece_in(e->payload_item, 0, len) && piece_in(e->payload, 0, len) && len >= (tag == 17 ? 32 : 64);
*/
int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint8_t tag, ntsgw_envelope *e);

/* ntsgw_cbor_claims reads the map in p[from..to-1] as the payload of a kind. */
/*@ requires from <= to <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. to - 1)) && \valid(c);
    requires \separated(c, p + (0 .. to - 1));
    requires 1 <= kind <= 4;
    assigns *c;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> pieces_ok(c, to);
    ensures \result == 1 && (kind == NTSGW_CLAIMS_BEACON || kind == NTSGW_CLAIMS_RESPONSE) ==> numbers_ok(c);
    ensures \result == 1 && kind == NTSGW_CLAIMS_RESPONSE ==> c->nonce.n == 16;
    ensures \result == 1 && (kind == NTSGW_CLAIMS_ED25519 || kind == NTSGW_CLAIMS_ES256) ==> c->key.n > 0 && c->x.n == 32;
    ensures \result == 1 && kind == NTSGW_CLAIMS_ES256 ==> c->y.n == 32;
*/
int ntsgw_cbor_claims(const uint8_t *p, uint32_t from, uint32_t to, int kind, ntsgw_claims *c);

/* ntsgw_claims_time gives the time t that is claimed, on TAI, ns since 1970, and
 * t - E and t + E: bounds that the interval arithmetic takes, with any turnaround
 * (below 2^32 ns) taken off. */
/*@ requires \valid_read(c) && \valid(e) && \separated(c, e);
    requires c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000 &&
      c->value[NTSGW_TAI_UTC] <= 255;
    assigns e->lo.tai, e->hi.tai;
    ensures \result == (c->seconds + c->value[NTSGW_TAI_UTC]) * 1000000000 + c->nanoseconds;
    ensures e->lo.tai == \result - (c->error_seconds * 1000000000 + c->error_nanoseconds);
    ensures e->hi.tai == \result + (c->error_seconds * 1000000000 + c->error_nanoseconds);
    ensures -1000000000000000 + 4294967296 <= e->lo.tai <= e->hi.tai <= 4500000000000000000;
*/
int64_t ntsgw_claims_time(const ntsgw_claims *c, ntsgw_interval *e);

/* ntsgw_cbor_put appends a head to out (5 bytes are enough) and returns its
 * length: the shortest form. */
/*@ requires major < 8 && \valid(out + (0 .. 4));
    assigns out[0 .. 4];
    ensures 1 <= \result <= 5;
*/
uint32_t ntsgw_cbor_put(uint8_t *out, uint8_t major, uint32_t arg);

#endif
