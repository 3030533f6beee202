#include "ntsgw_cbor.h"

#include "ntsgw_interval.h"

enum { UINT = 0, NEGINT = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, OTHER = 7 };
enum { WIDE = 0x1b }; /* an unsigned integer of 64 bits begins so */

/* Bytes from pos up to end are still to be read. What is not as it must be makes
 * it bad for good: reading on does no harm, so that only the end is judged. low is the
 * argument of the last head, 2^32 - 1 where it has 64 bits; depth how deep the last item
 * that was skipped is nested. */
typedef struct {
  const uint8_t *p;
  uint32_t pos;
  uint32_t end;
  uint32_t bad;
  uint32_t low;
  uint32_t depth;
} reader;

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
    ensures reader_ok(r) && r->pos >= \old(r->pos) && \result <= OTHER;
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
      if (n == 0 || shortest(major, n, high, low)) {
        if (n == 8) r->low = UINT32_MAX;
        return major;
      }
    }
  }
  r->bad = 1;
  return major;
}

/* bytes reads the head of a byte string and gives how many there are. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->low;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result <= r->end - r->pos;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static uint32_t bytes(reader *r) {
  if (next(r) == BYTES && r->low <= r->end - r->pos) return r->low;
  r->bad = 1;
  return 0;
}

#define OPEN_MAX (NTSGW_DEPTH_MAX + 3) /* payload, tag 1001, what it is of, and there in what is skipped */

/* A container that is open: items left, its kind, where it begins, its last key. */
typedef struct {
  uint32_t left;
  uint32_t major;
  uint32_t self;
  uint32_t key; /* 0: none yet */
} container;

/*@ predicate open_ok{L}(container *open, integer depth, integer pos) = depth <= OPEN_MAX &&
      (\forall integer k; 0 <= k < depth ==> open[k].self <= pos && open[k].key <= pos) &&
      (\forall integer k; 0 < k < depth ==> open[k - 1].key <= open[k].self);
*/

/* ordered holds a map's key, from a place to where the reader stands, to its order: it sorts
 * after the last one, bytewise. No key is how another begins. */
/*@ requires \valid(r) && reader_ok(r) && last <= from <= r->pos;
    assigns r->bad;
    ensures r->bad == 0 ==> \old(r->bad) == 0;
*/
static void ordered(reader *r, uint32_t last, uint32_t from) {
  int32_t d = 1;
  if (last == 0) return;
  /*@ loop invariant last <= from <= r->pos;
      loop assigns d, last, from;
      loop variant r->pos - from;
  */
  do {
    d = -1;
    if (from == r->pos) break;
    d = r->p[from] - r->p[last];
    last++;
    from++;
  } while (d == 0);
  if (d < 0) r->bad = 1;
}

/* count takes note that an item of a container is complete, which began at start. */
/*@ requires \valid(r) && reader_ok(r) && \valid(c) && \separated(r, c) && c->key <= start <= r->pos;
    assigns r->bad, c->key, c->left;
    ensures c->key <= start;
    ensures r->bad == 0 ==> \old(r->bad) == 0;
*/
static void count(reader *r, container *c, uint32_t start) {
  if (c->major == MAP && c->left % 2 == 0) {
    ordered(r, c->key, start);
    c->key = start;
  }
  c->left--;
}

/* complete takes note of an item that began at start and is complete; it may complete
 * those that it lies in. How many are still open comes back. */
