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

#define NTSGW_DEPTH_MAX 4 /* of what is skipped */

/* COSE_Sign1 (tag 18) or COSE_Mac0 (tag 17), RFC 9052 sections 4.2 and 6.2: its byte strings, heads
 * included. The message ends with the proof: 64 bytes of signature, or 32 of a MAC. They lie as in the
 * structure that is signed: once the key id was looked at, the external data takes its place. */
enum { NTSGW_CONTEXT, NTSGW_PROTECTED, NTSGW_KID, NTSGW_EXTERNAL = NTSGW_KID, NTSGW_CONTENT, NTSGW_PROOF, NTSGW_PIECES };
typedef struct {
  ntsgw_span piece[NTSGW_PIECES];
  int32_t alg;
} ntsgw_envelope;

/* What a payload says, and where: places in value. Bytes and maps are given by where they
 * begin in the input, their head included. */
enum {
  NTSGW_PAYLOAD, /* the maps that are read */
  NTSGW_DELEGATED,
  NTSGW_TIME,
  NTSGW_GUARANTEE,
  NTSGW_COSE_KEY, /* 40 bytes, x from the 9th on; of an ES256 key 75, y from the 44th on */
  NTSGW_EPOCH,    /* 1 + 8 bytes */
  NTSGW_STATE,
  NTSGW_STRATUM,
  NTSGW_LEAP, /* 2^32 - 1: -1 */
  NTSGW_TAI_UTC,
  NTSGW_SECONDS,
  NTSGW_NANOSECONDS,
  NTSGW_ERROR_SECONDS,
  NTSGW_ERROR_NANOSECONDS,
  NTSGW_KEY_SERIAL, /* of a delegation */
  NTSGW_NOT_BEFORE,
  NTSGW_NOT_AFTER,
  NTSGW_KEY_TYPE,
  NTSGW_CURVE,
  NTSGW_X,
  NTSGW_Y,
  NTSGW_SEQUENCE, /* of a beacon */
  NTSGW_NEXT,
  NTSGW_NONCE, /* 1 + 16 bytes; of an answer */
  NTSGW_TURNAROUND,
  NTSGW_SERIAL,
  NTSGW_WIDTH, /* of a request */
  NTSGW_VALUES
};

typedef struct {
  uint32_t value[NTSGW_VALUES];
} ntsgw_claims;

/* Kinds of payloads: those of the messages, and an ES256 key's delegation where a request would stand. */
enum { NTSGW_CLAIMS_BEACON = 1, NTSGW_CLAIMS_ED25519, NTSGW_CLAIMS_ES256, NTSGW_CLAIMS_RESPONSE };

/*@ predicate piece_in(ntsgw_span q, uint8_t *p, integer n) =
      \base_addr(q.p) == \base_addr(p) && 0 <= q.p - p && q.p - p + q.n <= n;

    // What holds of claims, however few of the keys were read.
    predicate numbers_ok{L}(ntsgw_claims *c) =
      c->value[NTSGW_NANOSECONDS] < 1000000000 && c->value[NTSGW_ERROR_SECONDS] < 65536 &&
      c->value[NTSGW_ERROR_NANOSECONDS] < 1000000000 && c->value[NTSGW_TAI_UTC] <= 255 &&
      (c->value[NTSGW_LEAP] <= 2 || c->value[NTSGW_LEAP] == 4294967295);
    // n bytes that were found begin at a place other than 0.
    predicate place_ok(integer at, integer n, integer to) = at == 0 || at + n <= to;
    predicate places_ok{L}(ntsgw_claims *c, integer to) =
      place_ok(c->value[NTSGW_EPOCH], 9, to) && place_ok(c->value[NTSGW_NONCE], 17, to) && place_ok(c->value[NTSGW_COSE_KEY], 40, to);
*/

/* ntsgw_cbor_envelope opens p[0..len-1]; 1 when it is well formed. */
/*@ requires len <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. len - 1)) && \valid(e);
    requires \separated(e, p + (0 .. len - 1)) && (tag == 17 || tag == 18);
    assigns *e;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> e->piece[NTSGW_PROOF].n == (tag == 17 ? 34 : 66);
    ensures \forall integer k; NTSGW_PROTECTED <= k < NTSGW_PIECES ==> piece_in(e->piece[k], p, len);
*/
int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint32_t tag, ntsgw_envelope *e);

/* ntsgw_cbor_claims reads the content of an envelope, n bytes at p, as the payload of a kind. */
/*@ requires n <= NTSGW_MESSAGE_MAX && \valid_read(p + (0 .. n - 1)) && \valid(c);
    requires \separated(c, p + (0 .. n - 1));
    requires 1 <= kind <= 4;
    assigns *c;
    ensures \result == 0 || \result == 1;
    ensures numbers_ok(c) && places_ok(c, n);
*/
int ntsgw_cbor_claims(const uint8_t *p, uint32_t n, uint32_t kind, ntsgw_claims *c);

/* ntsgw_claims_time gives the time that is claimed, on TAI, ns since 1970, and
 * t - E and t + E: bounds that the interval arithmetic takes, with any turnaround
 * (below 2^32 ns) taken off. */
/*@ requires \valid_read(c) && \valid(t) && \valid(e) && \separated(c, e, t) && numbers_ok(c);
    assigns *t, e->lo.tai, e->hi.tai;
    ensures *t == (c->value[NTSGW_SECONDS] + c->value[NTSGW_TAI_UTC]) * 1000000000 + c->value[NTSGW_NANOSECONDS];
    ensures e->lo.tai == *t - (c->value[NTSGW_ERROR_SECONDS] * 1000000000 + c->value[NTSGW_ERROR_NANOSECONDS]);
    ensures e->hi.tai == *t + (c->value[NTSGW_ERROR_SECONDS] * 1000000000 + c->value[NTSGW_ERROR_NANOSECONDS]);
    ensures NTSGW_TIME_MIN + 4294967296 <= e->lo.tai <= e->hi.tai <= NTSGW_TIME_MAX;
*/
void ntsgw_claims_time(const ntsgw_claims *c, int64_t *t, ntsgw_interval *e);

/* ntsgw_cbor_put appends a head to out (5 bytes are enough) and returns its
 * length: the shortest form. */
/*@ requires major < 8 && \valid(out + (0 .. 4));
    assigns out[0 .. 4];
    ensures 1 <= \result <= 5;
*/
uint32_t ntsgw_cbor_put(uint8_t *out, uint32_t major, uint32_t arg);

#endif
