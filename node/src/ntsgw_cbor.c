#include "ntsgw_cbor.h"

#include "ntsgw_interval.h"

enum { UINT = 0, NEGINT = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, OTHER = 7 };

/* Bytes from pos up to end are still to be read. What is not as it must be makes
 * it bad for good: reading on does no harm, so that only the end is judged. low is the
 * argument of the last head. */
typedef struct {
  const uint8_t *p;
  uint32_t pos;
  uint32_t end;
  uint32_t bad;
  uint32_t low;
} reader;

/* Added to the kind of a head whose argument has 64 bits: nothing here takes one,
 * but what is skipped may have it. */
enum { WIDE = 8 };

/*@ predicate reader_ok{L}(reader *r) = r->pos <= r->end <= NTSGW_MESSAGE_MAX && \valid_read(r->p + (0 .. r->end - 1));
*/

/* shortest_float says whether no shorter float has the same value as one of n bytes,
 * 4 or 8: fraction bits that the shorter form can't keep, or an exponent beyond it.
 * A value that would be subnormal there keeps fewer bits. */
/*@ assigns \nothing;
    ensures \result == 0 || \result == 1;
*/
static int shortest_float(uint32_t n, uint32_t high, uint32_t low) {
  int32_t e, kept = 10, bias = 127, top;
  if (n == 8) {
    e = (int32_t)(high / 0x100000u % 0x800u);
    kept = 23, bias = 1023;
    high = high << 12 | low >> 20; /* the fraction's first 32 bits, and the others */
    low <<= 12;
  } else {
    e = (int32_t)(low / 0x800000u % 0x100u);
    high = low << 9;
    low = 0;
  }
  if (e == 0) return (high | low) != 0; /* only 0 itself has another form */
  e -= bias;
  top = bias / 8;
  if (e <= bias) {
    if (e > top) return 1;
    e += top - 1;
    if (e < 0) kept += e;
    if (kept < 0) return 1;
  }
  return (high << kept | low) != 0;
}

/* shortest says whether the argument of n bytes of a head, of which high is the first
 * half, has no shorter form. */
/*@ requires n <= 8;
    assigns \nothing;
    ensures \result == 0 || \result == 1;
*/
static int shortest(uint32_t major, uint32_t n, uint32_t high, uint32_t low) {
  if (n == 1) return low >= (major == OTHER ? 32u : 24u);
  if (major == OTHER) return n == 2 || shortest_float(n, high, low);
  return high != 0;
}

/* next reads a head and gives its kind: the shortest form only, no indefinite length. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos) && \result <= OTHER + WIDE;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART uint32_t next(reader *r) {
  uint32_t major = OTHER, n = 0, i, high = 0, low, pos = r->pos, left = r->end - pos;
  if (left > 0) {
    low = r->p[pos];
    major = low / 32u;
    low %= 32u;
    if (low >= 24) {
      n = (uint32_t)1 << (low - 24u);
      low = 0;
    }
    if (n <= 8 && n < left) {
      /*@ loop invariant i <= n && pos == \at(pos, LoopEntry) + (n - i);
          loop assigns i, high, low, pos;
          loop variant i;
      */
      for (i = n; i > 0; i--) {
        if (i == n / 2) high = low;
        pos++;
        low = low * 256u + r->p[pos];
      }
      r->pos = pos + 1u;
      r->low = low;
      if (n == 0 || shortest(major, n, high, low)) return n == 8 ? major + WIDE : major;
    }
  }
  r->bad = 1;
  return major;
}

/* head reads the head of an item of a kind, and gives its argument, which is at most
 * most; for kinds that have bytes or items, also not more than there are bytes left. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result <= most && (major != UINT ==> \result <= r->end - r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART uint32_t head(reader *r, uint32_t major, uint32_t most) {
  if (next(r) == major && r->low <= most && (major == UINT || r->low <= r->end - r->pos)) return r->low;
  r->bad = 1;
  return 0;
}

/* number reads an unsigned integer up to most; 0 when there is none. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result <= most;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static uint32_t number(reader *r, uint32_t most) { return head(r, UINT, most); }

/* octets reads bytes that must be those of want that are not 0, the highest first. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0;
*/
static APART void octets(reader *r, uint32_t want) {
  uint32_t i, first;
  /*@ loop invariant i <= 4 && reader_ok(r) && r->pos >= \at(r->pos, Pre);
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop assigns i, first, want, r->pos, r->bad;
      loop variant i;
  */
  for (i = 4; i > 0; i--) {
    first = want >> 24;
    want <<= 8;
    if (first == 0) continue;
    if (r->pos == r->end || r->p[r->pos] != first) {
      r->bad = 1;
    } else {
      r->pos++;
    }
  }
}