/*@ requires \valid(r) && reader_ok(r) && start <= r->pos;
    requires \valid(open + (0 .. OPEN_MAX - 1)) && \separated(r, open + (0 .. OPEN_MAX - 1));
    requires open_ok(open, depth, r->pos) && (depth > 0 ==> open[depth - 1].key <= start);
    assigns r->bad, open[0 .. OPEN_MAX - 1];
    ensures \result <= depth;
    ensures open_ok(open, \result, r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0;
*/
static uint32_t complete(reader *r, container *open, uint32_t depth, uint32_t start) {
  /*@ loop invariant depth <= \at(depth, Pre);
      loop invariant open_ok(open, depth, r->pos);
      loop invariant start <= r->pos;
      loop invariant depth > 0 ==> open[depth - 1].key <= start;
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop assigns depth, start, r->bad, open[0 .. OPEN_MAX - 1];
      loop variant depth;
  */
  while (depth > 0) {
    container *c = &open[depth - 1];
    count(r, c, start);
    //@ assert r->pos == \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].self == \at(open[k].self, LoopCurrent);
    //@ assert \forall integer k; 0 <= k < depth - 1 ==> open[k].key == \at(open[k].key, LoopCurrent);
    //@ assert open[depth - 1].key <= start;
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].self <= r->pos && open[k].key <= r->pos;
    //@ assert \forall integer k; 0 < k < depth ==> open[k - 1].key <= open[k].self;
    //@ assert open_ok(open, depth, r->pos);
    if (c->left > 0) break;
    //@ assert open[depth - 1].self <= r->pos && (depth > 1 ==> open[depth - 2].key <= open[depth - 1].self);
    start = c->self;
    depth--;
  }
  return depth;
}

/* enter notes that a container begins in those that are open. */
/*@ requires depth < OPEN_MAX && \valid(open + (0 .. OPEN_MAX - 1));
    requires open_ok(open, depth, start) && (depth > 0 ==> open[depth - 1].key <= start);
    assigns open[depth];
    ensures \forall integer pos; start <= pos ==> open_ok(open, depth + 1, pos);
*/
static void enter(container *open, uint32_t depth, uint32_t items, uint32_t major, uint32_t start) {
  open[depth].left = items;
  open[depth].major = major;
  open[depth].self = start;
  open[depth].key = 0;
  //@ assert \forall integer k; 0 <= k < depth ==> open[k].self == \at(open[k].self, Pre) && open[k].key == \at(open[k].key, Pre);
}

/* begin reads the head of an item, and bytes or text behind it, and gives how many items are
 * in it; depth is that of what it lies in. */
/*@ requires \valid(r) && reader_ok(r) && \valid(kind) && \separated(r, kind);
    assigns r->pos, r->bad, r->low, r->depth, *kind;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 && \result > 0 ==> depth != OPEN_MAX;
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static WITHIN uint32_t begin(reader *r, uint32_t depth, uint32_t *kind) {
  uint32_t major = next(r), items = 1;
  *kind = major;
  if (major < BYTES || major > TAG) return 0;
  if (major != TAG) items = r->low;
  if (items > r->end - r->pos || (major >= ARRAY && depth == OPEN_MAX)) {
    r->bad = 1;
    return 0;
  }
  if (major <= TEXT) {
    r->pos += items;
    return 0;
  }
  if (r->depth <= depth) r->depth = depth + 1;
  return major == MAP ? items * 2 : items;
}

/* skip passes over one item of any kind, and holds it to the same encoding: the keys of every
 * map ascend bytewise. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos, r->bad, r->low, r->depth;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures r->bad == 0 ==> \old(r->bad) == 0 && r->pos > \old(r->pos);
*/
static APART void skip(reader *r) {
  container open[OPEN_MAX];
  uint32_t depth = 0, start, items, major;
  r->depth = 0;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre);
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant r->bad == 0 ==> \at(r->bad, Pre) == 0;
      loop invariant open_ok(&open[0], depth, r->pos);
      loop assigns r->pos, r->bad, r->low, r->depth, depth, start, items, major, open[0 .. OPEN_MAX - 1];
      loop variant r->end - r->pos;
  */
  do {
    start = r->pos;
    items = begin(r, depth, &major);
    if (r->bad) return;
    //@ assert r->pos > start && start == \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
    //@ assert reader_ok(r) && r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre) && \at(r->bad, Pre) == 0;
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].self == \at(open[k].self, LoopCurrent) && open[k].key == \at(open[k].key, LoopCurrent);
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].self <= start && open[k].key <= start;
    //@ assert depth > 0 ==> open[depth - 1].key <= start;
    //@ assert \forall integer k; 0 < k < depth ==> open[k - 1].key <= open[k].self;
    //@ assert depth <= OPEN_MAX && open_ok(&open[0], depth, start);
    //@ assert \forall integer k; 0 <= k < depth ==> open[k].self <= r->pos && open[k].key <= r->pos;
    //@ assert open_ok(&open[0], depth, r->pos);
    if (items > 0) {
      enter(open, depth, items, major, start);
      //@ assert r->pos > start && start == \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
      depth++;
      //@ assert open_ok(&open[0], depth, r->pos);
    } else {
      depth = complete(r, open, depth, start);
      //@ assert r->pos > start && start == \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent);
      //@ assert reader_ok(r) && r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre) && \at(r->bad, Pre) == 0;
    }
    //@ assert r->pos > \at(r->pos, LoopCurrent) && r->end == \at(r->end, LoopCurrent) && reader_ok(r);
    //@ assert r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre) && \at(r->bad, Pre) == 0 && r->pos > \at(r->pos, Pre);
  } while (depth > 0);
}

