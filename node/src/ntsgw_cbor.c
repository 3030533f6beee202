#include "ntsgw_cbor.h"

enum { UINT = 0, NEGINT = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, OTHER = 7 };

/* Bytes from pos up to end are still to be read. */
typedef struct {
  const uint8_t *p;
  uint32_t pos;
  uint32_t end;
} reader;

/* A data item's head. width is the argument's length in bytes; in one of 8 arg
 * is the upper half and low the lower one, else low is 0. */
typedef struct {
  uint8_t major;
  uint8_t width;
  uint32_t arg;
  uint32_t low;
} head;

/* A container that is open while a value is skipped. */
typedef struct {
  uint16_t left;
  uint8_t is_map;
  ntsgw_piece self;
  ntsgw_piece key;
} level;

/*@ predicate reader_ok{L}(reader *r) = r->pos <= r->end <= NTSGW_MESSAGE_MAX && \valid_read(r->p + (0 .. r->end - 1));
    predicate fixed{L1, L2}(reader *r) = \at(r->p, L1) == \at(r->p, L2) && \at(r->end, L1) == \at(r->end, L2);
*/

/*@ requires \valid(r) && reader_ok(r);
    requires n == 1 || n == 2 || n == 4;
    requires \valid(v) && \separated(r, v);
    assigns r->pos, *v;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> r->pos == \old(r->pos) + n;
    ensures \result == 1 && n == 1 ==> *v < 256;
    ensures \result == 1 && n == 2 ==> *v < 65536;
*/
static int be(reader *r, uint32_t n, uint32_t *v) {
  const uint8_t *b;
  if (r->end - r->pos < n) return 0;
  b = r->p + r->pos;
  r->pos += n;
  if (n == 1) {
    *v = b[0];
  } else if (n == 2) {
    *v = (uint32_t)b[0] * 256u + b[1];
  } else {
    *v = (((uint32_t)b[0] * 256u + b[1]) * 256u + b[2]) * 256u + b[3];
  }
  return 1;
}

/* fits_half says whether a single-precision float with these bits has an equal
 * half-precision one, fits_single the same from double (RFC 8949 appendix D,
 * the other way round). */
/*@ assigns \nothing; */
static int fits_half(uint32_t bits) {
  uint32_t exp = bits / 0x800000u % 0x100u;
  uint32_t frac = bits % 0x800000u;
  if (exp == 0) return frac == 0;
  if (exp == 0xff || (exp >= 113 && exp <= 142)) return frac % 0x2000u == 0;
  if (exp < 103 || exp > 142) return 0;
  return (frac + 0x800000u) % ((uint32_t)1 << (126 - exp)) == 0;
}

/*@ assigns \nothing; */
static int fits_single(uint32_t high, uint32_t low) {
  uint32_t exp = high / 0x100000u % 0x800u;
  uint32_t frac = high % 0x100000u;
  if (exp == 0) return frac == 0 && low == 0;
  if (exp == 0x7ff || (exp >= 897 && exp <= 1150)) return low % 0x20000000u == 0;
  if (exp < 874 || exp > 1150) return 0;
  if (exp >= 895) return low % ((uint32_t)1 << (926 - exp)) == 0;
  return low == 0 && (frac + 0x100000u) % ((uint32_t)1 << (894 - exp)) == 0;
}

/* next reads a head: the shortest form only, no indefinite length, and floats
 * only in the shortest form that keeps the value. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(h) && \separated(r, h);
    assigns r->pos, *h;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> h->major <= 7 && r->pos > \old(r->pos);
*/
static int next(reader *r, head *h) {
  uint32_t first, info;
  if (!be(r, 1, &first)) return 0;
  h->major = (uint8_t)(first / 32u);
  h->width = 0;
  h->low = 0;
  info = first % 32u;
  h->arg = info;
  if (info < 24) return 1;
  if (info > 27) return 0;
  h->width = (uint8_t)(info == 24 ? 1 : info == 25 ? 2 : info == 26 ? 4 : 8);
  if (!be(r, info == 27 ? 4 : h->width, &h->arg)) return 0;
  if (info == 27 && !be(r, 4, &h->low)) return 0;
  if (h->major == OTHER) {
    if (info == 24) return h->arg >= 32;
    if (info == 26) return !fits_half(h->arg);
    return info == 25 || !fits_single(h->arg, h->low);
  }
  if (info == 24) return h->arg >= 24;
  if (info == 25) return h->arg > 0xff;
  if (info == 26) return h->arg > 0xffff;
  return h->arg != 0;
}