/* string reads a byte string and gives where it begins; it ends where the reader
 * stands. When n isn't 0 it must have that length. */
/*@ requires \valid(r) && reader_ok(r) && n <= NTSGW_MESSAGE_MAX;
    assigns r->pos, r->bad, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && \old(r->pos) <= \result <= r->pos;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && \old(r->pos) < \result && (n != 0 ==> \result + n == r->pos);
*/
static APART uint32_t string(reader *r, uint32_t n) {
  uint32_t size = head(r, BYTES, UINT32_MAX);
  uint32_t from = r->pos;
  if (n != 0 && size != n) r->bad = 1;
  r->pos += size;
  return from;
}

/* A stretch of the input. */
typedef struct {
  uint32_t from;
  uint32_t to;
} stretch;

/* ordered takes note of the key from a place to where the reader stands; it must sort
 * after the last one, bytewise, which it replaces. */
/*@ requires \valid(r) && reader_ok(r) && from <= r->pos;
    requires \valid(last) && \separated(r, last) && last->from <= last->to <= r->pos;
    assigns r->bad, *last;
    ensures last->from == from && last->to == r->pos;
    ensures r->bad == 0 ==> \old(r->bad) == 0;
*/
static APART void ordered(reader *r, stretch *last, uint32_t from) {
  uint32_t a = last->from, b = from;
  /*@ loop invariant last->from <= a <= last->to && from <= b <= r->pos;
      loop assigns a, b;
      loop variant last->to - a;
  */
  while (a < last->to && b < r->pos && r->p[a] == r->p[b]) {
    a++;
    b++;
  }
  if (b == r->pos || (a < last->to && r->p[a] > r->p[b])) r->bad = 1;
  last->from = from;
  last->to = r->pos;
}

/* A container that is open: items left, where it begins, its last key. */
typedef struct {
  uint32_t left;
  uint32_t is_map;
  uint32_t self;
  stretch key;
} container;

/*@ predicate open_ok{L}(container *open, integer depth, integer pos) = depth <= NTSGW_DEPTH_MAX &&
      (\forall integer k; 0 <= k < depth ==> 1 <= open[k].left) &&
      (\forall integer k; 0 <= k < depth ==> open[k].self <= pos) &&
      (\forall integer k; 0 <= k < depth ==> open[k].key.from <= open[k].key.to <= pos);
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
    if (c->is_map && c->left % 2 == 0) ordered(r, &c->key, start);
    //@ assert c->key.from <= c->key.to <= r->pos;
    /*@ assert \forall integer k; 0 <= k < depth - 1 ==> open[k].key.from == \at(open[k].key.from, LoopCurrent) &&
          open[k].key.to == \at(open[k].key.to, LoopCurrent); */
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].key.from <= open[k].key.to <= r->pos;
    c->left--;
    //@ assert reader_ok(r) && start <= r->pos && r->pos <= NTSGW_MESSAGE_MAX;
    //@ assert c->left > 0 ==> \forall integer k; 0 <= k < depth ==> 1 <= open[k].left;
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].self <= r->pos;
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].key.from <= open[k].key.to <= r->pos;
    //@ assert c->left > 0 ==> open_ok(open, depth, r->pos);
    if (c->left > 0) break;
    start = c->self;
    depth--;
  }
  return depth;
}

