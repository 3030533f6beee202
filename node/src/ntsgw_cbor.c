#include "ntsgw_cbor.h"

enum { UINT = 0, NEGINT = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, OTHER = 7 };

/* Bytes from pos up to end are still to be read. */
typedef struct {
  const uint8_t *p;
  uint32_t pos;
  uint32_t end;
} reader;

/* A data item's head: its argument is width bytes long, in two words. */
typedef struct {
  uint8_t major;
  uint8_t width;
  uint32_t high;
  uint32_t low;
} head;

/*@ predicate reader_ok{L}(reader *r) = r->pos <= r->end <= NTSGW_MESSAGE_MAX && \valid_read(r->p + (0 .. r->end - 1));
*/

/* shortest_float says whether no shorter float has the same value. A float with
 * used fraction bits keeps its value in the shorter form when these, its largest
 * exponent and its smallest subnormal allow it. */
/*@ requires \valid_read(h);
    assigns \nothing;
    ensures \result == 0 || \result == 1;
*/
static int shortest_float(const head *h) {
  uint32_t high = h->high, low = h->low;
  int32_t e, used = 23, special = 0xff, bias = 127, bits = 10, top = 15, bottom = -24;
  if (h->width == 8) {
    e = (int32_t)(high / 0x100000u % 0x800u);
    high %= 0x100000u;
    used = 52, special = 0x7ff, bias = 1023, bits = 23, top = 127, bottom = -149;
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
  if (e == special) return 0;
  e -= bias;
  return e > top || e - used < bottom;
}

/* next reads a head: the shortest form only, no indefinite length. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(h) && \separated(r, h);
    assigns r->pos, *h;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> h->major <= 7 && r->pos > \old(r->pos);
*/
static int next(reader *r, head *h) {
  uint32_t info, n, i;
  if (r->pos == r->end) return 0;
  info = r->p[r->pos];
  r->pos++;
  h->major = (uint8_t)(info / 32u);
  info %= 32u;
  h->width = 0;
  h->high = 0;
  h->low = info;
  if (info < 24) return 1;
  if (info > 27) return 0;
  n = info == 24 ? 1u : info == 25 ? 2u : info == 26 ? 4u : 8u;
  if (r->end - r->pos < n) return 0;
  h->width = (uint8_t)n;
  h->low = 0;
  /*@ loop invariant i <= n && reader_ok(r) && r->pos == \at(r->pos, LoopEntry) + i && r->pos + (n - i) <= r->end;
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop assigns i, h->high, h->low, r->pos;
      loop variant n - i;
  */
  for (i = 0; i < n; i++) {
    h->high = h->high * 256u + h->low / 0x1000000u;
    h->low = h->low * 256u + r->p[r->pos];
    r->pos++;
  }
  if (h->major == OTHER) return n == 1 ? h->low >= 32 : n == 2 || shortest_float(h);
  return n == 8 ? h->high != 0 : h->low >= (n == 1 ? 24u : n == 2 ? 0x100u : 0x10000u);
}

/* number reads an unsigned integer from least to most. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(v) && \separated(r, v);
    assigns r->pos, *v;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> least <= *v <= most && r->pos > \old(r->pos);
*/
static int number(reader *r, uint32_t least, uint32_t most, uint32_t *v) {
  head h;
  if (!next(r, &h) || h.major != UINT || h.high != 0 || h.low < least || h.low > most) return 0;
  *v = h.low;
  return 1;
}

/* octets reads n bytes that must be the lowest of want, the highest first. */
/*@ requires \valid(r) && reader_ok(r) && 1 <= n <= 4;
    assigns r->pos;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> r->pos == \old(r->pos) + n;
*/
static int octets(reader *r, uint32_t want, uint32_t n) {
  if (r->end - r->pos < n) return 0;
  /*@ loop invariant n <= \at(n, Pre) && r->pos == \at(r->pos, Pre) + (\at(n, Pre) - n) && r->pos + n <= r->end;
      loop assigns n, r->pos;
      loop variant n;
  */
  while (n > 0) {
    n--;
    if (r->p[r->pos] != (uint8_t)(want >> (8u * n))) return 0;
    r->pos++;
  }
  return 1;
}

/* bytes reads a byte string; when n isn't 0 it must have that length. */
/*@ requires \valid(r) && reader_ok(r) && n <= NTSGW_MESSAGE_MAX;
    requires \valid(q) && \separated(r, q);
    assigns r->pos, *q;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> r->pos > \old(r->pos) && (n != 0 ==> q->n == n) &&
      q->at > \old(r->pos) && q->at + q->n == r->pos;
*/
static int bytes(reader *r, uint32_t n, ntsgw_piece *q) {
  head h;
  if (!next(r, &h) || h.major != BYTES || h.high != 0 || h.low > r->end - r->pos) return 0;
  if (n != 0 && h.low != n) return 0;
  q->at = (uint8_t)r->pos;
  q->n = (uint8_t)h.low;
  r->pos += h.low;
  return 1;
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

/* skip passes over one item of any kind, nested at most NTSGW_DEPTH_MAX deep,
 * and holds it to the same encoding: the keys of every map ascend bytewise. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> r->pos > \old(r->pos);
*/
static int skip(reader *r) {
  /* The containers that are open: items left, where it begins, its last key. */
  uint16_t left[NTSGW_DEPTH_MAX];
  uint8_t is_map[NTSGW_DEPTH_MAX], self[NTSGW_DEPTH_MAX], key[NTSGW_DEPTH_MAX], key_end[NTSGW_DEPTH_MAX];
  uint32_t depth = 0, items, start;
  head h;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre) && depth <= NTSGW_DEPTH_MAX;
      loop invariant r->p == \at(r->p, Pre) && r->end == \at(r->end, Pre);
      loop invariant \forall integer k; 0 <= k < depth ==> 1 <= left[k];
      loop invariant \forall integer k; 0 <= k < depth ==> self[k] <= r->pos;
      loop invariant \forall integer k; 0 <= k < depth ==> key[k] <= key_end[k] <= r->pos;
      loop assigns r->pos, depth, items, start, h, left[0 .. NTSGW_DEPTH_MAX - 1], is_map[0 .. NTSGW_DEPTH_MAX - 1],
        self[0 .. NTSGW_DEPTH_MAX - 1], key[0 .. NTSGW_DEPTH_MAX - 1], key_end[0 .. NTSGW_DEPTH_MAX - 1];
      loop variant r->end - r->pos;
  */
  for (;;) {
    start = r->pos;
    if (!next(r, &h)) return 0;
    items = 0;
    if (h.major == TAG) {
      items = 1;
    } else if (h.major >= BYTES && h.major <= MAP) {
      if (h.high != 0 || h.low > r->end - r->pos) return 0;
      if (h.major <= TEXT) {
        r->pos += h.low;
      } else {
        items = h.major == MAP ? 2 * h.low : h.low;
      }
    }
    if (h.major >= ARRAY && h.major <= TAG) {
      if (depth == NTSGW_DEPTH_MAX) return 0;
      if (items > 0) {
        left[depth] = (uint16_t)items;
        is_map[depth] = h.major == MAP;
        self[depth] = (uint8_t)start;
        key[depth] = key_end[depth] = 0;
        depth++;
        continue;
      }
    }
    /* An item is complete; it may complete those that it lies in. */
    /*@ loop invariant depth <= NTSGW_DEPTH_MAX && start <= r->pos;
        loop invariant \forall integer k; 0 <= k < depth ==> 1 <= left[k];
        loop invariant \forall integer k; 0 <= k < depth ==> self[k] <= r->pos;
        loop invariant \forall integer k; 0 <= k < depth ==> key[k] <= key_end[k] <= r->pos;
        loop assigns depth, start, left[0 .. NTSGW_DEPTH_MAX - 1], key[0 .. NTSGW_DEPTH_MAX - 1], key_end[0 .. NTSGW_DEPTH_MAX - 1];
        loop variant depth;
    */
    for (;;) {
      uint32_t top;
      if (depth == 0) return 1;
      top = depth - 1;
      if (is_map[top] && left[top] % 2 == 0) {
        if (key_end[top] > 0 && !before(r->p, key[top], key_end[top], start, r->pos)) return 0;
        key[top] = (uint8_t)start;
        key_end[top] = (uint8_t)r->pos;
      }
      left[top]--;
      if (left[top] > 0) break;
      start = self[top];
      depth = top;
    }
  }
}

/* A map that is being read: how many entries are left, and the last key's head. */
typedef struct {
  uint32_t left;
  head key;
} map;

/*@ requires \valid(r) && reader_ok(r);
    requires \valid(m) && \separated(r, m);
    assigns r->pos, *m;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> m->left <= NTSGW_MESSAGE_MAX && r->pos > \old(r->pos);
*/
static int open_map(reader *r, map *m) {
  if (!next(r, &m->key) || m->key.major != MAP || m->key.high != 0 || m->key.low > r->end - r->pos) return 0;
  m->left = m->key.low;
  return 1;
}

/* key reads the next key, an integer that sorts after the last one: by sign, by
 * width, by value. The map's own head stands in for the key before the first. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(m) && \separated(r, m);
    requires 1 <= m->left <= NTSGW_MESSAGE_MAX;
    assigns r->pos, *m;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures m->left == \old(m->left) - 1;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> m->key.major <= NEGINT && r->pos > \old(r->pos);
*/
static int key(reader *r, map *m) {
  head last = m->key;
  head *h = &m->key;
  m->left--;
  if (!next(r, h) || h->major > NEGINT) return 0;
  if (last.major == MAP || h->major > last.major) return 1;
  if (h->major < last.major || h->width < last.width) return 0;
  if (h->width > last.width) return 1;
  return h->high > last.high || (h->high == last.high && h->low > last.low);
}

/* extended_time reads tag 1001 (RFC 9581): unknown unsigned keys are critical
 * and refused, unknown negative ones are skipped. E is exactly {1: s, -9: ns}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(c) && \separated(r, c);
    assigns r->pos, c->seconds, c->nanoseconds, c->error_seconds, c->error_nanoseconds;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> c->nanoseconds < 1000000000 && c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
*/
static int extended_time(reader *r, ntsgw_claims *c) {
  map m;
  uint8_t seconds = 0, error = 0, nanoseconds = 0;
  if (!octets(r, 0xd903e9, 3) || !open_map(r, &m)) return 0;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre) && m.left <= NTSGW_MESSAGE_MAX;
      loop invariant error ==> c->error_seconds < 65536 && c->error_nanoseconds < 1000000000;
      loop invariant nanoseconds ==> c->nanoseconds < 1000000000;
      loop assigns r->pos, m, seconds, error, nanoseconds, c->seconds, c->nanoseconds, c->error_seconds, c->error_nanoseconds;
      loop variant m.left;
  */
  while (m.left > 0) {
    if (!key(r, &m)) return 0;
    if (m.key.major == UINT) {
      if (m.key.high != 0 || m.key.low != 1 || !number(r, 0, 0xffffffff, &c->seconds)) return 0;
      seconds = 1;
    } else if (m.key.high == 0 && m.key.low == 7) {
      if (!octets(r, 0xa201, 2) || !number(r, 0, 0xffff, &c->error_seconds)) return 0;
      if (!octets(r, 0x28, 1) || !number(r, 0, 999999999, &c->error_nanoseconds)) return 0;
      error = 1;
    } else if (m.key.high == 0 && m.key.low == 8) {
      if (!number(r, 0, 999999999, &c->nanoseconds)) return 0;
      nanoseconds = 1;
    } else if (!skip(r)) {
      return 0;
    }
  }
  return seconds && error && nanoseconds;
}