/* What may stand in a payload: for each map that is read its keys, each of which is one byte,
 * and for each what its value must be: least and most of an unsigned integer itself, of others
 * how many bytes they take. A line stands for a place in the claims; the first two places have
 * none. Constants are read in aligned words, as the ESP8266 reads its flash. */
#define FIRST_LINE NTSGW_TIME
#define LINE(map, key, kind, how, least, most) \
  ((uint32_t)(most) << 24 | (uint32_t)(least) << 16 | (how) << 14 | (kind) << 11 | NTSGW_##map << 8 | (key))

/* How most is meant: as it is, or with so many bytes of 255 behind it, or as 999,999,999. */
enum { AS_IT_IS = 0, BITS_16 = 1, NANO = 2, BITS_32 = 3 };

#if defined(ESP8266)
#define CONSTANT static const uint32_t __attribute__((section(".irom.text.ntsgw")))
#else
#define CONSTANT static const uint32_t
#endif

CONSTANT lines[NTSGW_VALUES - FIRST_LINE] = {
  LINE(PAYLOAD, 1, TAG, BITS_32, 0, 255),
  LINE(TIME, 0x27, MAP, BITS_32, 0, 255), /* -8 */
  LINE(DELEGATED, 1, MAP, AS_IT_IS, 40, 75),
  LINE(PAYLOAD, 2, BYTES, AS_IT_IS, 9, 9),
  LINE(PAYLOAD, 4, UINT, AS_IT_IS, 1, 2),
  LINE(PAYLOAD, 5, UINT, AS_IT_IS, 1, 15),
  LINE(PAYLOAD, 6, UINT, AS_IT_IS, 0, 2), /* or -1 */
  LINE(PAYLOAD, 7, UINT, AS_IT_IS, 0, 255),
  LINE(TIME, 1, UINT, BITS_32, 0, 255),
  LINE(TIME, 0x28, UINT, NANO, 0, 0), /* -9 */
  LINE(GUARANTEE, 1, UINT, BITS_16, 0, 255),
  LINE(GUARANTEE, 0x28, UINT, NANO, 0, 0), /* -9 */
  LINE(DELEGATED, 2, UINT, BITS_32, 0, 255),
  LINE(DELEGATED, 3, UINT, BITS_32, 0, 255),
  LINE(DELEGATED, 4, UINT, BITS_32, 0, 255),
  LINE(COSE_KEY, 1, UINT, AS_IT_IS, 1, 2),
  LINE(COSE_KEY, 0x20, UINT, AS_IT_IS, 1, 6), /* -1 */
  LINE(COSE_KEY, 0x21, BYTES, AS_IT_IS, 34, 34), /* -2 */
  LINE(COSE_KEY, 0x22, BYTES, AS_IT_IS, 34, 34), /* -3 */
  LINE(PAYLOAD, 3, UINT, BITS_32, 0, 255),
  LINE(PAYLOAD, 8, UINT, BITS_16, 0, 255),
  LINE(PAYLOAD, 9, BYTES, AS_IT_IS, 17, 17),
  LINE(PAYLOAD, 10, UINT, BITS_32, 0, 255),
  LINE(PAYLOAD, 11, UINT, BITS_32, 0, 255),
  LINE(PAYLOAD, 13, UINT, BITS_32, 0, 255),
};

/* What each kind must have of it, and must not have besides: a bit a line, and in the bits
 * above a key's type and curve. */
#define BIT(name) ((uint32_t)1 << NTSGW_##name)
#define KEY_IS(type, curve) ((uint32_t)(type) << NTSGW_VALUES | (uint32_t)(curve) << (NTSGW_VALUES + 2))
#define TIME_LINES (BIT(TIME) | BIT(SECONDS) | BIT(NANOSECONDS) | BIT(GUARANTEE) | BIT(ERROR_SECONDS) | BIT(ERROR_NANOSECONDS) | \
                    BIT(EPOCH) | BIT(STATE) | BIT(STRATUM) | BIT(LEAP) | BIT(TAI_UTC))
