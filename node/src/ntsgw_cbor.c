#include "ntsgw_cbor.h"

#include "ntsgw_interval.h"

enum { UINT = 0, NEGINT = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, OTHER = 7 };

/* Smaller when called, on cores of few registers. */
#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART
#endif

/* Bytes from pos up to end are still to be read. What is not as it must be makes
 * it bad for good: reading on does no harm, so that only the end is judged. Of the
 * last data item's head the argument is width bytes long, in two words. */
typedef struct {
  const uint8_t *p;
  uint32_t pos;
  uint32_t end;
  uint32_t bad;
  uint32_t major;
  uint32_t width;
  uint32_t high;
  uint32_t low;
} reader;

/*@ predicate reader_ok{L}(reader *r) = r->pos <= r->end <= NTSGW_MESSAGE_MAX && \valid_read(r->p + (0 .. r->end - 1));
    predicate head_ok{L}(reader *r) = r->major <= 7;
*/

/* shortest_float says whether no shorter float has the same value. A float with
 * used fraction bits keeps its value in the shorter form when these, its largest
 * exponent and its smallest subnormal allow it. */
/*@ requires \valid_read(r);
    assigns \nothing;
    ensures \result == 0 || \result == 1;
*/
static int shortest_float(const reader *r) {
  uint32_t high = r->high, low = r->low;
  int32_t e, used = 23, bias = 127, bits = 10, top = 15;
  if (r->width == 8) {
    used = 52, bias = 1023, bits = 23, top = 127;
    e = (int32_t)(high / 0x100000u % 0x800u);
    high %= 0x100000u;
  } else {
    e = (int32_t)(low / 0x800000u % 0x100u);
    low %= 0x800000u;
  }
  /*@ loop invariant 0 <= used <= 52;
      loop assigns used, high, low;
      loop variant used;
  */
  while (used > 0 && low % 2u == 0) {
    low = low / 2u + high % 2u * 0x80000000u;
    high /= 2u;
    used--;
  }
  if (e == 0) return used != 0;
  if (used > bits) return 1;
  e -= bias;
  if (e > bias) return 0;
  return e > top || used - e >= top + bits;
}

/* shortest says whether the head's argument has no shorter form. */
/*@ requires \valid_read(r);
    assigns \nothing;
    ensures \result == 0 || \result == 1;
*/
static int shortest(const reader *r) {
  uint32_t n = r->width, low = r->low;
  if (r->major == OTHER) return n == 1 ? low >= 32 : n == 2 || shortest_float(r);
  return n == 8 ? r->high != 0 : low >= (n == 1 ? 24u : n == 2 ? 0x100u : 0x10000u);
}

/* next reads a head: the shortest form only, no indefinite length. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos) && head_ok(r);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART void next(reader *r) {
  uint32_t info, n, i;
  r->major = OTHER;
  r->width = 0;
  r->high = 0;
  if (r->pos == r->end) {
    r->bad = 1;
    return;
  }
  info = r->p[r->pos];
  r->pos++;
  r->major = info / 32u;
  info %= 32u;
  r->low = info;
  if (info < 24) return;
  n = (uint32_t)1 << (info - 24u);
  if (info > 27 || r->end - r->pos < n) {
    r->bad = 1;
    return;
  }
  r->width = n;
  r->low = 0;
  /*@ loop invariant i <= n && reader_ok(r) && r->pos == \at(r->pos, LoopEntry) + i && r->pos + (n - i) <= r->end;
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop assigns i, r->high, r->low, r->pos;
      loop variant n - i;
  */
  for (i = 0; i < n; i++) {
    r->high = r->high * 256u + r->low / 0x1000000u;
    r->low = r->low * 256u + r->p[r->pos];
    r->pos++;
  }
  if (!shortest(r)) r->bad = 1;
}