/* cose_key reads exactly {1: 1, -1: 6, -2: x} or {1: 2, -1: 1, -2: x, -3: y}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(q) && \separated(r, q);
    assigns r->pos, *q;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> q->at >= \old(r->pos) && q->at + q->n <= r->pos && q->n == (es256 ? 75 : 40);
*/
static int cose_key(reader *r, int es256, ntsgw_piece *q) {
  uint32_t from = r->pos;
  uint32_t length = es256 ? 75u : 40u;
  if (!octets(r, es256 ? 0xa4010220 : 0xa3010120, 4) || !octets(r, es256 ? 0x01215820 : 0x06215820, 4)) return 0;
  if (r->end - from < length) return 0;
  r->pos = from + 40;
  if (es256 && !octets(r, 0x225820, 3)) return 0;
  r->pos = from + length;
  *q = stretch(from, r->pos);
  return 1;
}

/* How the value of a key is read, four bits for each key from 0 on. */
enum { SKIP = 0, REFUSE, NUMBER, BITS16, FROM1TO15, STATE, NONCE, EPOCH, TIME, KEY };

#define NIBBLES(a, b, c, d, e, f, g, h) \
  ((uint32_t)(a) | (uint32_t)(b) << 4 | (uint32_t)(c) << 8 | (uint32_t)(d) << 12 | (uint32_t)(e) << 16 | \
   (uint32_t)(f) << 20 | (uint32_t)(g) << 24 | (uint32_t)(h) << 28)