#define KEY_LINES (BIT(COSE_KEY) | BIT(KEY_SERIAL) | BIT(NOT_BEFORE) | BIT(NOT_AFTER) | BIT(KEY_TYPE) | BIT(CURVE) | BIT(X))
CONSTANT needed[] = {
  TIME_LINES | BIT(SEQUENCE) | BIT(NEXT),
  KEY_LINES | KEY_IS(1, 6),
  KEY_LINES | KEY_IS(2, 1) | BIT(Y),
  TIME_LINES | BIT(NONCE) | BIT(TURNAROUND) | BIT(SERIAL),
};

/*@ predicate claims_ok{L}(ntsgw_claims *c, integer to) = numbers_ok(c) && places_ok(c, to) &&
      (\forall integer k; 0 <= k <= NTSGW_COSE_KEY ==> c->value[k] <= to);
*/

/* judge holds the value from a place to where the reader stands to its line. */
/*@ requires \valid(r) && reader_ok(r) && from < r->pos && FIRST_LINE <= k < NTSGW_VALUES && line == lines[k - FIRST_LINE];
    requires \valid(c) && \valid(found) && \separated(r, found, c) && claims_ok(c, r->end);
    assigns r->bad, *found, *c;
    ensures claims_ok(c, r->end) && (r->bad == 0 ==> \old(r->bad) == 0);
*/
static void judge(reader *r, uint32_t k, uint32_t line, uint32_t from, uint32_t *found, ntsgw_claims *c) {
  uint32_t size = r->pos - from, first = r->p[from], how = line / 0x4000 % 4, most = ((line >> 24) + 1u) << how * 8;
  most = how == NANO ? 999999999 : most - 1u;
  if (first / 32 == UINT) size = from = r->low;
  if (first / 32 != line / 0x800 % 8 || size < line / 0x10000 % 256 || size > most || first == WIDE) {
    if ((k - NTSGW_LEAP) | (first - 0x20u)) {
      r->bad = 1;
      return;
    }
    from = UINT32_MAX;
  }
  //@ assert k == NTSGW_LEAP ==> how == AS_IT_IS && most == 2 && (from <= 2 || from == 4294967295);
  //@ assert k == NTSGW_TAI_UTC ==> how == AS_IT_IS && most == 255 && from <= 255;
  //@ assert k == NTSGW_ERROR_SECONDS ==> how == BITS_16 && most == 65535 && from <= 65535;
  //@ assert k == NTSGW_NANOSECONDS ==> how == NANO && from <= 999999999;
  //@ assert k == NTSGW_ERROR_NANOSECONDS ==> how == NANO && from <= 999999999;
  //@ assert k == NTSGW_EPOCH ==> from + 9 <= r->pos;
  //@ assert k == NTSGW_NONCE ==> from + 17 <= r->pos;
  //@ assert k == NTSGW_COSE_KEY ==> from + 40 <= r->pos;
  //@ assert k == NTSGW_TIME ==> line == lines[0] && from <= r->pos;
  //@ assert k == NTSGW_GUARANTEE ==> line == lines[1] && from <= r->pos;
  c->value[k] = from;
  *found |= (uint32_t)1 << k;
}