/* number reads an unsigned integer of at most max. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(v) && \separated(r, v);
    assigns r->pos, *v;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> *v <= max && r->pos > \old(r->pos);
*/
static int number(reader *r, uint32_t max, uint32_t *v) {
  head h;
  if (!next(r, &h)) return 0;
  if (h.major != UINT || h.width == 8 || h.arg > max) return 0;
  *v = h.arg;
  return 1;
}

/* is reads one item that must have this head. */
/*@ requires \valid(r) && reader_ok(r);
    assigns r->pos;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> r->pos > \old(r->pos);
*/
static int is(reader *r, uint8_t major, uint32_t arg) {
  head h;
  if (!next(r, &h)) return 0;
  return h.major == major && h.width != 8 && h.arg == arg;
}

/* bytes reads a byte string of least to most bytes. */
/*@ requires \valid(r) && reader_ok(r) && most <= NTSGW_MESSAGE_MAX;
    requires \valid(q) && \separated(r, q);
    assigns r->pos, *q;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> r->pos > \old(r->pos) && least <= q->n <= most &&
      q->at > \old(r->pos) && q->at + q->n == r->pos;
*/
static int bytes(reader *r, uint32_t least, uint32_t most, ntsgw_piece *q) {
  head h;
  if (!next(r, &h)) return 0;
  if (h.major != BYTES || h.width == 8 || h.arg < least || h.arg > most || h.arg > r->end - r->pos) return 0;
  q->at = (uint8_t)r->pos;
  q->n = (uint8_t)h.arg;
  r->pos += h.arg;
  return 1;
}

/* below compares two stretches of the input bytewise: 1 when a sorts before b. */
/*@ requires \valid_read(p + (0 .. len - 1)) && piece_in(a, 0, len) && piece_in(b, 0, len);
    assigns \nothing;
    ensures \result == 0 || \result == 1;
*/
static int below(const uint8_t *p, uint32_t len, ntsgw_piece a, ntsgw_piece b) {
  uint32_t i;
  (void)len;
  /*@ loop invariant i <= a.n && i <= b.n;
      loop assigns i;
      loop variant a.n - i;
  */
  for (i = 0; i < a.n && i < b.n; i++) {
    if (p[a.at + i] != p[b.at + i]) return p[a.at + i] < p[b.at + i];
  }
  return a.n < b.n;
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
  level stack[NTSGW_DEPTH_MAX];
  uint32_t depth = 0, items, start;
  head h;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre) && depth <= NTSGW_DEPTH_MAX;
      loop invariant \forall integer k; 0 <= k < depth ==> 1 <= stack[k].left &&
        piece_in(stack[k].self, 0, r->pos) && piece_in(stack[k].key, 0, r->pos);
      loop assigns r->pos, depth, items, start, h, stack[0 .. NTSGW_DEPTH_MAX - 1];
      loop variant r->end - r->pos;
  */
  for (;;) {
    start = r->pos;
    if (!next(r, &h)) return 0;
    items = 0;
    if (h.major == TAG) {
      items = 1;
    } else if (h.major >= BYTES && h.major <= MAP) {
      if (h.width == 8 || h.arg > r->end - r->pos) return 0;
      if (h.major == BYTES || h.major == TEXT) {
        r->pos += h.arg;
      } else {
        items = h.major == MAP ? 2 * h.arg : h.arg;
      }
    }
    if (h.major >= ARRAY && h.major <= TAG) {
      if (depth == NTSGW_DEPTH_MAX) return 0;
      if (items > 0) {
        stack[depth].left = (uint16_t)items;
        stack[depth].is_map = h.major == MAP;
        stack[depth].self = stretch(start, r->pos);
        stack[depth].key = stretch(0, 0);
        depth++;
        continue;
      }
    }
    /* An item is complete; it may complete those that it lies in. */
    /*@ loop invariant depth <= NTSGW_DEPTH_MAX && start <= r->pos;
        loop invariant \forall integer k; 0 <= k < depth ==> 1 <= stack[k].left &&
          piece_in(stack[k].self, 0, r->pos) && piece_in(stack[k].key, 0, r->pos);
        loop assigns depth, start, stack[0 .. NTSGW_DEPTH_MAX - 1];
        loop variant depth;
    */
    for (;;) {
      level *l;
      if (depth == 0) return 1;
      l = &stack[depth - 1];
      if (l->is_map && l->left % 2 == 0) {
        ntsgw_piece key = stretch(start, r->pos);
        if (l->key.n > 0 && !below(r->p, r->end, l->key, key)) return 0;
        l->key = key;
      }
      l->left--;
      if (l->left > 0) break;
      start = l->self.at;
      depth--;
    }
  }
}