#define BEACON_LOW NIBBLES(SKIP, TIME, EPOCH, NUMBER, STATE, FROM1TO15, NUMBER, NUMBER)
#define BEACON_HIGH NIBBLES(BITS16, REFUSE, REFUSE, REFUSE, SKIP, REFUSE, SKIP, SKIP)
#define BEACON_KEYS 0x1feu
#define RESPONSE_LOW NIBBLES(SKIP, TIME, EPOCH, REFUSE, STATE, FROM1TO15, NUMBER, NUMBER)
#define RESPONSE_HIGH NIBBLES(REFUSE, NONCE, NUMBER, NUMBER, SKIP, REFUSE, SKIP, SKIP)
#define RESPONSE_KEYS 0xef6u
#define DELEGATION_LOW NIBBLES(SKIP, KEY, NUMBER, NUMBER, NUMBER, SKIP, SKIP, SKIP)
#define DELEGATION_KEYS 0x1eu

/* field reads the value of one key. */
/*@ requires \valid(r) && reader_ok(r) && from < r->pos && (k < NTSGW_VALUES || how == SKIP);
    requires \valid(c) && \separated(r, c) && in_range(c, from, r->end);
    assigns r->pos, *c;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> in_range(c, from, r->end);
    ensures \result == 1 ==> c->key.n == \old(c->key.n) || c->key.n == (es256 ? 75 : 40);
*/
static int field(reader *r, uint32_t how, uint32_t k, int es256, ntsgw_claims *c, uint32_t from) {
  uint32_t least = 0, most = 0xffffffff;
  head h;
  (void)from;
  switch (how) {
    case SKIP: return skip(r);
    case TIME: return extended_time(r, c);
    case KEY: return cose_key(r, es256, &c->key);
    case EPOCH: return bytes(r, 8, &c->epoch);
    case NONCE: return bytes(r, 16, &c->nonce);
    case STATE: least = 1, most = 2; break;
    case FROM1TO15: least = 1, most = 15; break;
    case BITS16: most = 0xffff; break;
    case NUMBER: break;
    default: return 0;
  }
  if (k == NTSGW_LEAP) {
    c->value[k] = 0;
    if (!next(r, &h) || h.width != 0) return 0;
    if (h.major == NEGINT) return h.low == 0;
    if (h.major != UINT || h.low > 2) return 0;
    c->value[k] = h.low + 1;
    return 1;
  }
  if (k == NTSGW_TAI_UTC) most = 0xff;
  return number(r, least, most, &c->value[k]);
}