/* entry reads a key of a map and its value. In time an unknown key that is not negative is
 * critical (RFC 9581); in what it says of itself there is none. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(c) && \valid(found) && \separated(r, found, c) && claims_ok(c, r->end);
    assigns r->pos, r->bad, r->low, r->depth, *found, *c;
    ensures r->p == \old(r->p) && r->end == \old(r->end);
    ensures reader_ok(r) && claims_ok(c, r->end) && (r->bad == 0 ==> \old(r->bad) == 0);
*/
static void entry(reader *r, uint32_t map, uint32_t *found, ntsgw_claims *c) {
  uint32_t start = r->pos, from, key, k;
  next(r);
  from = r->pos;
  skip(r);
  if (r->bad) return;
  key = r->p[start];
  /*@ loop invariant FIRST_LINE - 1 <= k < NTSGW_VALUES;
      loop assigns k;
      loop variant k;
  */
  for (k = NTSGW_VALUES - 1; k >= FIRST_LINE; k--) {
    uint32_t line = lines[k - FIRST_LINE];
    if (line % 0x800 == map * 256 + key) {
      judge(r, k, line, from, found, c);
      return;
    }
  }
  if (r->depth > NTSGW_DEPTH_MAX || key >= 0x40 || 32 * map > key + 32) r->bad = 1;
}

int ntsgw_cbor_claims(const uint8_t *p, uint32_t n, uint32_t kind, ntsgw_claims *c) {
  uint32_t map, left, found = 0;
  reader r;
  r.p = p;
  r.pos = 0;
  r.end = n;
  r.bad = 0;

  /*@ loop invariant map <= NTSGW_VALUES && \forall integer k; 0 <= k < map ==> c->value[k] == 0;
      loop assigns map, *c;
      loop variant NTSGW_VALUES - map;
  */
  for (map = 0; map < NTSGW_VALUES; map++) c->value[map] = 0;
  next(&r);
  c->value[kind / 2 % 2] = r.pos;
  skip(&r);
  if (r.pos != r.end) r.bad = 1;
  //@ assert claims_ok(c, n);
  /*@ loop invariant map <= NTSGW_COSE_KEY + 1 && reader_ok(&r) && r.p == p && r.end == n && claims_ok(c, n);
      loop assigns map, left, r.pos, r.bad, r.low, r.depth, found, *c;
      loop variant NTSGW_COSE_KEY + 1 - map;
  */
  for (map = 0; map <= NTSGW_COSE_KEY; map++) {
    r.pos = c->value[map];
    if (r.pos == 0) continue;
    if (map == NTSGW_TIME) {
      next(&r);
      if (r.low != 1001) r.bad = 1;
    }
    /*@ loop invariant reader_ok(&r) && r.p == p && r.end == n && claims_ok(c, n);
        loop assigns left, r.pos, r.bad, r.low, r.depth, found, *c;
        loop variant left;
    */
    for (left = next(&r) == MAP ? r.low : 0; left > 0 && r.bad == 0; left--) entry(&r, map, &found, c);
  }
  found |= KEY_IS(c->value[NTSGW_KEY_TYPE], c->value[NTSGW_CURVE]);
  if (found != needed[kind - 1]) r.bad = 1;
  return r.bad == 0;
}

/* The form of an envelope behind its tag: bytes, and places for the algorithm and the four
 * pieces. The protected header is exactly {1: alg, 4: kid}. */
enum { PIECE = 0, ALG = 2 };
static const uint8_t form[] = {0x84, PIECE, 0xa2, 1, ALG, 4, PIECE, 0xa0, PIECE, PIECE};