/* skip passes over one item of any kind, nested at most NTSGW_DEPTH_MAX deep,
 * and holds it to the same encoding: the keys of every map ascend bytewise. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART void skip(reader *r) {
  container open[NTSGW_DEPTH_MAX];
  uint32_t depth = 0, major, items, start;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre);
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop invariant open_ok(&open[0], depth, r->pos);
      loop assigns r->pos, r->bad, r->low, depth, major, items, start, open[0 .. NTSGW_DEPTH_MAX - 1];
      loop variant r->end - r->pos;
  */
  do {
    start = r->pos;
    major = next(r) % WIDE;
    items = 0;
    if (r->bad) return;
    if (major >= BYTES && major <= TAG) {
      items = major == TAG ? 1 : r->low;
      if (items > r->end - r->pos || (major >= ARRAY && depth == NTSGW_DEPTH_MAX)) {
        r->bad = 1;
        return;
      }
      if (major <= TEXT) {
        r->pos += items;
        items = 0;
      }
      if (major == MAP) items *= 2;
    }
    //@ assert r->pos > \at(r->pos, LoopCurrent) && start == \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
    //@ assert items <= 2 * NTSGW_MESSAGE_MAX && start < r->pos <= NTSGW_MESSAGE_MAX;
    //@ assert open_ok(&open[0], depth, r->pos);
    if (items > 0) {
      container *c = &open[depth];
      c->left = items;
      c->is_map = major == MAP;
      c->self = start;
      c->key.from = c->key.to = 0;
      depth++;
      //@ assert \forall integer k; 0 <= k < depth ==> 1 <= open[k].left;
      //@ assert \forall integer k; 0 <= k < depth ==> open[k].self <= r->pos;
      /*@ assert \forall integer k; 0 <= k < depth - 1 ==> open[k].key.from == \at(open[k].key.from, LoopCurrent) &&
            open[k].key.to == \at(open[k].key.to, LoopCurrent); */
      //@ assert open[depth - 1].key.from == 0 && open[depth - 1].key.to == 0;
      //@ assert \forall integer k; 0 <= k < depth ==> open[k].key.from <= open[k].key.to <= r->pos;
      //@ assert r->pos > \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
    } else {
      depth = complete(r, open, depth, start);
    }
  } while (depth > 0);
}