int ntsgw_cbor_claims(const uint8_t *p, uint32_t from, uint32_t to, int kind, ntsgw_claims *c) {
  uint32_t low = DELEGATION_LOW, high = 0, missing = DELEGATION_KEYS;
  reader r;
  map m;
  if (kind == NTSGW_CLAIMS_BEACON) low = BEACON_LOW, high = BEACON_HIGH, missing = BEACON_KEYS;
  if (kind == NTSGW_CLAIMS_RESPONSE) low = RESPONSE_LOW, high = RESPONSE_HIGH, missing = RESPONSE_KEYS;
  r.p = p;
  r.pos = from;
  r.end = to;
  c->nanoseconds = c->error_seconds = c->error_nanoseconds = 0;
  c->value[NTSGW_LEAP] = c->value[NTSGW_TAI_UTC] = 0;
  c->epoch = c->nonce = c->key = stretch(from, from);
  if (!open_map(&r, &m)) return 0;
  /*@ loop invariant reader_ok(&r) && r.pos > from && r.p == p && r.end == to && m.left <= NTSGW_MESSAGE_MAX;
      loop invariant in_range(c, from, to);
      loop invariant c->key.n == 0 || c->key.n == (kind == NTSGW_CLAIMS_ES256 ? 75 : 40);
      loop assigns r.pos, m, missing, *c;
      loop variant m.left;
  */
  while (m.left > 0) {
    uint32_t how = SKIP, k;
    if (!key(&r, &m)) return 0;
    k = m.key.low;
    if (m.key.major == UINT && m.key.width == 0 && k < 14) {
      how = (k < 8 ? low >> (4 * k) : high >> (4 * (k - 8))) % 16u;
      if (how != SKIP) missing &= ~((uint32_t)1 << k);
    }
    if (k >= NTSGW_VALUES && how != SKIP) return 0;
    if (!field(&r, how, k, kind == NTSGW_CLAIMS_ES256, c, from)) return 0;
  }
  /* That nothing is missing says this already; here it is said so that it can be proved. */
  if (kind == NTSGW_CLAIMS_RESPONSE && c->nonce.n == 0) return 0;
  if (kind >= NTSGW_CLAIMS_ED25519 && c->key.n == 0) return 0;
  return r.pos == to && missing == 0;
}