/* length reads the head of an item of a kind, and how many bytes or items it has:
 * not more than there are bytes left. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos) && head_ok(r);
    ensures \result <= r->end - r->pos;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART uint32_t length(reader *r, uint32_t major) {
  next(r);
  if (r->major == major && r->high == 0 && r->low <= r->end - r->pos) return r->low;
  r->bad = 1;
  return 0;
}

/* number reads an unsigned integer up to most; 0 when there is none. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos) && head_ok(r);
    ensures \result <= most;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART uint32_t number(reader *r, uint32_t most) {
  next(r);
  if (r->major == UINT && r->high == 0 && r->low <= most) return r->low;
  r->bad = 1;
  return 0;
}

/* octets reads n bytes that must be the lowest of want, the highest first. */
/*@ requires \valid(r) && reader_ok(r) && 1 <= n <= 4;
    assigns r->pos, r->bad;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos == \old(r->pos) + n;
*/
static APART void octets(reader *r, uint32_t want, uint32_t n) {
  /*@ loop invariant n <= \at(n, Pre) && reader_ok(r) && r->pos >= \at(r->pos, Pre);
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0 && r->pos == \at(r->pos, Pre) + (\at(n, Pre) - n);
      loop assigns n, r->pos, r->bad;
      loop variant n;
  */
  while (n > 0) {
    n--;
    if (r->pos == r->end || r->p[r->pos] != (uint8_t)(want >> (8u * n))) {
      r->bad = 1;
    } else {
      r->pos++;
    }
  }
}

/*@ requires from <= to <= NTSGW_MESSAGE_MAX;
    assigns \nothing;
    ensures \result.at == from && \result.at + \result.n == to;
*/
static ntsgw_piece stretch(uint32_t from, uint32_t to) {
  ntsgw_piece q;
  q.at = (uint8_t)from;
  q.n = (uint8_t)(to - from);
  return q;
}

/* bytes reads a byte string; when n isn't 0 it must have that length. */
/*@ requires \valid(r) && reader_ok(r) && n <= NTSGW_MESSAGE_MAX;
    requires \valid(q) && \separated(r, q);
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low, *q;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos) && head_ok(r);
    ensures q->at >= \old(r->pos) && q->at + q->n == r->pos;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && (n != 0 ==> q->n == n);
*/
static APART void bytes(reader *r, uint32_t n, ntsgw_piece *q) {
  uint32_t from, size = length(r, BYTES);
  if (n != 0 && size != n) r->bad = 1;
  from = r->pos;
  r->pos += size;
  *q = stretch(from, r->pos);
}

/* before compares two stretches of the input bytewise: 1 when p[a..a_end-1] sorts
 * before p[b..b_end-1]. */
/*@ requires a <= a_end <= NTSGW_MESSAGE_MAX && b <= b_end <= NTSGW_MESSAGE_MAX;
    requires \valid_read(p + (0 .. a_end - 1)) && \valid_read(p + (0 .. b_end - 1));
    assigns \nothing;
    ensures \result == 0 || \result == 1;
*/
static int before(const uint8_t *p, uint32_t a, uint32_t a_end, uint32_t b, uint32_t b_end) {
  /*@ loop invariant a <= a_end && b <= b_end;
      loop assigns a, b;
      loop variant a_end - a;
  */
  for (; a < a_end && b < b_end; a++, b++) {
    if (p[a] != p[b]) return p[a] < p[b];
  }
  return b < b_end;
}

/* A container that is open: items left, where it begins, its last key. */
typedef struct {
  uint16_t left;
  uint8_t is_map;
  uint8_t self;
  uint8_t key;
  uint8_t key_end;
} container;

/*@ predicate open_ok{L}(container *open, integer depth, integer pos) = depth <= NTSGW_DEPTH_MAX &&
      (\forall integer k; 0 <= k < depth ==> 1 <= open[k].left) &&
      (\forall integer k; 0 <= k < depth ==> open[k].self <= pos) &&
      (\forall integer k; 0 <= k < depth ==> open[k].key <= open[k].key_end <= pos);
*/

/* complete takes note of an item that began at start and is complete; it may complete
 * those that it lies in. How many are still open comes back. */