/* key reads a map's next key, an integer that sorts after the last one, and gives its
 * kind. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(last) && \separated(r, last) && last->from <= last->to <= r->pos;
    assigns r->pos, r->bad, r->low, *last;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures last->from <= last->to <= r->pos;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART uint32_t key(reader *r, stretch *last) {
  uint32_t from = r->pos;
  uint32_t major = next(r);
  if (major % WIDE > NEGINT) r->bad = 1;
  ordered(r, last, from);
  return major;
}

/* extended_time reads tag 1001 (RFC 9581): unknown unsigned keys are critical
 * and refused, unknown negative ones are skipped. E is exactly {1: s, -9: ns}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(c) && \separated(r, c);
    requires c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
    assigns r->pos, r->bad, r->low, c->seconds, c->nanoseconds, c->error_seconds, c->error_nanoseconds;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0;
    ensures c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
*/
static void extended_time(reader *r, ntsgw_claims *c) {
  stretch last;
  uint32_t left, major, missing = 7;
  octets(r, 0xd903e9);
  last.from = last.to = 0;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre) && last.from <= last.to <= r->pos;
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop invariant c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
      loop assigns r->pos, r->bad, r->low, left, last, major, missing,
        c->seconds, c->nanoseconds, c->error_seconds, c->error_nanoseconds;
      loop variant left;
  */
  for (left = head(r, MAP, UINT32_MAX); left > 0; left--) {
    major = key(r, &last);
    if (major % WIDE == UINT) {
      if (major != UINT || r->low != 1) r->bad = 1;
      c->seconds = number(r, 0xffffffff);
      missing -= 1;
    } else if (major == NEGINT && r->low == 7) {
      octets(r, 0xa201);
      c->error_seconds = number(r, 0xffff);
      octets(r, 0x28);
      c->error_nanoseconds = number(r, 999999999);
      missing -= 2;
    } else if (major == NEGINT && r->low == 8) {
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
    assigns r->pos, r->bad, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos >= \old(r->pos) + (es256 ? 66 : 33);
*/
static void cose_key(reader *r, int es256) {
  octets(r, es256 ? 0xa4010220 : 0xa3010120);
  octets(r, es256 ? 0x0121 : 0x0621);
  string(r, 32);
  if (es256) {
    octets(r, 0x22);
    string(r, 32);
  }
}

/* The largest values of the keys 4 to 8. */
static const uint16_t most[5] = {2, 15, 3, 0xff, 0xffff};

/* Keys that a kind of payload has, a bit each. */
#define BEACON_KEYS 0x1feu
#define RESPONSE_KEYS 0xef6u
#define DELEGATION_KEYS 0x1eu

/*@ predicate time_ok{L}(ntsgw_claims *c) = c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
    predicate claims_ok{L}(reader *r, integer kind, ntsgw_claims *c) = time_ok(c) && (r->bad == 0 ==>
      (kind == NTSGW_CLAIMS_ED25519 ? key_ok(c, 33, r->pos) : kind == NTSGW_CLAIMS_ES256 ? key_ok(c, 66, r->pos) :
      c->value[NTSGW_LEAP] <= 3 && c->value[NTSGW_TAI_UTC] <= 255 && places_ok(c, r->pos)));
*/

/* field reads the value of a key. */
/*@ requires \valid(r) && reader_ok(r) && k < NTSGW_VALUES;
    requires \valid(c) && \separated(r, c) && claims_ok(r, kind, c);
    requires delegation <==> (kind == NTSGW_CLAIMS_ED25519 || kind == NTSGW_CLAIMS_ES256);
    assigns r->pos, r->bad, r->low, *c;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures claims_ok(r, kind, c) && (r->bad == 0 ==> \old(r->bad) == 0);
*/
static void field(reader *r, uint32_t k, int delegation, int kind, ntsgw_claims *c) {
  uint32_t v = r->pos;
  if (k == 1) {
    if (delegation) {
      cose_key(r, kind == NTSGW_CLAIMS_ES256);
      c->key_n = r->pos - v;
    } else {
      extended_time(r, c);
    }
  } else if (k == NTSGW_EPOCH) {
    v = string(r, 8);
  } else if (k == NTSGW_NONCE) {
    v = string(r, 16);
  } else if (k == NTSGW_LEAP) {
    uint32_t major = next(r);
    v = major == UINT ? r->low + 1u : 0u - r->low;
    if (major > NEGINT || v > 3) r->bad = 1;
  } else {
    //@ assert most[3] == 255;
    v = number(r, k >= NTSGW_STATE && k <= NTSGW_NEXT ? most[k - NTSGW_STATE] : 0xffffffff);
    if (v == 0 && (k == NTSGW_STATE || k == NTSGW_STRATUM)) r->bad = 1;
  }
  //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
  //@ assert time_ok(c);
  //@ assert r->bad == 0 && !delegation && k == NTSGW_EPOCH ==> v + 8 <= r->pos;
  //@ assert r->bad == 0 && !delegation && k == NTSGW_NONCE ==> v + 16 <= r->pos;
  //@ assert r->bad == 0 && !delegation && k == NTSGW_LEAP ==> v <= 3;
  //@ assert r->bad == 0 && !delegation && k == NTSGW_TAI_UTC ==> v <= 255;
  //@ assert r->bad == 0 && delegation && k == 1 ==> c->key_n >= (kind == NTSGW_CLAIMS_ES256 ? 66 : 33) && v + c->key_n == r->pos;
  //@ assert r->bad == 0 ==> \at(r->bad, Pre) == 0;
  //@ assert r->bad == 0 && k != 1 ==> claims_ok(r, kind, c);
  c->value[k] = v;
}

/* entry reads a key and its value. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(last) && \valid(missing) && \valid(c) && \separated(r, last, missing, c);
    requires last->from <= last->to <= r->pos && claims_ok(r, kind, c);
    assigns r->pos, r->bad, r->low, *last, *missing, *c;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures last->from <= last->to <= r->pos;
    ensures claims_ok(r, kind, c) && (r->bad == 0 ==> \old(r->bad) == 0);
*/
static APART void entry(reader *r, stretch *last, int kind, uint32_t *missing, ntsgw_claims *c) {
  int delegation = kind == NTSGW_CLAIMS_ED25519 || kind == NTSGW_CLAIMS_ES256;
  uint32_t major = key(r, last), k = r->low, listed = delegation ? 4 : 13;
  if (major != UINT || k - 1u >= listed || k == 12) {
    skip(r);
    return;
  }
  /* Keys come once, so that one which the kind doesn't have is missing from then on. */
  *missing ^= (uint32_t)1 << k;
  if (delegation && k > NTSGW_COSE_KEY) k += NTSGW_KEY_SERIAL - 2;
  field(r, k, delegation, kind, c);
}

int ntsgw_cbor_claims(const uint8_t *p, ntsgw_piece at, int kind, ntsgw_claims *c) {
  uint32_t missing = kind == NTSGW_CLAIMS_BEACON ? BEACON_KEYS : kind == NTSGW_CLAIMS_RESPONSE ? RESPONSE_KEYS : DELEGATION_KEYS, left;
  stretch last;
  reader r;
  r.p = p;
  r.pos = at.at;
  r.end = at.at + at.n;
  r.bad = 0;
  last.from = last.to = 0;
  c->nanoseconds = c->error_seconds = c->error_nanoseconds = c->key_n = 0;
  c->value[NTSGW_EPOCH] = c->value[NTSGW_NONCE] = c->value[NTSGW_LEAP] = c->value[NTSGW_TAI_UTC] = 0;
  //@ ghost uint32_t to = at.at + at.n;
  /*@ loop invariant reader_ok(&r);
      loop invariant r.p == p && r.end == to;
      loop invariant last.from <= last.to <= r.pos;
      loop invariant claims_ok(&r, kind, c);
      loop assigns r.pos, r.bad, r.low, left, last, missing, *c;
      loop variant left;
  */
  for (left = head(&r, MAP, UINT32_MAX); left > 0; left--) entry(&r, &last, kind, &missing, c);
  //@ assert r.bad == 0 ==> claims_ok(&r, kind, c) && r.pos <= to;
  //@ assert to == at.at + at.n;
  //@ assert r.bad == 0 && kind == NTSGW_CLAIMS_ED25519 ==> key_ok(c, 33, to);
  //@ assert r.bad == 0 && kind == NTSGW_CLAIMS_ES256 ==> key_ok(c, 66, to);
  //@ assert r.bad == 0 && (kind == NTSGW_CLAIMS_BEACON || kind == NTSGW_CLAIMS_RESPONSE) ==> numbers_ok(c) && places_ok(c, to);
  return r.bad == 0 && r.pos == r.end && missing == 0;
}

int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint32_t tag, ntsgw_envelope *e) {
  reader r;
  uint32_t end, from, major;
  r.p = p;
  r.pos = 0;
  r.end = len;
  r.bad = 0;
  octets(&r, 0xc084u + tag * 256u);
  e->protected_item.at = r.pos;
  from = string(&r, 0);
  end = r.pos;
  e->protected_item.n = end - e->protected_item.at;
  //@ assert piece_in(e->protected_item, 0, len) && from <= end <= len;
  /* The protected header: exactly {1: alg, 4: kid}. */
  r.pos = from;
  octets(&r, 0xa201);
  major = next(&r);
  if (major % WIDE > NEGINT) r.bad = 1;
  e->alg = major == UINT ? (int32_t)r.low : major == NEGINT ? (int32_t)~r.low : 0;
  octets(&r, 4);
  e->kid.at = string(&r, 0);
  e->kid.n = r.pos - e->kid.at;
  //@ assert piece_in(e->kid, 0, len) && piece_in(e->protected_item, 0, len);
  if (r.pos != end) r.bad = 1;
  octets(&r, 0xa0);
  e->payload_item.at = r.pos;
  e->payload.at = string(&r, 0);
  e->payload.n = r.pos - e->payload.at;
  e->payload_item.n = r.pos - e->payload_item.at;
  //@ assert piece_in(e->payload, 0, len) && piece_in(e->payload_item, 0, len);
  //@ assert reader_ok(&r) && r.p == p && r.end == len;
  //@ ghost uint32_t last = r.pos;
  string(&r, tag == 17 ? 32 : 64);
  //@ assert r.bad == 0 ==> last + (tag == 17 ? 32 : 64) <= r.pos <= len;
  return r.bad == 0 && r.pos == len;
}

void ntsgw_claims_time(const ntsgw_claims *c, int64_t *t, ntsgw_interval *e) {
  e->hi.tai = c->error_nanoseconds;
  ntsgw_add(&e->hi.tai, NTSGW_NS, c->error_seconds);
  *t = c->nanoseconds;
  ntsgw_add(t, NTSGW_NS, c->seconds);
  ntsgw_add(t, NTSGW_NS, c->value[NTSGW_TAI_UTC]);
  e->lo.tai = *t - e->hi.tai;
  e->hi.tai += *t;
}

uint32_t ntsgw_cbor_put(uint8_t *out, uint8_t major, uint32_t arg) {
  uint32_t n = 0, i, info = arg;
  if (arg >= 24) {
    n = arg < 0x100 ? 1 : arg < 0x10000 ? 2 : 4;
    info = 24u + n / 2u;
  }
  out[0] = (uint8_t)(major * 32u + info);
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