/* A map that is being read: how many entries are left, and the last key. */
typedef struct {
  uint32_t left;
  uint8_t any;
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
  head h;
  m->any = 0;
  m->left = 0;
  if (!next(r, &h)) return 0;
  if (h.major != MAP || h.width == 8 || h.arg > r->end - r->pos) return 0;
  m->left = h.arg;
  return 1;
}

/* key reads the next key, an integer that sorts after the last one. */
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
  head h;
  m->left--;
  if (!next(r, &h) || h.major > NEGINT) return 0;
  if (m->any) {
    const head *k = &m->key;
    if (h.major < k->major) return 0;
    if (h.major == k->major) {
      if (h.width < k->width) return 0;
      if (h.width == k->width && (h.arg < k->arg || (h.arg == k->arg && h.low <= k->low))) return 0;
    }
  }
  m->any = 1;
  m->key = h;
  return 1;
}

/* guarantee reads exactly {1: s, -9: ns}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(t) && \separated(r, t);
    assigns r->pos, t->error_seconds, t->error_nanoseconds;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> t->error_seconds < 65536 && t->error_nanoseconds < 1000000000;
*/
static int guarantee(reader *r, ntsgw_time *t) {
  return is(r, MAP, 2) && is(r, UINT, 1) && number(r, 0xffff, &t->error_seconds) && is(r, NEGINT, 8) &&
         number(r, 999999999, &t->error_nanoseconds);
}

/* extended_time reads tag 1001 (RFC 9581): unknown unsigned keys are critical
 * and refused, unknown negative ones are skipped. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(t) && \separated(r, t);
    assigns r->pos, t->seconds, t->nanoseconds, t->error_seconds, t->error_nanoseconds;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> t->nanoseconds < 1000000000 && t->error_seconds < 65536 && t->error_nanoseconds < 1000000000;
*/
static int extended_time(reader *r, ntsgw_time *t) {
  map m;
  uint8_t seconds = 0, error = 0, nanoseconds = 0;
  if (!is(r, TAG, 1001) || !open_map(r, &m)) return 0;
  /*@ loop invariant reader_ok(r) && r->pos >= \at(r->pos, Pre) && m.left <= NTSGW_MESSAGE_MAX;
      loop invariant error ==> t->error_seconds < 65536 && t->error_nanoseconds < 1000000000;
      loop invariant nanoseconds ==> t->nanoseconds < 1000000000;
      loop assigns r->pos, m, seconds, error, nanoseconds, t->seconds, t->nanoseconds, t->error_seconds, t->error_nanoseconds;
      loop variant m.left;
  */
  while (m.left > 0) {
    if (!key(r, &m)) return 0;
    if (m.key.major == UINT) {
      if (m.key.width != 0 || m.key.arg != 1 || !number(r, 0xffffffff, &t->seconds)) return 0;
      seconds = 1;
    } else if (m.key.width == 0 && m.key.arg == 7) {
      if (!guarantee(r, t)) return 0;
      error = 1;
    } else if (m.key.width == 0 && m.key.arg == 8) {
      if (!number(r, 999999999, &t->nanoseconds)) return 0;
      nanoseconds = 1;
    } else if (!skip(r)) {
      return 0;
    }
  }
  return seconds && error && nanoseconds;
}

/* Payload keys, a bit each: which are listed, and which a kind has. */
#define STATEMENT_KEYS (1u << 1 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7)
#define BEACON_KEYS (STATEMENT_KEYS | 1u << 3 | 1u << 8)
#define RESPONSE_KEYS (STATEMENT_KEYS | 1u << 9 | 1u << 10 | 1u << 11)
#define LISTED_KEYS (BEACON_KEYS | RESPONSE_KEYS | 1u << 13)

/*@ requires \valid(r) && reader_ok(r);
    requires \valid(leap) && \separated(r, leap);
    assigns r->pos, *leap;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> -1 <= *leap <= 2;
*/
static int leap_second(reader *r, int8_t *leap) {
  head h;
  if (!next(r, &h) || h.width != 0) return 0;
  if (h.major == UINT && h.arg <= 2) {
    *leap = (int8_t)h.arg;
    return 1;
  }
  *leap = -1;
  return h.major == NEGINT && h.arg == 0;
}

/* small reads a number from least to most, which fits a byte. */
/*@ requires \valid(r) && reader_ok(r) && most <= 255;
    requires \valid(v) && \separated(r, v);
    assigns r->pos, *v;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> least <= *v <= most;
*/
static int small(reader *r, uint32_t least, uint32_t most, uint8_t *v) {
  uint32_t x;
  if (!number(r, most, &x) || x < least) return 0;
  *v = (uint8_t)x;
  return 1;
}

