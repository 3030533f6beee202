/* The node's state: what was proved, by which keys, and what may be asked. */
#include "ntsgw_node.h"

#include <string.h>

#include "ntsgw_cbor.h"
#include "ntsgw_interval.h"

#define NONCE_BLOCK 64u /* numbers reserved at a time */
#define DAY_S 86400u

#if defined(__GNUC__)
#define load_version(node) __atomic_load_n(&(node)->version, __ATOMIC_ACQUIRE)
#define read_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define write_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#else
#error "state a load-acquire of node->version and the two fences for this compiler"
#endif

/* Views. Readers copy the current one and look whether it was replaced
 * meanwhile; the writer fills the other one first. An interrupt that comes in
 * between finds the old view whole, so no reader ever waits for the writer. */

static ntsgw_view *current(const ntsgw_node *node, int g) { return &node->gateway[g].view[node->version & 1u]; }

/* prepare copies every gateway's view to the side that no reader takes. */
static uint32_t prepare(ntsgw_node *node) {
  uint32_t to = (node->version + 1u) & 1u;
  int i;
  for (i = 0; i < node->gateways; i++) node->gateway[i].view[to] = *current(node, i);
  return to;
}

static void publish(ntsgw_node *node) {
  write_fence();
  node->version++;
  write_fence();
}

/* need is how many intervals must cover a point: n - f. */
static int need(const ntsgw_node *node) { return node->gateways - node->config->faults; }

/* combine makes one interval of all at reading m: on TAI, or on UTC. */
static int combine(const ntsgw_node *node, uint64_t m, int utc, ntsgw_bounds *out, uint16_t *generation) {
  int64_t lo[NTSGW_GATEWAYS_MAX], hi[NTSGW_GATEWAYS_MAX];
  uint32_t version;
  int i;
again:
  version = load_version(node);
  if (generation) *generation = node->generation;
  for (i = 0; i < node->gateways; i++) {
    ntsgw_view v = node->gateway[i].view[version & 1u];
    read_fence();
    if (node->version != version) goto again;
    if (node->unanchored) v.interval.lo_at = m;
    lo[i] = ntsgw_lo(&v.interval, m, &node->rate);
    hi[i] = ntsgw_hi(&v.interval, m, &node->rate);
    if (!utc) continue;
    if (v.leaps.month == 0) {
      lo[i] = NTSGW_LO_UNKNOWN;
      hi[i] = NTSGW_HI_UNKNOWN;
    } else {
      lo[i] = ntsgw_utc(lo[i], 0, &v.leaps);
      hi[i] = ntsgw_utc(hi[i], 1, &v.leaps);
    }
  }
  return ntsgw_hull(lo, hi, node->gateways, need(node), out);
}

/* Readings. */

/* arrive takes a reading of the caller's clock before evidence is judged by it. */
static int arrive(ntsgw_node *node, uint64_t m) {
  if (node->unanchored) {
    uint32_t to = prepare(node);
    int i;
    for (i = 0; i < node->gateways; i++) node->gateway[i].view[to].interval.lo_at = m;
    publish(node);
    node->unanchored = 0;
  } else if (m < node->last) {
    return 0;
  }
  node->last = m;
  return 1;
}

/* Messages. */

static ntsgw_span span(const uint8_t *p, size_t n) {
  ntsgw_span s;
  s.p = p;
  s.n = n;
  return s;
}

static ntsgw_span piece(const uint8_t *message, ntsgw_piece q) { return span(message + q.at, q.n); }

static uint32_t big_endian(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_big_endian(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 24);
  p[1] = (uint8_t)(v >> 16);
  p[2] = (uint8_t)(v >> 8);
  p[3] = (uint8_t)v;
}

/* differ compares in a time that does not depend on where they differ. */
static int differ(const uint8_t *a, const uint8_t *b, size_t n) {
  volatile uint8_t d = 0;
  size_t i;
  for (i = 0; i < n; i++) d = (uint8_t)(d | (a[i] ^ b[i]));
  return d != 0;
}

static const char *kind_word(ntsgw_kind kind) {
  switch (kind) {
    case NTSGW_BEACON: return "beacon";
    case NTSGW_DELEGATION: return "key";
    case NTSGW_REQUEST: return "req";
    case NTSGW_RESPONSE: return "resp";
    default: return "";
  }
}

static uint8_t *put_text(uint8_t *to, const char *text) {
  size_t n = strlen(text);
  memcpy(to, text, n);
  return to + n;
}