/*@ requires \valid(r) && reader_ok(r) && start <= r->pos;
    requires \valid(open + (0 .. NTSGW_DEPTH_MAX - 1)) && \separated(r, open + (0 .. NTSGW_DEPTH_MAX - 1));
    requires open_ok(open, depth, r->pos);
    assigns r->bad, open[0 .. NTSGW_DEPTH_MAX - 1];
    ensures \result <= depth;
    ensures open_ok(open, \result, r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0;
*/
static uint32_t complete(reader *r, container *open, uint32_t depth, uint32_t start) {
  /*@ loop invariant depth <= \at(depth, Pre) && open_ok(open, depth, r->pos) && start <= r->pos;
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop assigns depth, start, r->bad, open[0 .. NTSGW_DEPTH_MAX - 1];
      loop variant depth;
  */
  while (depth > 0) {
    container *c = &open[depth - 1];
    if (c->is_map && c->left % 2 == 0) {
      if (!before(r->p, c->key, c->key_end, start, r->pos)) r->bad = 1;
      c->key = (uint8_t)start;
      c->key_end = (uint8_t)r->pos;
    }
    c->left--;
    //@ assert reader_ok(r) && start <= r->pos && r->pos <= NTSGW_MESSAGE_MAX;
    //@ assert c->left > 0 ==> \forall integer k; 0 <= k < depth ==> 1 <= open[k].left;
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].self <= r->pos;
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].key <= open[k].key_end <= r->pos;
    if (c->left > 0) break;
    start = c->self;
    depth--;
  }
  return depth;
}

/* skip passes over one item of any kind, nested at most NTSGW_DEPTH_MAX deep,
 * and holds it to the same encoding: the keys of every map ascend bytewise. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos) && head_ok(r);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART void skip(reader *r) {
  container open[NTSGW_DEPTH_MAX];
  uint32_t depth = 0, items, start;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre);
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop invariant open_ok(&open[0], depth, r->pos);
      loop assigns r->pos, r->bad, r->major, r->width, r->high, r->low, depth, items, start, open[0 .. NTSGW_DEPTH_MAX - 1];
      loop variant r->end - r->pos;
  */
  do {
    start = r->pos;
    next(r);
    items = 0;
    if (r->major == TAG) {
      items = 1;
    } else if (r->major >= BYTES && r->major <= MAP) {
      if (r->high != 0 || r->low > r->end - r->pos) {
        r->bad = 1;
      } else if (r->major <= TEXT) {
        r->pos += r->low;
      } else {
        items = r->major == MAP ? 2 * r->low : r->low;
      }
    }
    if (r->major >= ARRAY && r->major <= TAG && depth == NTSGW_DEPTH_MAX) r->bad = 1;
    if (r->bad) return;
    //@ assert r->pos > \at(r->pos, LoopCurrent) && start == \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
    //@ assert items <= 2 * NTSGW_MESSAGE_MAX && start < r->pos <= NTSGW_MESSAGE_MAX;
    //@ assert open_ok(&open[0], depth, r->pos);
    if (items > 0) {
      open[depth].left = (uint16_t)items;
      open[depth].is_map = r->major == MAP;
      open[depth].self = (uint8_t)start;
      open[depth].key = open[depth].key_end = 0;
      depth++;
      //@ assert \forall integer k; 0 <= k < depth ==> 1 <= open[k].left;
      //@ assert \forall integer k; 0 <= k < depth ==> open[k].self <= r->pos;
      //@ assert \forall integer k; 0 <= k < depth ==> open[k].key <= open[k].key_end <= r->pos;
      //@ assert r->pos > \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
    } else {
      depth = complete(r, open, depth, start);
    }
  } while (depth > 0);
}