/* protected_header reads exactly {1: alg, 4: kid}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(e) && \separated(r, e);
    assigns r->pos, e->alg, e->kid;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> piece_in(e->kid, 0, r->pos);
*/
static int protected_header(reader *r, ntsgw_envelope *e) {
  head h;
  if (!octets(r, 0xa201, 2) || !next(r, &h) || h.major > NEGINT) return 0;
  e->alg = 0;
  if (h.width <= 1 && h.low <= 0xff) e->alg = (int16_t)(h.major == UINT ? (int32_t)h.low : -1 - (int32_t)h.low);
  return octets(r, 4, 1) && bytes(r, 0, &e->kid);
}

int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint8_t tag, ntsgw_envelope *e) {
  reader r, inner;
  uint32_t from;
  r.p = p;
  r.pos = 0;
  r.end = len;
  if (!octets(&r, 0xc084u + tag * 256u, 2)) return 0;
  from = r.pos;
  if (!bytes(&r, 0, &e->proof)) return 0;
  e->protected_item = stretch(from, r.pos);
  inner.p = p;
  inner.pos = e->proof.at;
  inner.end = r.pos;
  if (!protected_header(&inner, e) || inner.pos != inner.end) return 0;
  if (!octets(&r, 0xa0, 1)) return 0;
  from = r.pos;
  if (!bytes(&r, 0, &e->payload)) return 0;
  e->payload_item = stretch(from, r.pos);
  return bytes(&r, tag == 17 ? 32 : 64, &e->proof) && r.pos == len;
}

int64_t ntsgw_claims_time(const ntsgw_claims *c, ntsgw_bounds *bounds) {
  int64_t t = ((int64_t)c->seconds + c->value[NTSGW_TAI_UTC]) * 1000000000 + c->nanoseconds;
  int64_t e = (int64_t)c->error_seconds * 1000000000 + c->error_nanoseconds;
  bounds->lo = t - e;
  bounds->hi = t + e;
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