#define EXTERNAL_MAX (2 + 8 + 6 + 1 + NTSGW_NAME_MAX + 1 + NTSGW_NAME_MAX)

/* structure is what is signed or authenticated: RFC 9052 sections 4.4 and 6.3,
 * in four pieces. The external data is ntsgw/1/<kind>/<gateway>[/<node>]. */
typedef struct {
  ntsgw_span pieces[4];
  uint8_t external[EXTERNAL_MAX];
} structure;

static void make_structure(structure *s, const ntsgw_enrolment *who, ntsgw_kind kind, ntsgw_span protected_item,
                           ntsgw_span payload_item) {
  static const uint8_t signature1[] = {0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
  static const uint8_t mac0[] = {0x84, 0x64, 'M', 'A', 'C', '0'};
  int mac = kind == NTSGW_REQUEST || kind == NTSGW_RESPONSE;
  uint8_t *text = s->external + 2;
  uint8_t *end = put_text(text, "ntsgw/1/");
  uint32_t head, n;
  end = put_text(end, kind_word(kind));
  *end++ = '/';
  end = put_text(end, who->gateway);
  if (mac) {
    *end++ = '/';
    end = put_text(end, who->node);
  }
  n = (uint32_t)(end - text);
  head = n < 24 ? 1 : 2;
  ntsgw_cbor_put(text - head, 2, n);
  s->pieces[0] = mac ? span(mac0, sizeof mac0) : span(signature1, sizeof signature1);
  s->pieces[1] = protected_item;
  s->pieces[2] = span(text - head, head + n);
  s->pieces[3] = payload_item;
}

/* key_id is the first 8 bytes of the RFC 9679 thumbprint. */
static void key_id(const ntsgw_crypto *crypto, int alg, const uint8_t *key, uint8_t kid[8]) {
  static const uint8_t okp[] = {0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20};
  static const uint8_t ec2[] = {0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20};
  static const uint8_t y[] = {0x22, 0x58, 0x20};
  ntsgw_span pieces[4];
  uint8_t hash[32];
  pieces[0] = alg == NTSGW_ED25519 ? span(okp, sizeof okp) : span(ec2, sizeof ec2);
  pieces[1] = span(key, 32);
  pieces[2] = span(y, sizeof y);
  pieces[3] = span(key + 32, 32);
  crypto->sha256(pieces, alg == NTSGW_ED25519 ? 2 : 4, hash);
  memcpy(kid, hash, 8);
}

/* open_message takes an envelope apart and compares algorithm and key id. */
static ntsgw_result open_message(const uint8_t *p, size_t n, uint8_t tag, int alg, const uint8_t *kid, size_t kid_n,
                                 ntsgw_envelope *e) {
  if (n > NTSGW_MESSAGE_MAX) return NTSGW_E_SIZE;
  if (n > 0 && p[0] == (tag == 17 ? 0xd2 : 0xd1)) return NTSGW_E_WRONG_KIND;
  if (!ntsgw_cbor_envelope(p, (uint32_t)n, tag, e)) return NTSGW_E_MALFORMED;
  if (e->proof.n != (tag == 17 ? 32 : 64)) return NTSGW_E_MALFORMED;
  if (alg == 0 || e->alg != alg) return NTSGW_E_WRONG_ALG;
  if (!kid || e->kid.n != kid_n || memcmp(p + e->kid.at, kid, kid_n) != 0) return NTSGW_E_UNKNOWN_KID;
  return NTSGW_OK;
}

static int signature_holds(const ntsgw_node *node, const ntsgw_enrolment *who, ntsgw_kind kind, const uint8_t *key,
                           const uint8_t *p, const ntsgw_envelope *e) {
  const ntsgw_crypto *c = node->config->crypto;
  const uint8_t *signature = p + e->proof.at;
  structure s;
  uint8_t hash[32];
  make_structure(&s, who, kind, piece(p, e->protected_item), piece(p, e->payload_item));
  if (who->root_alg == NTSGW_ED25519) return c->ed25519 && c->ed25519(key, signature, s.pieces, 4) == 1;
  if (!c->p256) return 0;
  c->sha256(s.pieces, 4, hash);
  return c->p256(key, signature, hash) == 1;
}

/* What survives a reboot. */

static void keep(const ntsgw_node *node, int g) {
  const ntsgw_config *c = node->config;
  if (c->keep) c->keep(c->context, g, node->gateway[g].serial, node->gateway[g].floor);
}

/* saw_serial notes the serial of a verified message; lower ones count no more. */
static void saw_serial(ntsgw_node *node, int g, uint32_t serial) {
  ntsgw_gateway *gw = &node->gateway[g];
  if (serial <= gw->serial) return;
  gw->serial = serial;
  if (gw->has_key && gw->key_serial < serial) gw->has_key = 0;
  keep(node, g);
}

/* raise_floors moves the floors up to the combined lower end, at most once a day,
 * and never beyond the end of the key that vouches for it. */
static void raise_floors(ntsgw_node *node, uint64_t m) {
  ntsgw_bounds all;
  int i;
  if (!combine(node, m, 0, &all, 0) || all.lo < 0) return;
  for (i = 0; i < node->gateways; i++) {
    ntsgw_gateway *gw = &node->gateway[i];
    int64_t floor = all.lo / NTSGW_NS;
    if (gw->has_key && floor > (int64_t)gw->not_after + current(node, i)->leaps.tai_utc) {
      floor = (int64_t)gw->not_after + current(node, i)->leaps.tai_utc;
    }
    if (floor > 0xffffffff) floor = 0xffffffff;
    if (floor < (int64_t)gw->floor + DAY_S) continue;
    gw->floor = (uint32_t)floor;
    keep(node, i);
  }
}

/* Evidence. */

static void note(ntsgw_gateway *gw, int ends, const uint8_t *message, size_t n) {
  if (gw->frozen) return;
  if (ends & NTSGW_LO) {
    gw->lo_n = (uint8_t)(n <= NTSGW_EVIDENCE_LO ? n : 0);
    memcpy(gw->evidence, message, gw->lo_n);
  }
  if (ends & NTSGW_HI) {
    gw->hi_n = (uint8_t)(n <= NTSGW_EVIDENCE_HI ? n : 0);
    memcpy(gw->evidence + NTSGW_EVIDENCE_LO, message, gw->hi_n);
  }
}

/* forget begins a gateway anew; what it said about UTC goes as well. */
static void forget(ntsgw_view *v) {
  memset(v, 0, sizeof *v);
  v->interval.lo = NTSGW_LO_UNKNOWN;
  v->interval.hi = NTSGW_HI_UNKNOWN;
}

static int64_t tai(const ntsgw_time *t) {
  return ((int64_t)t->seconds + t->tai_utc) * NTSGW_NS + t->nanoseconds;
}

static int64_t error(const ntsgw_time *t) { return (int64_t)t->error_seconds * NTSGW_NS + t->error_nanoseconds; }

/* settle publishes a gateway's new interval, unless it contradicts itself (ends
 * below 0) or the others. */
static ntsgw_result settle(ntsgw_node *node, int g, uint64_t m, int ends, const ntsgw_interval *v, const ntsgw_time *t,
                           const uint8_t *message, size_t n) {
  ntsgw_gateway *gw = &node->gateway[g];
  uint32_t to = prepare(node);
  ntsgw_view *next = &gw->view[to];
  int64_t now = tai(t);
  ntsgw_bounds all;
  int newer = next->leaps.month == 0 || now > next->leaps.tai;
  int i;
  note(gw, ends < 0 ? -ends : ends, message, n);
  if (ends < 0) {
    forget(next);
    gw->frozen = 1;
  } else {
    next->interval = *v;
    if (newer) {
      next->leaps.tai = now;
      next->leaps.month = (uint16_t)ntsgw_month((int32_t)(t->seconds / DAY_S));
      next->leaps.error_s = (uint16_t)t->error_seconds;
      next->leaps.tai_utc = t->tai_utc;
      next->leaps.leap = t->leap;
    }
    if (ends == 0 && !newer) return NTSGW_ADDS_NOTHING;
    publish(node);
    if (ends == 0) return NTSGW_ADDS_NOTHING;
    if (combine(node, m, 0, &all, 0)) return NTSGW_OK;
    to = prepare(node);
    for (i = 0; i < node->gateways; i++) {
      forget(&node->gateway[i].view[to]);
      node->gateway[i].frozen = 1;
    }
  }
  node->generation++;
  node->alarms |= NTSGW_ALARM_CONTRADICTION;
  publish(node);
  return NTSGW_E_CONTRADICTION;
}

/* proved tells the surroundings what better evidence gave. */
static void proved(ntsgw_node *node, uint64_t m) {
  const ntsgw_config *c = node->config;
  int64_t now, bound;
  raise_floors(node, m);
  if (c->settime && ntsgw_now(node, m, &now) == NTSGW_OK && ntsgw_bound(node, m, &bound) == NTSGW_OK) {
    c->settime(c->context, now, bound);
  }
}

static int bad_gateway(const ntsgw_node *node, int g) { return g < 0 || g >= node->gateways; }

ntsgw_result ntsgw_feed_delegation(ntsgw_node *node, int g, const uint8_t *message, size_t n) {
  ntsgw_gateway *gw;
  const ntsgw_enrolment *who;
  ntsgw_envelope e;
  ntsgw_delegation d;
  ntsgw_result bad;
  uint8_t kid[8], key[64];
  int keyed;
  if (bad_gateway(node, g)) return NTSGW_E_ARGUMENT;
  gw = &node->gateway[g];
  who = gw->who;
  if (who->root_alg != 0) key_id(node->config->crypto, who->root_alg, who->root, kid);
  bad = open_message(message, n, 18, who->root_alg, kid, 8, &e);
  if (bad) return bad;
  if (!signature_holds(node, who, NTSGW_DELEGATION, who->root, message, &e)) return NTSGW_E_BAD_SIGNATURE;
  if (!ntsgw_cbor_delegation(message, e.payload.at, (uint32_t)e.payload.at + e.payload.n, &d)) return NTSGW_E_MALFORMED;
  if (d.alg != who->root_alg) return NTSGW_E_MALFORMED;
  if (d.serial < gw->serial) return NTSGW_E_OLD_SERIAL;
  keyed = d.alg == NTSGW_ED25519 ? 32 : 64;
  memcpy(key, message + d.x.at, 32);
  if (keyed == 64) memcpy(key + 32, message + d.y.at, 32);
  if (gw->has_key && gw->key_serial == d.serial && gw->not_before == d.not_before && gw->not_after == d.not_after &&
      memcmp(gw->key, key, (size_t)keyed) == 0) {
    return NTSGW_ADDS_NOTHING;
  }
  saw_serial(node, g, d.serial);
  memcpy(gw->key, key, (size_t)keyed);
  key_id(node->config->crypto, d.alg, key, gw->kid);
  gw->key_serial = d.serial;
  gw->not_before = d.not_before;
  gw->not_after = d.not_after;
  gw->has_key = 1;
  node->alarms = (uint8_t)(node->alarms & ~NTSGW_ALARM_WITHHELD);
  return NTSGW_OK;
}

ntsgw_result ntsgw_feed_beacon(ntsgw_node *node, int g, const uint8_t *message, size_t n, uint64_t m) {
  ntsgw_gateway *gw;
  ntsgw_envelope e;
  ntsgw_time t;
  ntsgw_interval v;
  ntsgw_result result;
  int ends;
  if (bad_gateway(node, g)) return NTSGW_E_ARGUMENT;
  gw = &node->gateway[g];
  result = open_message(message, n, 18, gw->who->root_alg, gw->has_key ? gw->kid : 0, 8, &e);
  if (result) return result;
  if (!signature_holds(node, gw->who, NTSGW_BEACON, gw->key, message, &e)) return NTSGW_E_BAD_SIGNATURE;
  if (!ntsgw_cbor_time(message, e.payload.at, (uint32_t)e.payload.at + e.payload.n, 0, &t)) return NTSGW_E_MALFORMED;
  if (t.seconds < gw->not_before || t.seconds > gw->not_after || (t.seconds == gw->not_after && t.nanoseconds > 0)) {
    return NTSGW_E_OUTSIDE_VALIDITY;
  }
  if (tai(&t) + error(&t) < (int64_t)gw->floor * NTSGW_NS) return NTSGW_E_BELOW_FLOOR;
  if (!arrive(node, m)) return NTSGW_E_CLOCK;
  v = current(node, g)->interval;
  ends = ntsgw_raise(&v, m, tai(&t) - error(&t), &node->rate);
  result = settle(node, g, m, ends, &v, &t, message, n);
  if (result == NTSGW_OK) proved(node, m);
  return result;
}

int ntsgw_would_raise(const ntsgw_node *node, int g, const uint8_t *message, size_t n, uint64_t m) {
  const ntsgw_gateway *gw;
  ntsgw_envelope e;
  ntsgw_time t;
  if (bad_gateway(node, g)) return 0;
  gw = &node->gateway[g];
  return !open_message(message, n, 18, gw->who->root_alg, gw->has_key ? gw->kid : 0, 8, &e) &&
         ntsgw_cbor_time(message, e.payload.at, (uint32_t)e.payload.at + e.payload.n, 0, &t) &&
         tai(&t) - error(&t) > ntsgw_lo(&current(node, g)->interval, m, &node->rate);
}

ntsgw_result ntsgw_feed_response(ntsgw_node *node, int g, const uint8_t *message, size_t n, uint64_t m) {
  ntsgw_gateway *gw;
  const ntsgw_enrolment *who;
  ntsgw_envelope e;
  ntsgw_time t;
  ntsgw_interval v;
  ntsgw_result result;
  structure s;
  uint8_t mac[32];
  int64_t mid, err;
  int ends;
  if (bad_gateway(node, g)) return NTSGW_E_ARGUMENT;
  gw = &node->gateway[g];
  who = gw->who;
  if (!who->node_key) return NTSGW_E_NO_KEY;
  put_big_endian(mac, who->generation);
  result = open_message(message, n, 17, NTSGW_HMAC256, mac, 4, &e);
  if (result) return result;
  make_structure(&s, who, NTSGW_RESPONSE, piece(message, e.protected_item), piece(message, e.payload_item));
  node->config->crypto->hmac256(who->node_key, s.pieces, 4, mac);
  if (differ(mac, message + e.proof.at, 32)) return NTSGW_E_BAD_SIGNATURE;
  if (!ntsgw_cbor_time(message, e.payload.at, (uint32_t)e.payload.at + e.payload.n, 1, &t)) return NTSGW_E_MALFORMED;
  if (!gw->open || memcmp(gw->nonce, message + t.nonce.at, 16) != 0) return NTSGW_E_NO_NONCE;
  if (!arrive(node, m)) return NTSGW_E_CLOCK;
  gw->open = 0;
  gw->unanswered = 0;
  if ((m - gw->asked_at) / 1000000u * node->rate.unit_ns + (m - gw->asked_at) % 1000000u * node->rate.unit_ns / 1000000u >
      (node->config->deadline_ms ? node->config->deadline_ms : 10000u)) {
    return NTSGW_E_LATE;
  }
  saw_serial(node, g, t.serial);
  if (who->root_alg != 0 && !gw->has_key && gw->serial > gw->key_serial) node->alarms |= NTSGW_ALARM_WITHHELD;
  mid = tai(&t);
  err = error(&t);
  if (mid + err < (int64_t)gw->floor * NTSGW_NS) {
    node->alarms |= NTSGW_ALARM_FLOOR;
    return NTSGW_E_BELOW_FLOOR;
  }
  v = current(node, g)->interval;
  ends = ntsgw_exchange(&v, gw->asked_at, mid + err - t.turnaround, m, mid - err, &node->rate);
  result = settle(node, g, m, ends, &v, &t, message, n);
  if (result == NTSGW_OK) proved(node, m);
  return result;
}

ntsgw_result ntsgw_feed(ntsgw_node *node, int g, ntsgw_kind kind, const uint8_t *message, size_t n, uint64_t m) {
  switch (kind) {
    case NTSGW_BEACON: return ntsgw_feed_beacon(node, g, message, n, m);
    case NTSGW_DELEGATION: return ntsgw_feed_delegation(node, g, message, n);
    case NTSGW_RESPONSE: return ntsgw_feed_response(node, g, message, n, m);
    default: return NTSGW_E_ARGUMENT;
  }
}

/* Requests. */

/* fresh_nonce makes HMAC(node key, counter || boot randomness), which never
 * repeats: by the counter where numbers are reserved, else by the randomness. */
static int fresh_nonce(ntsgw_node *node, const ntsgw_enrolment *who, uint8_t nonce[16]) {
  const ntsgw_config *c = node->config;
  uint8_t input[24], mac[32];
  ntsgw_span s;
  if (!node->seeded) {
    if (c->random && c->random(c->context, node->boot, sizeof node->boot)) {
      node->seeded = 1;
    } else {
      memset(node->boot, 0, sizeof node->boot);
    }
  }
  if (node->reserved == 0 && c->reserve) {
    uint64_t first;
    if (c->reserve(c->context, NONCE_BLOCK, &first)) {
      node->counter = first;
      node->reserved = NONCE_BLOCK;
    }
  }
  if (node->reserved == 0 && !node->seeded) return 0;
  put_big_endian(input, (uint32_t)(node->counter >> 32));
  put_big_endian(input + 4, (uint32_t)node->counter);
  memcpy(input + 8, node->boot, 16);
  node->counter++;
  if (node->reserved > 0) node->reserved--;
  s = span(input, sizeof input);
  c->crypto->hmac256(who->node_key, &s, 1, mac);
  memcpy(nonce, mac, 16);
  return 1;
}

ntsgw_result ntsgw_request(ntsgw_node *node, int g, uint64_t m, uint8_t *out, size_t *n) {
  ntsgw_gateway *gw;
  const ntsgw_enrolment *who;
  ntsgw_bounds b;
  structure s;
  uint8_t *p = out;
  uint8_t *protected_item, *payload_item;
  uint32_t payload_n = 19;
  uint8_t half_width[5];
  uint32_t half_n = 0;
  if (bad_gateway(node, g)) return NTSGW_E_ARGUMENT;
  gw = &node->gateway[g];
  who = gw->who;
  if (!who->node_key) return NTSGW_E_NO_KEY;
  if (!arrive(node, m)) return NTSGW_E_CLOCK;
  gw->open = 0;
  if (!fresh_nonce(node, who, gw->nonce)) return NTSGW_E_NO_RANDOM;
  if (combine(node, m, 0, &b, 0) && b.lo != NTSGW_LO_UNKNOWN && b.hi != NTSGW_HI_UNKNOWN) {
    uint64_t us = ((uint64_t)b.hi - (uint64_t)b.lo) / 2000u + 1u;
    if (us <= 0xffffffff) {
      half_n = ntsgw_cbor_put(half_width, 0, (uint32_t)us);
      payload_n += 1 + half_n;
    }
  }
  *p++ = 0xd1;
  *p++ = 0x84;
  protected_item = p;
  memcpy(p, "\x49\xa2\x01\x05\x04\x44", 6);
  put_big_endian(p + 6, who->generation);
  p += 10;
  *p++ = 0xa0;
  payload_item = p;
  p += ntsgw_cbor_put(p, 2, payload_n);
  *p++ = half_n ? 0xa2 : 0xa1;
  *p++ = 0x09;
  *p++ = 0x50;
  memcpy(p, gw->nonce, 16);
  p += 16;
  if (half_n) {
    *p++ = 0x0d;
    memcpy(p, half_width, half_n);
    p += half_n;
  }
  make_structure(&s, who, NTSGW_REQUEST, span(protected_item, 10), span(payload_item, (size_t)(p - payload_item)));
  *p++ = 0x58;
  *p++ = 0x20;
  node->config->crypto->hmac256(who->node_key, s.pieces, 4, p);
  *n = (size_t)(p + 32 - out);
  gw->asked_at = m;
  gw->open = 1;
  if (gw->unanswered < 9) gw->unanswered++;
  return NTSGW_OK;
}

uint32_t ntsgw_retry_ms(ntsgw_node *node, int g) {
  const ntsgw_config *c = node->config;
  const ntsgw_gateway *gw;
  uint32_t span_ms, pick = 0;
  if (bad_gateway(node, g)) return 0;
  gw = &node->gateway[g];
  if (!c->random || !c->random(c->context, (uint8_t *)&pick, sizeof pick)) {
    uint8_t mac[32];
    uint64_t seed = node->counter ^ node->last;
    ntsgw_span s = span((const uint8_t *)&seed, sizeof seed);
    if (gw->who->node_key) {
      c->crypto->hmac256(gw->who->node_key, &s, 1, mac);
      pick = big_endian(mac);
    }
  }
  if (gw->unanswered == 0) return pick % 16384u;
  span_ms = (uint32_t)1000u << gw->unanswered;
  return span_ms / 2u + pick % (span_ms / 2u + 1u);
}

void ntsgw_discontinuity(ntsgw_node *node) {
  uint32_t to = prepare(node);
  int i;
  for (i = 0; i < node->gateways; i++) {
    ntsgw_gateway *gw = &node->gateway[i];
    ntsgw_interval *v = &gw->view[to].interval;
    if (!node->unanchored) v->lo = ntsgw_lo(v, node->last, &node->rate);
    v->lo_at = 0;
    v->hi = NTSGW_HI_UNKNOWN;
    gw->open = 0;
  }
  node->unanchored = 1;
  publish(node);
}

/* Reading. */

ntsgw_result ntsgw_interval_tai(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out, uint16_t *generation) {
  if (!combine(node, m, 0, out, generation)) return NTSGW_E_NO_EVIDENCE;
  return out->lo == NTSGW_LO_UNKNOWN && out->hi == NTSGW_HI_UNKNOWN ? NTSGW_E_NO_EVIDENCE : NTSGW_OK;
}

ntsgw_result ntsgw_interval_utc(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out) {
  if (!combine(node, m, 1, out, 0)) return NTSGW_E_NO_EVIDENCE;
  return out->lo == NTSGW_LO_UNKNOWN && out->hi == NTSGW_HI_UNKNOWN ? NTSGW_E_NO_EVIDENCE : NTSGW_OK;
}

static ntsgw_result two_sided(const ntsgw_node *node, uint64_t m, ntsgw_bounds *b) {
  ntsgw_result bad = ntsgw_interval_utc(node, m, b);
  if (bad) return bad;
  if (b->lo == NTSGW_LO_UNKNOWN) return NTSGW_E_NO_EVIDENCE;
  return b->hi == NTSGW_HI_UNKNOWN ? NTSGW_E_NO_UPPER_BOUND : NTSGW_OK;
}

ntsgw_result ntsgw_now(const ntsgw_node *node, uint64_t m, int64_t *utc_ns) {
  ntsgw_bounds b;
  ntsgw_result bad = two_sided(node, m, &b);
  if (bad) return bad;
  *utc_ns = b.lo + (int64_t)(((uint64_t)b.hi - (uint64_t)b.lo) / 2u);
  return NTSGW_OK;
}

ntsgw_result ntsgw_bound(const ntsgw_node *node, uint64_t m, int64_t *bound_ns) {
  ntsgw_bounds b;
  ntsgw_result bad = two_sided(node, m, &b);
  if (bad) return bad;
  *bound_ns = (int64_t)(((uint64_t)b.hi - (uint64_t)b.lo + 1u) / 2u);
  return NTSGW_OK;
}

ntsgw_state_kind ntsgw_state(const ntsgw_node *node, uint64_t m) {
  ntsgw_bounds b;
  switch (two_sided(node, m, &b)) {
    case NTSGW_OK: return NTSGW_BOUNDED;
    case NTSGW_E_NO_UPPER_BOUND: return NTSGW_LOWER_BOUND;
    default: return NTSGW_NOTHING_KNOWN;
  }
}

uint8_t ntsgw_alarm(const ntsgw_node *node) { return node->alarms; }

void ntsgw_alarm_clear(ntsgw_node *node) {
  int i;
  node->alarms = 0;
  for (i = 0; i < node->gateways; i++) {
    ntsgw_gateway *gw = &node->gateway[i];
    if (gw->frozen) gw->lo_n = gw->hi_n = 0;
    gw->frozen = 0;
  }
}

void ntsgw_evidence(const ntsgw_node *node, int g, ntsgw_span *lower, ntsgw_span *upper) {
  *lower = *upper = span(0, 0);
  if (bad_gateway(node, g)) return;
  *lower = span(node->gateway[g].evidence, node->gateway[g].lo_n);
  *upper = span(node->gateway[g].evidence + NTSGW_EVIDENCE_LO, node->gateway[g].hi_n);
}

uint32_t ntsgw_exchange_in(const ntsgw_node *node, uint64_t m, int64_t width_ns) {
  ntsgw_bounds b;
  uint64_t width, left, rate = 2u * (uint64_t)node->rate.rho_ppb;
  if (!combine(node, m, 0, &b, 0) || b.lo == NTSGW_LO_UNKNOWN || b.hi == NTSGW_HI_UNKNOWN || width_ns <= 0) return 0;
  width = (uint64_t)b.hi - (uint64_t)b.lo;
  if (width >= (uint64_t)width_ns) return 0;
  left = (uint64_t)width_ns - width;
  if (rate == 0 || left > UINT64_MAX / 1000u) return UINT32_MAX;
  left = left * 1000u / rate;
  return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

ntsgw_result ntsgw_monotonic_now(const ntsgw_node *node, ntsgw_monotonic *state, uint64_t m, int64_t *utc_ns, int *inside) {
  ntsgw_bounds b;
  ntsgw_result bad = two_sided(node, m, &b);
  int64_t estimate;
  if (bad) return bad;
  estimate = b.lo + (int64_t)(((uint64_t)b.hi - (uint64_t)b.lo) / 2u);
  if (state->started && m > state->at) state->out += ntsgw_elapsed_least(state->at, m, &node->rate) / 2;
  if (!state->started || state->out < estimate) state->out = estimate;
  state->started = 1;
  state->at = m;
  *utc_ns = state->out;
  if (inside) *inside = state->out >= b.lo && state->out <= b.hi;
  return NTSGW_OK;
}

uint64_t ntsgw_ticks_extend(ntsgw_ticks *ticks, uint32_t counter) {
  ticks->value += (uint32_t)(counter - (uint32_t)ticks->value);
  return ticks->value;
}

/* Topics. */

static char *append(char *to, const char *text) {
  size_t n = strlen(text);
  memcpy(to, text, n);
  return to + n;
}

size_t ntsgw_topic(const ntsgw_node *node, int g, ntsgw_kind kind, char *out) {
  const ntsgw_enrolment *who;
  char *end = out;
  *out = 0;
  if (bad_gateway(node, g) || kind == NTSGW_OTHER) return 0;
  who = node->gateway[g].who;
  end = append(end, "ntsgw/");
  end = append(end, who->gateway);
  *end++ = '/';
  end = append(end, kind_word(kind));
  if (kind == NTSGW_REQUEST || kind == NTSGW_RESPONSE) {
    *end++ = '/';
    end = append(end, who->node);
  } else if (who->root_alg == NTSGW_ES256) {
    end = append(end, "-es256");
  }
  *end = 0;
  return (size_t)(end - out);
}

ntsgw_kind ntsgw_match(const ntsgw_node *node, const char *topic, size_t n, int *gateway) {
  static const ntsgw_kind kinds[] = {NTSGW_BEACON, NTSGW_RESPONSE, NTSGW_DELEGATION};
  char own[NTSGW_TOPIC_MAX];
  size_t k;
  int g;
  for (g = 0; g < node->gateways; g++) {
    for (k = 0; k < 3; k++) {
      if (ntsgw_topic(node, g, kinds[k], own) == n && memcmp(own, topic, n) == 0) {
        *gateway = g;
        return kinds[k];
      }
    }
  }
  return NTSGW_OTHER;
}

/* Beginning. */

static int bad_name(const char *s) {
  size_t i;
  if (!s) return 1;
  for (i = 0; s[i]; i++) {
    char c = s[i];
    if (i == NTSGW_NAME_MAX || !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return 1;
  }
  return i == 0;
}

ntsgw_result ntsgw_init(ntsgw_node *node, const ntsgw_config *config, const ntsgw_enrolment *who, ntsgw_gateway *gateways, int n) {
  int i;
  if (!config || !config->crypto || n < 1 || n > NTSGW_GATEWAYS_MAX || n < 2 * config->faults + 1) return NTSGW_E_ARGUMENT;
  if (config->count_ns < 1 || config->count_ns > NTSGW_UNIT_MAX || config->tick < 1 || config->tick > NTSGW_UNIT_MAX ||
      config->rho_ppb > NTSGW_RHO_MAX) {
    return NTSGW_E_ARGUMENT;
  }
  memset(node, 0, sizeof *node);
  memset(gateways, 0, (size_t)n * sizeof *gateways);
  node->config = config;
  node->gateway = gateways;
  node->gateways = (uint8_t)n;
  node->rate.unit_ns = config->count_ns;
  node->rate.tick = config->tick;
  node->rate.rho_ppb = config->rho_ppb;
  for (i = 0; i < n; i++) {
    const ntsgw_enrolment *w = &who[i];
    if (bad_name(w->gateway) || (w->node_key && bad_name(w->node))) return NTSGW_E_ARGUMENT;
    if (w->root_alg != 0 && ((w->root_alg != NTSGW_ED25519 && w->root_alg != NTSGW_ES256) || !w->root)) return NTSGW_E_ARGUMENT;
    gateways[i].who = w;
    forget(&gateways[i].view[0]);
    forget(&gateways[i].view[1]);
  }
  return NTSGW_OK;
}

ntsgw_result ntsgw_restore(ntsgw_node *node, int g, uint32_t serial, uint32_t floor) {
  if (bad_gateway(node, g)) return NTSGW_E_ARGUMENT;
  node->gateway[g].serial = serial;
  node->gateway[g].floor = floor;
  return NTSGW_OK;
}