/* key reads a map's next key, an integer that sorts after the last one, which it
 * replaces. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(last) && \separated(r, last) && last->at + last->n <= r->pos;
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low, *last;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos) && head_ok(r);
    ensures last->at + last->n <= r->pos;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART void key(reader *r, ntsgw_piece *last) {
  uint32_t from = r->pos;
  next(r);
  if (r->major > NEGINT || !before(r->p, last->at, (uint32_t)last->at + last->n, from, r->pos)) r->bad = 1;
  *last = stretch(from, r->pos);
}

/* extended_time reads tag 1001 (RFC 9581): unknown unsigned keys are critical
 * and refused, unknown negative ones are skipped. E is exactly {1: s, -9: ns}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(c) && \separated(r, c);
    requires c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low, c->seconds, c->nanoseconds, c->error_seconds, c->error_nanoseconds;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0;
    ensures c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
*/
static void extended_time(reader *r, ntsgw_claims *c) {
  ntsgw_piece last;
  uint32_t left, missing = 7;
  octets(r, 0xd903e9, 3);
  last = stretch(0, 0);
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre) && last.at + last.n <= r->pos;
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop invariant c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
      loop assigns r->pos, r->bad, r->major, r->width, r->high, r->low, left, last, missing,
        c->seconds, c->nanoseconds, c->error_seconds, c->error_nanoseconds;
      loop variant left;
  */
  for (left = length(r, MAP); left > 0; left--) {
    key(r, &last);
    if (r->major == UINT) {
      if (r->high != 0 || r->low != 1) r->bad = 1;
      c->seconds = number(r, 0xffffffff);
      missing -= 1;
    } else if (r->high == 0 && r->low == 7) {
      octets(r, 0xa201, 2);
      c->error_seconds = number(r, 0xffff);
      octets(r, 0x28, 1);
      c->error_nanoseconds = number(r, 999999999);
      missing -= 2;
    } else if (r->high == 0 && r->low == 8) {
      c->nanoseconds = number(r, 999999999);
      missing -= 4;
    } else {
      skip(r);
    }
  }
  if (missing) r->bad = 1;
}

/* cose_key reads exactly {1: 1, -1: 6, -2: x} or {1: 2, -1: 1, -2: x, -3: y}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(c) && \separated(r, c) && (r->bad == 0 ==> pieces_ok(c, r->pos));
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low, c->key, c->x, c->y;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && pieces_ok(c, r->pos);
    ensures r->bad == 0 && es256 ==> c->y.n == 32;
    ensures !es256 ==> c->y.n == \old(c->y.n);
*/
static void cose_key(reader *r, int es256, ntsgw_claims *c) {
  uint32_t from = r->pos;
  octets(r, es256 ? 0xa4010220 : 0xa3010120, 4);
  octets(r, es256 ? 0x0121 : 0x0621, 2);
  bytes(r, 32, &c->x);
  //@ assert r->bad == 0 ==> c->x.n == 32 && piece_in(c->x, 0, r->pos);
  //@ assert r->bad == 0 ==> c->y.n == 0 || (c->y.n == 32 && piece_in(c->y, 0, r->pos));
  if (es256) {
    octets(r, 0x22, 1);
    bytes(r, 32, &c->y);
    //@ assert r->bad == 0 ==> c->y.n == 32 && piece_in(c->y, 0, r->pos);
  }
  c->key = stretch(from, r->pos);
  //@ assert r->bad == 0 ==> piece_in(c->key, 0, r->pos) && c->x.n == 32 && piece_in(c->x, 0, r->pos);
  //@ assert r->bad == 0 ==> c->epoch.n == 0 || (c->epoch.n == 8 && piece_in(c->epoch, 0, r->pos));
  //@ assert r->bad == 0 ==> c->nonce.n == 0 || (c->nonce.n == 16 && piece_in(c->nonce, 0, r->pos));
  //@ assert r->bad == 0 ==> c->y.n == 0 || (c->y.n == 32 && piece_in(c->y, 0, r->pos));
}

/* The largest values of the keys 4 to 8. */
static const uint16_t most[5] = {2, 15, 3, 0xff, 0xffff};