/* What holds of a statement from its first field to its last. */
/*@ predicate in_range{L}(ntsgw_time *t, integer from, integer to) =
      t->nanoseconds < 1000000000 && t->error_seconds < 65536 && t->error_nanoseconds < 1000000000 &&
      t->next < 65536 && 1 <= t->state <= 2 && 1 <= t->stratum <= 15 && -1 <= t->leap <= 2 &&
      (t->epoch.n == 0 || (t->epoch.n == 8 && piece_in(t->epoch, from, to))) &&
      (t->nonce.n == 0 || (t->nonce.n == 16 && piece_in(t->nonce, from, to)));
*/

/* field reads the value of one listed key. */
/*@ requires \valid(r) && reader_ok(r) && from < r->pos;
    requires \valid(t) && \separated(r, t) && in_range(t, from, r->end);
    assigns r->pos, *t;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> in_range(t, from, r->end);
*/
static int field(reader *r, uint32_t k, ntsgw_time *t, uint32_t from) {
  (void)from;
  switch (k) {
    case 1: return extended_time(r, t);
    case 2: return bytes(r, 8, 8, &t->epoch);
    case 3: return number(r, 0xffffffff, &t->sequence);
    case 4: return small(r, 1, 2, &t->state);
    case 5: return small(r, 1, 15, &t->stratum);
    case 6: return leap_second(r, &t->leap);
    case 7: return small(r, 0, 255, &t->tai_utc);
    case 8: return number(r, 0xffff, &t->next);
    case 9: return bytes(r, 16, 16, &t->nonce);
    case 10: return number(r, 0xffffffff, &t->turnaround);
    case 11: return number(r, 0xffffffff, &t->serial);
    default: return 0;
  }
}

int ntsgw_cbor_time(const uint8_t *p, uint32_t from, uint32_t to, int response, ntsgw_time *t) {
  uint32_t want = response ? RESPONSE_KEYS : BEACON_KEYS;
  uint32_t missing = want;
  reader r;
  map m;
  r.p = p;
  r.pos = from;
  r.end = to;
  t->nanoseconds = t->error_seconds = t->error_nanoseconds = 0;
  t->sequence = t->turnaround = t->serial = t->next = 0;
  t->epoch = t->nonce = stretch(from, from);
  t->state = t->stratum = 1;
  t->tai_utc = 0;
  t->leap = 0;
  if (!open_map(&r, &m)) return 0;
  /*@ loop invariant reader_ok(&r) && r.pos > from && r.p == p && r.end == to && m.left <= NTSGW_MESSAGE_MAX;
      loop invariant in_range(t, from, to);
      loop assigns r.pos, m, missing, *t;
      loop variant m.left;
  */
  while (m.left > 0) {
    uint32_t bit;
    if (!key(&r, &m)) return 0;
    bit = m.key.major == UINT && m.key.width == 0 ? (uint32_t)1 << m.key.arg : 0;
    if (bit & LISTED_KEYS) {
      if (!(bit & want) || !field(&r, m.key.arg, t, from)) return 0;
      missing &= ~bit;
    } else if (!skip(&r)) {
      return 0;
    }
  }
  return r.pos == to && missing == 0 && t->epoch.n == 8 && (!response || t->nonce.n == 16);
}

/* cose_key reads exactly {1: 1, -1: 6, -2: x} or {1: 2, -1: 1, -2: x, -3: y}. */
/*@ requires \valid(r) && reader_ok(r);
    requires \valid(d) && \separated(r, d);
    assigns r->pos, d->alg, d->x, d->y;
    ensures reader_ok(r) && r->pos >= \old(r->pos);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> d->alg == NTSGW_ED25519 || d->alg == NTSGW_ES256;
    ensures \result == 1 ==> d->x.n == 32 && d->x.at >= \old(r->pos) && d->x.at + 32 <= r->pos;
    ensures \result == 1 && d->alg == NTSGW_ES256 ==> d->y.n == 32 && d->y.at >= \old(r->pos) && d->y.at + 32 <= r->pos;
*/
static int cose_key(reader *r, ntsgw_delegation *d) {
  uint32_t entries, type;
  head h;
  if (!next(r, &h) || h.major != MAP || h.width != 0) return 0;
  entries = h.arg;
  if (!is(r, UINT, 1) || !number(r, 2, &type) || entries != 2 + type || type == 0) return 0;
  d->alg = type == 1 ? NTSGW_ED25519 : NTSGW_ES256;
  if (!is(r, NEGINT, 0) || !is(r, UINT, type == 1 ? 6 : 1)) return 0;
  if (!is(r, NEGINT, 1) || !bytes(r, 32, 32, &d->x)) return 0;
  return type == 1 || (is(r, NEGINT, 2) && bytes(r, 32, 32, &d->y));
}

