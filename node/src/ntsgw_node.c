/* The node's state: what was proved, by which keys, and what may be asked. */
#include "ntsgw_node.h"

#include <string.h>

#include "ntsgw_cbor.h"
#include "ntsgw_interval.h"

/* Of the online key: none came since the boot; one did, but a later serial was
 * seen; it is the one to use. */
enum { KEY_NONE = 0, KEY_PAST, KEY_HELD };

#define NONCE_BLOCK 64u /* numbers reserved at a time */
#define DAY_S 86400u

#if defined(__GNUC__)
#define load_version(node) __atomic_load_n(&(node)->version, __ATOMIC_ACQUIRE)
#define read_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define write_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define APART __attribute__((noinline)) /* smaller so, on cores of few registers */
#else
#error "state a load-acquire of node->version and the two fences for this compiler"
#endif

/* Views. Readers copy the current one and look whether it was replaced
 * meanwhile; the writer fills the other one first. An interrupt that comes in
 * between finds the old view whole, so no reader ever waits for the writer. */

static APART ntsgw_view *current(const ntsgw_node *node, int g) { return &node->gateway[g].view[node->version & 1u]; }

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

/* The guess: exchanges' middles, weighed by how long their way was against what
 * the guess is doubted by then. Doubt grows by 2 ppm. */

/* guess_at carries a guess to reading m, the rate's part second by second; *ms is how
 * far. Beyond 12 days, or before its own reading, it is no help: -1. */
static APART int64_t guess_at(const ntsgw_guess *g, uint64_t m, uint32_t unit_ns, int32_t *ms) {
  uint64_t ns = (m - g->at) * unit_ns;
  *ms = -1;
  if (m - g->at > (uint64_t)INT32_MAX * 1000000u / unit_ns / 2u) return 0;
  *ms = (int32_t)(ns / 1000000u);
  return g->tai + (int64_t)ns + (int64_t)(*ms / 1000) * g->rate_ppb;
}

/* guess_from takes the middle of an answered request, at reading m, whose way there
 * and back took twice half_ns. */
static APART void guess_from(ntsgw_guess *g, uint64_t m, int64_t middle, int64_t half_ns, uint32_t epoch, const ntsgw_rate *r) {
  int32_t ms, share, step, rho = (int32_t)r->rho_ppb;
  int32_t half = 100000 + (half_ns < 0 ? 0 : half_ns > 500000000 ? 500000000 : (int32_t)half_ns);
  int64_t then = guess_at(g, m, r->unit_ns, &ms), off = middle - then;
  if (g->doubt_ns == 0 || g->epoch != epoch || ms < 0 || off > 100000000 || off < -100000000) {
    if (g->epoch != epoch) g->rate_ppb = 0;
    g->tai = middle;
    g->doubt_ns = half;
  } else {
    /* How much of the difference is believed, in 256ths. */
    int32_t doubt = ms < 250000000 ? g->doubt_ns + 2 * ms : 500000000;
    if (doubt > 500000000) doubt = 500000000;
    share = doubt / ((doubt + half) / 256 + 1);
    step = (int32_t)off / 256 * share;
    g->tai = then + step;
    g->doubt_ns = half / 256 * share + 1;
    if (ms >= 30000) {
      step = g->rate_ppb + step / (ms / 500);
      g->rate_ppb = step > rho ? rho : step < -rho ? -rho : step;
    }
  }
  g->at = m;
  g->epoch = epoch;
}

/* combine makes one interval of all at reading m: on TAI, or on UTC with the
 * estimate: the guess of the first gateway that has one, moved into the interval;
 * its middle where there is none. It gives the ends that are known, NTSGW_LO and
 * NTSGW_HI, or -1 when too few gateways agree. */