/* field reads the value of a key of beacons and responses. */
/*@ requires \valid(r) && reader_ok(r) && k < NTSGW_VALUES;
    requires \valid(c) && \separated(r, c) && numbers_ok(c) && (r->bad == 0 ==> pieces_ok(c, r->pos));
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low, c->seconds, c->nanoseconds, c->error_seconds, c->error_nanoseconds,
      c->value[0 .. NTSGW_VALUES - 1], c->epoch, c->nonce;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures numbers_ok(c);
    ensures r->bad == 0 ==> \old(r->bad) == 0;
    ensures r->bad == 0 ==> pieces_ok(c, r->pos);
*/
static void field(reader *r, uint32_t k, ntsgw_claims *c) {
  uint32_t v;
  if (k == 1) {
    extended_time(r, c);
  } else if (k == 2) {
    bytes(r, 8, &c->epoch);
    //@ assert r->bad == 0 ==> c->epoch.n == 8 && piece_in(c->epoch, 0, r->pos);
    //@ assert r->bad == 0 ==> pieces_ok(c, r->pos);
  } else if (k == 9) {
    bytes(r, 16, &c->nonce);
    //@ assert r->bad == 0 ==> c->nonce.n == 16 && piece_in(c->nonce, 0, r->pos);
    //@ assert r->bad == 0 ==> pieces_ok(c, r->pos);
  } else if (k == NTSGW_LEAP) {
    next(r);
    v = r->major == UINT ? r->low + 1u : 0u - r->low;
    if (r->major > NEGINT || r->high != 0 || v > 3) {
      r->bad = 1;
      v = 0;
    }
    c->value[NTSGW_LEAP] = v;
  } else {
    //@ assert most[3] == 255;
    v = number(r, k >= NTSGW_STATE && k <= NTSGW_NEXT ? most[k - NTSGW_STATE] : 0xffffffff);
    if (v == 0 && (k == NTSGW_STATE || k == NTSGW_STRATUM)) r->bad = 1;
    c->value[k] = v;
    //@ assert numbers_ok(c);
    //@ assert r->bad == 0 ==> pieces_ok(c, r->pos);
  }
}

/* Keys of payloads, a bit each: those that are defined, and those that a kind has. */
#define TIME_KEYS 0x2ffeu
#define BEACON_KEYS 0x1feu
#define RESPONSE_KEYS 0xef6u
#define DELEGATION_KEYS 0x1eu

/*@ predicate delegation(integer kind) = kind == NTSGW_CLAIMS_ED25519 || kind == NTSGW_CLAIMS_ES256;
    predicate claims_ok{L}(reader *r, integer kind, ntsgw_claims *c) =
      (!delegation(kind) ==> numbers_ok(c)) && (kind != NTSGW_CLAIMS_ES256 ==> c->y.n == 0) &&
      (r->bad == 0 ==> pieces_ok(c, r->pos)) &&
      (r->bad == 0 && kind == NTSGW_CLAIMS_ES256 && c->key.n != 0 ==> c->y.n == 32);
*/

/* entry reads a key and its value. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(last) && \valid(missing) && \valid(c) && \separated(r, last, missing, c);
    requires last->at + last->n <= r->pos && claims_ok(r, kind, c);
    assigns r->pos, r->bad, r->major, r->width, r->high, r->low, *last, *missing, *c;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures last->at + last->n <= r->pos;
    ensures claims_ok(r, kind, c);
*/
static void entry(reader *r, ntsgw_piece *last, int kind, uint32_t *missing, ntsgw_claims *c) {
  int delegation = kind == NTSGW_CLAIMS_ED25519 || kind == NTSGW_CLAIMS_ES256;
  uint32_t k;
  key(r, last);
  //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
  //@ assert claims_ok(r, kind, c);
  k = r->low;
  if (r->major != UINT || r->high != 0 || k >= NTSGW_VALUES || !((delegation ? DELEGATION_KEYS : TIME_KEYS) >> k & 1u)) {
    skip(r);
    //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
    //@ assert claims_ok(r, kind, c);
    return;
  }
  /* Keys come once, so that one which the kind doesn't have is missing from then on. */
  *missing ^= (uint32_t)1 << k;
  //@ assert claims_ok(r, kind, c);
  if (!delegation) {
    field(r, k, c);
    //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
    //@ assert claims_ok(r, kind, c);
  } else if (k == 1) {
    cose_key(r, kind == NTSGW_CLAIMS_ES256, c);
    //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
    //@ assert claims_ok(r, kind, c);
  } else {
    uint32_t v = number(r, 0xffffffff);
    //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
    //@ assert claims_ok(r, kind, c) && k < NTSGW_VALUES;
    c->value[k] = v;
    //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
    //@ assert claims_ok(r, kind, c);
  }
}