int ntsgw_cbor_delegation(const uint8_t *p, uint32_t from, uint32_t to, ntsgw_delegation *d) {
  uint8_t got_key = 0, got_serial = 0, got_before = 0, got_after = 0;
  reader r;
  map m;
  r.p = p;
  r.pos = from;
  r.end = to;
  if (!open_map(&r, &m)) return 0;
  /*@ loop invariant reader_ok(&r) && r.pos > from && r.p == p && r.end == to && m.left <= NTSGW_MESSAGE_MAX;
      loop invariant got_key ==> (d->alg == NTSGW_ED25519 || d->alg == NTSGW_ES256) &&
        d->x.n == 32 && piece_in(d->x, from, to) && (d->alg == NTSGW_ES256 ==> d->y.n == 32 && piece_in(d->y, from, to));
      loop assigns r.pos, m, got_key, got_serial, got_before, got_after, *d;
      loop variant m.left;
  */
  while (m.left > 0) {
    uint32_t k;
    if (!key(&r, &m)) return 0;
    k = m.key.major == UINT && m.key.width == 0 ? m.key.arg : 0;
    if (k == 1) {
      if (!cose_key(&r, d)) return 0;
      got_key = 1;
    } else if (k == 2) {
      if (!number(&r, 0xffffffff, &d->serial)) return 0;
      got_serial = 1;
    } else if (k == 3) {
      if (!number(&r, 0xffffffff, &d->not_before)) return 0;
      got_before = 1;
    } else if (k == 4) {
      if (!number(&r, 0xffffffff, &d->not_after)) return 0;
      got_after = 1;
    } else if (!skip(&r)) {
      return 0;
    }
  }
  return r.pos == to && got_key && got_serial && got_before && got_after;
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
  if (!is(r, MAP, 2) || !is(r, UINT, 1) || !next(r, &h) || h.major > NEGINT) return 0;
  e->alg = (int16_t)(h.width > 1 ? 0 : h.major == UINT ? (int32_t)h.arg : -1 - (int32_t)h.arg);
  return is(r, UINT, 4) && bytes(r, 0, NTSGW_MESSAGE_MAX, &e->kid);
}

int ntsgw_cbor_envelope(const uint8_t *p, uint32_t len, uint8_t tag, ntsgw_envelope *e) {
  reader r, inner;
  ntsgw_piece q;
  uint32_t from;
  r.p = p;
  r.pos = 0;
  r.end = len;
  if (!is(&r, TAG, tag) || !is(&r, ARRAY, 4)) return 0;
  from = r.pos;
  if (!bytes(&r, 0, NTSGW_MESSAGE_MAX, &q)) return 0;
  e->protected_item = stretch(from, r.pos);
  inner.p = p;
  inner.pos = q.at;
  inner.end = r.pos;
  if (!protected_header(&inner, e) || inner.pos != inner.end) return 0;
  if (!is(&r, MAP, 0)) return 0;
  from = r.pos;
  if (!bytes(&r, 0, NTSGW_MESSAGE_MAX, &e->payload)) return 0;
  e->payload_item = stretch(from, r.pos);
  return bytes(&r, 0, NTSGW_MESSAGE_MAX, &e->proof) && r.pos == len;
}

uint32_t ntsgw_cbor_put(uint8_t *out, uint8_t major, uint32_t arg) {
  uint8_t top = (uint8_t)(major * 32u);
  if (arg < 24) {
    out[0] = (uint8_t)(top + arg);
    return 1;
  }
  if (arg < 0x100) {
    out[0] = (uint8_t)(top + 24);
    out[1] = (uint8_t)arg;
    return 2;
  }
  if (arg < 0x10000) {
    out[0] = (uint8_t)(top + 25);
    out[1] = (uint8_t)(arg / 0x100);
    out[2] = (uint8_t)(arg % 0x100);
    return 3;
  }
  out[0] = (uint8_t)(top + 26);
  out[1] = (uint8_t)(arg / 0x1000000);
  out[2] = (uint8_t)(arg / 0x10000 % 0x100);
  out[3] = (uint8_t)(arg / 0x100 % 0x100);
  out[4] = (uint8_t)(arg % 0x100);
  return 5;
}