static int combine(const ntsgw_node *node, uint64_t m, int utc, ntsgw_bounds *out, uint16_t *generation, int64_t *estimate) {
  int64_t lo[NTSGW_GATEWAYS_MAX], hi[NTSGW_GATEWAYS_MAX], guess;
  uint32_t version;
  int32_t ms = -1;
  int i;
again:
  version = load_version(node);
  ms = -1;
  guess = 0;
  if (generation) *generation = node->generation;
  for (i = 0; i < node->gateways; i++) {
    ntsgw_view v = node->gateway[i].view[version & 1u];
    read_fence();
    if (node->version != version) goto again;
    if (node->unanchored) v.interval.lo_at = m;
    lo[i] = ntsgw_lo(&v.interval, m, &node->rate);
    hi[i] = ntsgw_hi(&v.interval, m, &node->rate);
    if (!utc) continue;
    lo[i] = ntsgw_utc(lo[i], 0, &v.leaps);
    hi[i] = ntsgw_utc(hi[i], 1, &v.leaps);
    if (ms < 0 && v.guess.doubt_ns != 0) guess = guess_at(&v.guess, m, node->rate.unit_ns, &ms) - v.leaps.tai_utc * (int64_t)NTSGW_NS;
  }
  if (!ntsgw_hull(lo, hi, node->gateways, need(node), out)) return -1;
  i = (out->lo != NTSGW_LO_UNKNOWN ? NTSGW_LO : 0) + (out->hi != NTSGW_HI_UNKNOWN ? NTSGW_HI : 0);
  if (estimate) {
    if (ms < 0) guess = out->lo + (int64_t)(((uint64_t)out->hi - (uint64_t)out->lo) / 2u);
    *estimate = guess < out->lo ? out->lo : guess > out->hi ? out->hi : guess;
  }
  return i;
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

/* verify opens a message of a kind and checks that the key at hand made it; it
 * puts what it says into c. */
static ntsgw_result verify(const ntsgw_node *node, const ntsgw_gateway *gw, ntsgw_kind kind, const uint8_t *p, size_t n,
                           ntsgw_claims *c) {
  const ntsgw_enrolment *who = gw->who;
  const ntsgw_crypto *crypto = node->config->crypto;
  int mac = kind == NTSGW_RESPONSE;
  int alg = mac ? NTSGW_HMAC256 : who->root_alg;
  const uint8_t *key = kind == NTSGW_BEACON ? gw->key : who->root;
  const uint8_t *kid = kind == NTSGW_BEACON ? gw->kid : who->root_kid;
  uint32_t kid_n = mac ? 4 : 8;
  int claims = kind == NTSGW_BEACON ? NTSGW_CLAIMS_BEACON : NTSGW_CLAIMS_RESPONSE;
  ntsgw_envelope e;
  structure s;
  uint8_t hash[32];
  int good = 0;
  if (n > NTSGW_MESSAGE_MAX) return NTSGW_E_SIZE;
  if (n > 0 && p[0] == (mac ? 0xd2 : 0xd1)) return NTSGW_E_WRONG_KIND;
  if (!ntsgw_cbor_envelope(p, (uint32_t)n, mac ? 17 : 18, &e)) return NTSGW_E_MALFORMED;
  if (e.alg != alg || alg == 0) return NTSGW_E_WRONG_ALG;
  if (mac) {
    put_big_endian(hash, who->generation);
    kid = hash;
  }
  if (e.kid.n != kid_n || memcmp(p + e.kid.at, kid, kid_n) != 0) return NTSGW_E_UNKNOWN_KID;
  if (kind == NTSGW_BEACON && gw->key_state != KEY_HELD) return NTSGW_E_UNKNOWN_KID;
  make_structure(&s, who, kind, piece(p, e.protected_item), piece(p, e.payload_item));
  p += e.proof.at;
  if (mac) {
    crypto->hmac256(who->node_key, s.pieces, 4, hash);
    good = !differ(hash, p, 32);
  } else if (alg == NTSGW_ED25519) {
    if (crypto->ed25519) good = crypto->ed25519(key, p, s.pieces, 4);
  } else if (crypto->p256) {
    crypto->sha256(s.pieces, 4, hash);
    good = crypto->p256(key, p, hash);
  }
  p -= e.proof.at;
  if (good != 1) return NTSGW_E_BAD_SIGNATURE;
  if (kind == NTSGW_DELEGATION) claims = alg == NTSGW_ED25519 ? NTSGW_CLAIMS_ED25519 : NTSGW_CLAIMS_ES256;
  if (!ntsgw_cbor_claims(p, e.payload.at, (uint32_t)e.payload.at + e.payload.n, claims, c)) return NTSGW_E_MALFORMED;
  return NTSGW_OK;
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
  if (gw->key_state == KEY_HELD) gw->key_state = KEY_PAST;
  keep(node, g);
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

static int bad_gateway(const ntsgw_node *node, int g) { return (unsigned)g >= node->gateways; }

/* learn takes what a message says about UTC, when it is the latest. */
static APART int learn(ntsgw_leaps *leaps, int64_t tai, const ntsgw_claims *c) {
  if (leaps->end != 0 && tai <= leaps->tai) return 0;
  leaps->tai = tai;
  leaps->error_s = (uint16_t)c->error_seconds;
  leaps->tai_utc = (uint8_t)c->value[NTSGW_TAI_UTC];
  leaps->leap = (int8_t)((int32_t)c->value[NTSGW_LEAP] - 1);
  ntsgw_month(c->seconds / DAY_S, leaps);
  return 1;
}

/* proved tells the surroundings what better evidence gave: the floors move up to
 * the combined lower end, at most once a day, and never beyond the end of the
 * key that vouches for it. */
static void proved(ntsgw_node *node, uint64_t m, int64_t lo) {
  const ntsgw_config *c = node->config;
  int64_t now, bound;
  int i;
  for (i = 0; lo > 0 && i < node->gateways; i++) {
    ntsgw_gateway *gw = &node->gateway[i];
    uint64_t floor = (uint64_t)lo / NTSGW_NS;
    uint64_t last = gw->key_state != KEY_NONE ? (uint64_t)gw->not_after + current(node, i)->leaps.tai_utc : UINT32_MAX;
    if (last > UINT32_MAX) last = UINT32_MAX;
    if (floor > last) floor = last;
    if (floor < (uint64_t)gw->floor + DAY_S) continue;
    gw->floor = (uint32_t)floor;
    keep(node, i);
  }
  if (c->settime && ntsgw_now(node, m, &now) == NTSGW_OK && ntsgw_bound(node, m, &bound) == NTSGW_OK) {
    c->settime(c->context, now, bound);
  }
}

/* contradicted begins gateways anew, all or one, and keeps the evidence. */
static ntsgw_result contradicted(ntsgw_node *node, int from, int to) {
  uint32_t side = prepare(node);
  for (; from < to; from++) {
    forget(&node->gateway[from].view[side]);
    node->gateway[from].frozen = 1;
  }
  node->generation++;
  node->alarms |= NTSGW_ALARM_CONTRADICTION;
  publish(node);
  return NTSGW_E_CONTRADICTION;
}

static ntsgw_result take_delegation(ntsgw_node *node, int g, const uint8_t *message, const ntsgw_claims *c) {
  ntsgw_gateway *gw = &node->gateway[g];
  const uint8_t *cose_key = message + c->key.at;
  ntsgw_span whole = span(cose_key, c->key.n);
  uint8_t hash[32];
  uint32_t serial = c->value[NTSGW_KEY_SERIAL];
  if (serial < gw->serial) return NTSGW_E_OLD_SERIAL;
  node->config->crypto->sha256(&whole, 1, hash);
  if (gw->key_state == KEY_HELD && serial == gw->serial && gw->not_before == c->value[NTSGW_NOT_BEFORE] &&
      gw->not_after == c->value[NTSGW_NOT_AFTER] && memcmp(gw->kid, hash, 8) == 0) {
    return NTSGW_ADDS_NOTHING;
  }
  saw_serial(node, g, serial);
  memcpy(gw->kid, hash, 8);
  memcpy(gw->key, cose_key + 8, 32);
  if (c->key.n == 75) memcpy(gw->key + 32, cose_key + 43, 32);
  gw->not_before = c->value[NTSGW_NOT_BEFORE];
  gw->not_after = c->value[NTSGW_NOT_AFTER];
  gw->key_state = KEY_HELD;
  node->alarms = (uint8_t)(node->alarms & ~NTSGW_ALARM_WITHHELD);
  return NTSGW_OK;
}

ntsgw_result ntsgw_feed(ntsgw_node *node, int g, ntsgw_kind kind, const uint8_t *message, size_t n, uint64_t m) {
  ntsgw_gateway *gw;
  ntsgw_claims c;
  ntsgw_interval v;
  ntsgw_bounds all;
  ntsgw_result result;
  ntsgw_view *view;
  int64_t tai, lower, upper;
  int ends, newer;
  if (bad_gateway(node, g) || kind < NTSGW_BEACON || kind > NTSGW_RESPONSE) return NTSGW_E_ARGUMENT;
  gw = &node->gateway[g];
  if (kind == NTSGW_RESPONSE && !gw->who->node_key) return NTSGW_E_NO_KEY;
  result = verify(node, gw, kind, message, n, &c);
  if (result) return result;
  if (kind == NTSGW_DELEGATION) return take_delegation(node, g, message, &c);

  tai = ntsgw_claims_time(&c, &all);
  lower = all.lo;
  upper = all.hi;
  if (kind == NTSGW_BEACON) {
    if (c.seconds < gw->not_before || c.seconds > gw->not_after || (c.seconds == gw->not_after && c.nanoseconds > 0)) {
      return NTSGW_E_OUTSIDE_VALIDITY;
    }
    if (upper < (int64_t)gw->floor * NTSGW_NS) return NTSGW_E_BELOW_FLOOR;
  } else {
    if (!gw->open || memcmp(gw->nonce, message + c.nonce.at, 16) != 0) return NTSGW_E_NO_NONCE;
  }
  if (!arrive(node, m)) return NTSGW_E_CLOCK;
  if (kind == NTSGW_RESPONSE) {
    gw->open = 0;
    gw->unanswered = 0;
    if (m - gw->asked_at >= node->deadline) return NTSGW_E_LATE;
    saw_serial(node, g, c.value[NTSGW_SERIAL]);
    if (gw->who->root_alg != 0 && gw->key_state != KEY_HELD && gw->serial > 0) node->alarms |= NTSGW_ALARM_WITHHELD;
    if (upper < (int64_t)gw->asked_floor * NTSGW_NS) {
      node->alarms |= NTSGW_ALARM_FLOOR;
      return NTSGW_E_BELOW_FLOOR;
    }
  }
  v = current(node, g)->interval;
  if (kind == NTSGW_BEACON) {
    ends = ntsgw_raise(&v, m, lower, &node->rate);
  } else {
    ends = ntsgw_exchange(&v, gw->asked_at, upper - c.value[NTSGW_TURNAROUND], m, lower, &node->rate);
  }
  note(gw, ends < 0 ? -ends : ends, message, n);
  if (ends < 0) return contradicted(node, g, g + 1);
  view = &gw->view[prepare(node)];
  view->interval = v;
  newer = learn(&view->leaps, tai, &c);
  if (kind == NTSGW_RESPONSE) {
    int64_t half = ((int64_t)((m - gw->asked_at) * node->rate.unit_ns) - c.value[NTSGW_TURNAROUND]) / 2;
    guess_from(&view->guess, m, tai + half, half, big_endian(message + c.epoch.at), &node->rate);
    newer = 1;
  }
  if (ends || newer) publish(node);
  if (!ends) return NTSGW_ADDS_NOTHING;
  if (combine(node, m, 0, &all, 0, 0) < 0) return contradicted(node, 0, node->gateways);
  proved(node, m, all.lo);
  return NTSGW_OK;
}

int ntsgw_would_raise(const ntsgw_node *node, int g, const uint8_t *message, size_t n, uint64_t m) {
  ntsgw_envelope e;
  ntsgw_claims c;
  ntsgw_bounds b;
  if (bad_gateway(node, g) || n > NTSGW_MESSAGE_MAX || !ntsgw_cbor_envelope(message, (uint32_t)n, 18, &e) ||
      !ntsgw_cbor_claims(message, e.payload.at, (uint32_t)e.payload.at + e.payload.n, NTSGW_CLAIMS_BEACON, &c)) {
    return 0;
  }
  ntsgw_claims_time(&c, &b);
  return b.lo > ntsgw_lo(&current(node, g)->interval, m, &node->rate);
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
  static const uint8_t begin[] = {0xd1, 0x84, 0x49, 0xa2, 0x01, 0x05, 0x04, 0x44};
  ntsgw_gateway *gw;
  const ntsgw_enrolment *who;
  ntsgw_bounds b;
  structure s;
  uint8_t *p = out + 12;
  uint8_t payload[25];
  uint32_t payload_n = 19;
  if (bad_gateway(node, g)) return NTSGW_E_ARGUMENT;
  gw = &node->gateway[g];
  who = gw->who;
  if (!who->node_key) return NTSGW_E_NO_KEY;
  if (!arrive(node, m)) return NTSGW_E_CLOCK;
  gw->open = 0;
  if (!fresh_nonce(node, who, gw->nonce)) return NTSGW_E_NO_RANDOM;
  memcpy(out, begin, sizeof begin);
  put_big_endian(out + 8, who->generation);
  *p++ = 0xa0;
  payload[0] = 0xa1;
  payload[1] = 0x09;
  payload[2] = 0x50;
  memcpy(payload + 3, gw->nonce, 16);
  if (combine(node, m, 0, &b, 0, 0) == (NTSGW_LO | NTSGW_HI)) {
    uint64_t us = ((uint64_t)b.hi - (uint64_t)b.lo) / 2000u + 1u;
    if (us <= UINT32_MAX) {
      payload[0] = 0xa2;
      payload[19] = 13;
      payload_n = 20 + ntsgw_cbor_put(payload + 20, 0, (uint32_t)us);
    }
  }
  p += ntsgw_cbor_put(p, 2, payload_n);
  memcpy(p, payload, payload_n);
  p += payload_n;
  make_structure(&s, who, NTSGW_REQUEST, span(out + 2, 10), span(out + 13, (size_t)(p - out) - 13));
  *p++ = 0x58;
  *p++ = 0x20;
  node->config->crypto->hmac256(who->node_key, s.pieces, 4, p);
  *n = (size_t)(p - out) + 32;
  gw->asked_at = m;
  gw->asked_floor = gw->floor;
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
    gw->view[to].guess.doubt_ns = 0;
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
  return combine(node, m, 0, out, generation, 0) > 0 ? NTSGW_OK : NTSGW_E_NO_EVIDENCE;
}

ntsgw_result ntsgw_interval_utc(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out) {
  return combine(node, m, 1, out, 0, 0) > 0 ? NTSGW_OK : NTSGW_E_NO_EVIDENCE;
}

static ntsgw_result two_sided(const ntsgw_node *node, uint64_t m, ntsgw_bounds *b, int64_t *estimate) {
  int known = combine(node, m, 1, b, 0, estimate);
  if (known == (NTSGW_LO | NTSGW_HI)) return NTSGW_OK;
  return known == NTSGW_LO ? NTSGW_E_NO_UPPER_BOUND : NTSGW_E_NO_EVIDENCE;
}

ntsgw_result ntsgw_now(const ntsgw_node *node, uint64_t m, int64_t *utc_ns) {
  ntsgw_bounds b;
  int64_t estimate = 0;
  ntsgw_result bad = two_sided(node, m, &b, &estimate);
  if (!bad) *utc_ns = estimate;
  return bad;
}

ntsgw_result ntsgw_bound(const ntsgw_node *node, uint64_t m, int64_t *bound_ns) {
  ntsgw_bounds b;
  int64_t estimate = 0;
  ntsgw_result bad = two_sided(node, m, &b, &estimate);
  if (bad) return bad;
  b.lo = estimate - b.lo;
  b.hi -= estimate;
  *bound_ns = b.lo > b.hi ? b.lo : b.hi;
  return NTSGW_OK;
}

ntsgw_state_kind ntsgw_state(const ntsgw_node *node, uint64_t m) {
  ntsgw_bounds b;
  switch (two_sided(node, m, &b, 0)) {
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
  if (combine(node, m, 0, &b, 0, 0) != (NTSGW_LO | NTSGW_HI) || width_ns <= 0) return 0;
  width = (uint64_t)b.hi - (uint64_t)b.lo;
  if (width >= (uint64_t)width_ns) return 0;
  left = (uint64_t)width_ns - width;
  if (rate == 0 || left > UINT64_MAX / 1000u) return UINT32_MAX;
  left = left * 1000u / rate;
  return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

ntsgw_result ntsgw_monotonic_now(const ntsgw_node *node, ntsgw_monotonic *state, uint64_t m, int64_t *utc_ns, int *inside) {
  ntsgw_bounds b;
  int64_t estimate = 0;
  ntsgw_result bad = two_sided(node, m, &b, &estimate);
  if (bad) return bad;
  if (state->started && m > state->at) state->out += ntsgw_elapsed(state->at, m, &node->rate, 0) / 2;
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
    uint8_t c = (uint8_t)s[i];
    if (i == NTSGW_NAME_MAX || !((uint8_t)(c - 'a') < 26 || (uint8_t)(c - '0') < 10 || c == '-')) return 1;
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
  node->rate.limit = ntsgw_rate_limit(config->count_ns);
  /* The first count that makes a whole millisecond more than the deadline. */
  node->deadline = ((config->deadline_ms ? config->deadline_ms : 10000u) + (uint64_t)1u) * 1000000u;
  node->deadline = (node->deadline + config->count_ns - 1u) / config->count_ns;
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