int ntsgw_cbor_claims(const uint8_t *p, uint32_t from, uint32_t to, int kind, ntsgw_claims *c) {
  uint32_t missing = kind == NTSGW_CLAIMS_BEACON ? BEACON_KEYS : kind == NTSGW_CLAIMS_RESPONSE ? RESPONSE_KEYS : DELEGATION_KEYS, left;
  ntsgw_piece last = stretch(from, from);
  reader r;
  r.p = p;
  r.pos = from;
  r.end = to;
  r.bad = 0;
  c->nanoseconds = c->error_seconds = c->error_nanoseconds = 0;
  c->value[NTSGW_LEAP] = c->value[NTSGW_TAI_UTC] = 0;
  c->epoch.n = c->nonce.n = c->key.n = c->x.n = c->y.n = 0;
  /*@ loop invariant reader_ok(&r);
      loop invariant r.p == p && r.end == to;
      loop invariant last.at + last.n <= r.pos;
      loop invariant claims_ok(&r, kind, c);
      loop assigns r.pos, r.bad, r.major, r.width, r.high, r.low, left, last, missing, *c;
      loop variant left;
  */
  for (left = length(&r, MAP); left > 0; left--) entry(&r, &last, kind, &missing, c);
  /* That nothing is missing says this already; here it is said so that it can be proved. */
  if (kind == NTSGW_CLAIMS_RESPONSE ? c->nonce.n == 0 : kind != NTSGW_CLAIMS_BEACON && c->key.n == 0) return 0;
  return r.bad == 0 && r.pos == to && missing == 0;
}

int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint8_t tag, ntsgw_envelope *e) {
  reader r;
  uint32_t end, from;
  ntsgw_piece q;
  r.p = p;
  r.pos = 0;
  r.end = len;
  r.bad = 0;
  octets(&r, 0xc084u + tag * 256u, 2);
  from = r.pos;
  bytes(&r, 0, &q);
  end = r.pos;
  e->protected_item = stretch(from, end);
  /* The protected header: exactly {1: alg, 4: kid}. */
  r.pos = q.at;
  octets(&r, 0xa201, 2);
  next(&r);
  if (r.major > NEGINT) r.bad = 1;
  e->alg = r.high != 0 ? 0 : (int32_t)(r.major == UINT ? r.low : ~r.low);
  octets(&r, 4, 1);
  bytes(&r, 0, &e->kid);
  if (r.pos != end) r.bad = 1;
  octets(&r, 0xa0, 1);
  from = r.pos;
  bytes(&r, 0, &e->payload);
  e->payload_item = stretch(from, r.pos);
  bytes(&r, tag == 17 ? 32 : 64, &q);
  return r.bad == 0 && r.pos == len;
}

int64_t ntsgw_claims_time(const ntsgw_claims *c, ntsgw_interval *e) {
  int64_t t = ntsgw_later(c->nanoseconds, (int64_t)c->seconds + c->value[NTSGW_TAI_UTC]);
  int64_t error = ntsgw_later(c->error_nanoseconds, c->error_seconds);
  e->lo.tai = t - error;
  e->hi.tai = t + error;
  return t;
}

uint32_t ntsgw_cbor_put(uint8_t *out, uint8_t major, uint32_t arg) {
  uint32_t n = 1, i;
  uint8_t top = (uint8_t)(major * 32u);
  if (arg < 24) {
    out[0] = (uint8_t)(top + arg);
    return 1;
  }
  if (arg >= 0x100) n = arg < 0x10000 ? 2 : 4;
  out[0] = (uint8_t)(top + (n == 1 ? 24u : n == 2 ? 25u : 26u));
  /*@ loop invariant i <= n <= 4;
      loop assigns i, arg, out[1 .. 4];
      loop variant i;
  */
  for (i = n; i > 0; i--) {
    out[i] = (uint8_t)(arg % 256u);
    arg /= 256u;
  }
  return n + 1;
}