/*@ // Pieces that were read by the time that i bytes of the form were taken, but not the last one of these.
    logic integer read(integer i) = i >= 10 ? 3 : i >= 8 ? 2 : i >= 3 ? 1 : 0;
    predicate pieces_ok{L}(ntsgw_envelope *e, integer n, uint8_t *p, integer len) =
      \forall integer k; NTSGW_PROTECTED <= k <= n ==> piece_in(e->piece[k], p, len);
*/

int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint32_t tag, ntsgw_envelope *e) {
  reader r;
  ntsgw_span *x = &e->piece[NTSGW_PROTECTED];
  uint32_t want = 0xc0 + tag, i = 0, proof_n = (tag - 16u) * 32u + 2u;
  r.p = p;
  r.pos = 0;
  r.end = len;
  r.bad = 0;
  /*@ loop invariant i <= 10 && want == (i == 0 ? 0xc0 + tag : form[i - 1]);
      loop invariant x == &e->piece[NTSGW_PROTECTED + read(i)];
      loop invariant reader_ok(&r) && r.p == p && r.end == len;
      loop invariant pieces_ok(e, read(i), p, len);
      loop assigns i, want, x, r.pos, r.bad, r.low, *e;
      loop variant 10 - i;
  */
  for (;;) {
    if (want == PIECE) {
      //@ assert i == 2 || i == 7 || i == 9 || i == 10;
      uint32_t size;
      uint32_t at = r.pos;
      size = bytes(&r);
      x->p = p + at;
      x->n = r.pos + size - at;
      //@ assert piece_in(e->piece[NTSGW_PROTECTED + read(i)], p, len) && pieces_ok(e, read(i), p, len);
      //@ assert pieces_ok(e, read(i) + 1, p, len);
      if (i == 2) size = 0; /* the protected header is read on in */
      r.pos += size;
      x++;
    } else if (want == ALG) {
      uint32_t major = next(&r);
      if (major > NEGINT) r.bad = 1;
      e->alg = (int32_t)(r.low ^ (0u - major));
    } else if (r.pos == len || p[r.pos++] != want) {
      r.bad = 1;
    }
    if (i == sizeof form) break;
    want = form[i++];
  }
  //@ assert pieces_ok(e, NTSGW_PROOF, p, len);
  if (r.pos != len || e->piece[NTSGW_PROTECTED].p + e->piece[NTSGW_PROTECTED].n != e->piece[NTSGW_KID].p + e->piece[NTSGW_KID].n) return 0;
  return r.bad == 0 && e->piece[NTSGW_PROOF].n == proof_n;
}

void ntsgw_claims_time(const ntsgw_claims *c, int64_t *t, ntsgw_interval *e) {
  *t = c->value[NTSGW_NANOSECONDS];
  ntsgw_add(t, NTSGW_NS, c->value[NTSGW_SECONDS]);
  ntsgw_add(t, NTSGW_NS, c->value[NTSGW_TAI_UTC]);
  e->lo.tai = e->hi.tai = *t;
  ntsgw_add(&e->hi.tai, NTSGW_NS, c->value[NTSGW_ERROR_SECONDS]);
  ntsgw_add(&e->hi.tai, 1, c->value[NTSGW_ERROR_NANOSECONDS]);
  ntsgw_add(&e->lo.tai, -NTSGW_NS, c->value[NTSGW_ERROR_SECONDS]);
  ntsgw_add(&e->lo.tai, -1, c->value[NTSGW_ERROR_NANOSECONDS]);
}

uint32_t ntsgw_cbor_put(uint8_t *out, uint32_t major, uint32_t arg) {
  uint32_t n = 0, i, info = arg;
  if (arg >= 24) {
    /*@ loop invariant n == 1 || n == 2 || n == 4;
        loop assigns n;
        loop variant 4 - n;
    */
    for (n = 1; n < 4 && arg >> 8 * n != 0; n *= 2) continue;
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
