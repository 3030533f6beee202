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
#define APART __attribute__((noinline)) /* smaller so, on cores of few registers */
#else
#error "state a load-acquire of node->version and the two fences for this compiler"
#endif

/* count is how many gateways there are; a library built for one knows it beforehand. */
static int count(const ntsgw_node *node) { return NTSGW_GATEWAYS_MAX == 1 ? 1 : node->gateways; }

/* find gives a gateway's state, null where there is no such gateway. */
static ntsgw_gateway *find(const ntsgw_node *node, int g) {
  return (unsigned)g < (unsigned)count(node) ? &node->gateway[g] : 0;
}

/* Views. Readers copy the current one and look whether it was replaced
 * meanwhile; the writer fills the other one first. An interrupt that comes in
 * between finds the old view whole, so no reader ever waits for the writer. */

/* seen is a gateway's current view, next the one that readers take after publish. */
static APART ntsgw_view *side(const ntsgw_gateway *gw, uint32_t version) { return (ntsgw_view *)&gw->view[version & 1u]; }
static const ntsgw_view *seen(const ntsgw_node *node, const ntsgw_gateway *gw) { return side(gw, node->version); }
static ntsgw_view *next(const ntsgw_node *node, const ntsgw_gateway *gw) { return side(gw, node->version + 1u); }

/* prepare copies every gateway's view to the side that no reader takes. */
static APART void prepare(ntsgw_node *node) {
  ntsgw_gateway *gw = node->gateway, *end = gw + count(node);
  for (; gw < end; gw++) *next(node, gw) = *seen(node, gw);
}

static APART void publish(ntsgw_node *node) {
  write_fence();
  __atomic_store_n(&node->version, node->version + 1u, __ATOMIC_RELAXED);
  write_fence();
}

/* The guess: exchanges' middles, weighed by how long their way was against what
 * the guess is doubted by then. Doubt grows by 2 ppm. Sums may wrap when decades
 * pass without an answer: a guess is moved into the interval anyhow. */

/* guess_at carries a guess to reading m, the rate's part second by second; *seconds
 * (of 2^30 ns) is how far. */
static APART int64_t guess_at(const ntsgw_guess *g, uint64_t m, uint32_t unit_ns, uint32_t *seconds) {
  uint64_t ns = (m - g->at) * unit_ns;
  *seconds = (uint32_t)(ns >> 30);
  return (int64_t)((uint64_t)g->tai + ns + (uint64_t)((int64_t)(int32_t)*seconds * g->rate));
}

/* guess_from takes a gateway's answer, which says tai at the latest reading. */
static void guess_from(ntsgw_guess *g, const ntsgw_node *node, const ntsgw_gateway *gw, int64_t tai, uint32_t turnaround,
                       const uint8_t epoch[8]) {
  uint64_t m = node->last;
  int64_t way = ntsgw_elapsed(gw->asked_at, m, &node->rate, 1) - turnaround, then;
  uint32_t seconds, share, half = (uint32_t)(way >> 11) + 100u;
  int32_t step, rho = (int32_t)node->rate.rho_ppb;
  if (half > 0xfffffu) half = 0xfffffu;
  if (memcmp(g->epoch, epoch, 8) != 0) {
    memset(g, 0, sizeof *g);
    memcpy(g->epoch, epoch, 8);
  }
  then = guess_at(g, m, node->rate.unit_ns, &seconds);
  tai += way >> 1;
  step = (int32_t)(tai - then);
  g->doubt += 2u * seconds;
  if (seconds >> 24 || step != tai - then) { /* off by seconds, or months old: begin anew */
    then = tai;
    step = 0;
    seconds = 0;
    g->doubt = 0x1000000;
  }
  /* How much of the difference is believed, in 256ths. */
  share = g->doubt / ((g->doubt + half) / 256u + 1u);
  step = (step >> 8) * (int32_t)share;
  g->tai = then + step;
  g->at = m;
  g->doubt = half * share / 256u + 1u;
  step = g->rate + step / (int32_t)(2u * seconds + 512u);
  g->rate = step > rho ? rho : step < -rho ? -rho : step;
}

/* What is known at a reading: the interval of all gateways; the best estimate, which
 * lies inside it, and how far it may be off; how many times the interval began anew. */
typedef struct {
  ntsgw_bounds all;
  int64_t best;
  int64_t bound;
  uint16_t generation;
} known;

/* half_width is half of an interval's width, rounded down. */
static APART uint64_t half_width(const ntsgw_bounds *b) { return ((uint64_t)b->hi - (uint64_t)b->lo) / 2u; }

/* combine makes one interval of all at reading m: on TAI, or on UTC with the
 * estimate: the guess of the first gateway that has one, moved into the interval;
 * its middle where there is none. It gives the ends that are known, NTSGW_LO and
 * NTSGW_HI, or -1 when too few gateways agree. */
static int combine(const ntsgw_node *node, known *out, uint64_t m, int utc) {
  ntsgw_bounds of[NTSGW_GATEWAYS_MAX];
  uint32_t version, seconds;
  int guessed, i;
again:
  version = load_version(node);
  guessed = 0;
  out->generation = node->generation;
  for (i = 0; i < count(node); i++) {
    ntsgw_view v = *side(&node->gateway[i], version);
    read_fence();
    if (__atomic_load_n(&node->version, __ATOMIC_RELAXED) != version) goto again;
    if (v.unanchored) v.interval.lo.at = m;
    ntsgw_at(&v.interval, m, &node->rate, &of[i]);
    if (!utc) continue;
    of[i].lo = ntsgw_utc(of[i].lo, 0, &v.leaps);
    of[i].hi = ntsgw_utc(of[i].hi, 1, &v.leaps);
    if (guessed || v.guess.doubt == 0) continue;
    guessed = 1;
    out->best = ntsgw_later(guess_at(&v.guess, m, node->rate.unit_ns, &seconds), -(int32_t)v.leaps.tai_utc);
  }
  out->all = of[0];
  if (count(node) != 1 && !ntsgw_hull(of, count(node), count(node) - node->config->faults, &out->all)) return -1;
  if (!guessed) out->best = out->all.lo + (int64_t)half_width(&out->all);
  if (out->best < out->all.lo) out->best = out->all.lo;
  if (out->best > out->all.hi) out->best = out->all.hi;
  return (out->all.lo >= NTSGW_TIME_MIN ? NTSGW_LO : 0) + (out->all.hi <= NTSGW_TIME_MAX ? NTSGW_HI : 0);
}

/* two_sided gives the estimate on UTC, and how far it may be off. */
static APART ntsgw_result two_sided(const ntsgw_node *node, known *k, uint64_t m) {
  int64_t above;
  int ends = combine(node, k, m, 1);
  if (ends != (NTSGW_LO | NTSGW_HI)) return ends == NTSGW_LO ? NTSGW_E_NO_UPPER_BOUND : NTSGW_E_NO_EVIDENCE;
  above = k->all.hi - k->best;
  k->bound = k->best - k->all.lo;
  if (k->bound < above) k->bound = above;
  return NTSGW_OK;
}

/* Readings. */

/* arrive takes a reading of the caller's clock before evidence is judged by it. */
static APART int arrive(ntsgw_node *node, uint64_t m) {
  if (seen(node, node->gateway)->unanchored) {
    ntsgw_gateway *gw = node->gateway, *end = gw + count(node);
    prepare(node);
    for (; gw < end; gw++) {
      ntsgw_view *v = next(node, gw);
      v->interval.lo.at = m;
      v->unanchored = 0;
    }
    publish(node);
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

static APART uint32_t big_endian(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static APART void put_big_endian(uint8_t *p, uint32_t v) {
  int i;
  for (i = 3; i >= 0; i--) {
    p[i] = (uint8_t)v;
    v >>= 8;
  }
}

/* differ compares 32 bytes in a time that does not depend on where they differ. */
static int differ(const uint8_t *a, const uint8_t *b) {
  uint32_t d = 0;
  int i;
  for (i = 0; i < 32; i++) {
    d |= (uint32_t)(a[i] ^ b[i]);
    __asm__("" : "+r"(d)); /* what d is by then is not the compiler's to know */
  }
  return d != 0;
}

static APART char *put_text(char *to, const char *text) {
  while (*text) *to++ = *text++;
  return to;
}

/* put_kind writes the word that stands for a kind in topics and in what is signed. */
static char *put_kind(char *to, ntsgw_kind kind) {
  static const char words[][7] = {"beacon", "key", "req", "resp"};
  return put_text(to, words[kind - NTSGW_BEACON]);
}

/* A message of a kind, opened. */
typedef struct {
  ntsgw_kind kind;
  const uint8_t *p;
  size_t n;
  ntsgw_envelope e;
} letter;

#define EXTERNAL_MAX (2 + 8 + 6 + 1 + NTSGW_NAME_MAX + 1 + NTSGW_NAME_MAX)

/* structure is what is signed or authenticated: RFC 9052 sections 4.4 and 6.3,
 * in four pieces. The external data is ntsgw/1/<kind>/<gateway>[/<node>]. */
typedef struct {
  ntsgw_span pieces[4];
  char external[EXTERNAL_MAX];
} structure;

static APART void make_structure(structure *s, const ntsgw_enrolment *who, const letter *l) {
  static const uint8_t signature1[] = {0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
  static const uint8_t mac0[] = {0x84, 0x64, 'M', 'A', 'C', '0'};
  char *text = s->external + 2;
  char *end = put_kind(put_text(text, "ntsgw/1/"), l->kind);
  uint32_t head, n;
  *end++ = '/';
  end = put_text(end, who->gateway);
  s->pieces[0] = span(signature1, sizeof signature1);
  if (l->kind >= NTSGW_REQUEST) {
    *end++ = '/';
    end = put_text(end, who->node);
    s->pieces[0] = span(mac0, sizeof mac0);
  }
  n = (uint32_t)(end - text);
  head = n < 24 ? 1 : 2;
  text -= head;
  ntsgw_cbor_put((uint8_t *)text, 2, n);
  s->pieces[1] = span(l->p + l->e.protected_item.at, l->e.protected_item.n);
  s->pieces[2] = span((const uint8_t *)text, head + n);
  s->pieces[3] = span(l->p + l->e.payload_item.at, l->e.payload_item.n);
}

/* verify opens a message and checks that the key at hand made it. */
static ntsgw_result verify(const ntsgw_node *node, const ntsgw_gateway *gw, letter *l, ntsgw_claims *c) {
  const ntsgw_crypto *crypto = node->config->crypto;
  const ntsgw_kind kind = l->kind;
  const uint8_t *kid, *proof;
  int alg, claims = kind, good = 0;
  uint32_t kid_n = 8;
  structure s;
  uint8_t hash[32];
  if (l->n > NTSGW_MESSAGE_MAX) return NTSGW_E_SIZE;
  if (l->n > 0 && l->p[0] == (kind == NTSGW_RESPONSE ? 0xd2 : 0xd1)) return NTSGW_E_WRONG_KIND;
  if (!ntsgw_cbor_envelope(l->p, (uint32_t)l->n, kind == NTSGW_RESPONSE ? 17 : 18, &l->e)) return NTSGW_E_MALFORMED;
  alg = gw->who->root_alg;
  kid = gw->who->root_kid;
  if (kind == NTSGW_BEACON) kid = gw->kid;
  if (kind == NTSGW_RESPONSE) {
    alg = NTSGW_HMAC256;
    put_big_endian(hash, gw->who->generation);
    kid = hash;
    kid_n = 4;
  }
  if (l->e.alg != alg || alg == 0) return NTSGW_E_WRONG_ALG;
  if (l->e.kid.n != kid_n || memcmp(l->p + l->e.kid.at, kid, kid_n) != 0) return NTSGW_E_UNKNOWN_KID;
  if (kind == NTSGW_BEACON && !gw->held) return NTSGW_E_UNKNOWN_KID;
  make_structure(&s, gw->who, l);
  proof = l->p + l->n;
  if (kind == NTSGW_RESPONSE) {
    crypto->hmac256(gw->who->node_key, s.pieces, 4, hash);
    good = !differ(hash, proof - 32);
  } else {
    const uint8_t *key = kind == NTSGW_BEACON ? gw->key : gw->who->root;
    proof -= 64;
    if (l->e.alg == NTSGW_ED25519) {
      if (crypto->ed25519) good = crypto->ed25519(key, proof, s.pieces, 4);
    } else if (crypto->p256) {
      crypto->sha256(s.pieces, 4, hash);
      good = crypto->p256(key, proof, hash);
    }
  }
  if (good != 1) return NTSGW_E_BAD_SIGNATURE;
  if (kind == NTSGW_DELEGATION && l->e.alg == NTSGW_ES256) claims = NTSGW_CLAIMS_ES256;
  return ntsgw_cbor_claims(l->p, l->e.payload.at, (uint32_t)l->e.payload.at + l->e.payload.n, claims, c) ? NTSGW_OK : NTSGW_E_MALFORMED;
}

/* What survives a reboot. */

static APART void keep(const ntsgw_node *node, const ntsgw_gateway *gw) {
  const ntsgw_config *c = node->config;
  if (c->keep) c->keep(c->context, (int)(gw - node->gateway), gw->serial, gw->floor);
}

/* saw_serial notes the serial of a verified message; lower ones count no more. */
static APART void saw_serial(ntsgw_node *node, ntsgw_gateway *gw, uint32_t serial) {
  if (serial <= gw->serial) return;
  gw->serial = serial;
  gw->held = 0;
  keep(node, gw);
}

/* Evidence. */

/* note keeps a message that bettered some ends, or that contradicts them. */
static void note(ntsgw_gateway *gw, int ends, const letter *l) {
  if (gw->frozen) return;
  if (ends & NTSGW_LO) {
    gw->lo_n = (uint8_t)(l->n <= NTSGW_EVIDENCE_LO ? l->n : 0);
    memcpy(gw->evidence, l->p, gw->lo_n);
  }
  if (ends & NTSGW_HI) {
    gw->hi_n = (uint8_t)(l->n <= NTSGW_EVIDENCE_HI ? l->n : 0);
    memcpy(gw->evidence + NTSGW_EVIDENCE_LO, l->p, gw->hi_n);
  }
}

/* forget begins a gateway anew; what it said about UTC goes as well. */
static void forget(ntsgw_view *v) {
  memset(v, 0, sizeof *v);
  v->interval.lo.tai = NTSGW_LO_UNKNOWN;
  v->interval.hi.tai = NTSGW_HI_UNKNOWN;
}

/* learn takes what a message says about UTC, when it is the latest. */
static void learn(ntsgw_leaps *leaps, int64_t tai, const ntsgw_claims *c) {
  if (leaps->month != 0 && tai <= leaps->tai) return;
  leaps->tai = tai;
  leaps->error_s = (uint16_t)c->error_seconds;
  leaps->tai_utc = (uint8_t)c->value[NTSGW_TAI_UTC];
  leaps->leap = (int8_t)((int32_t)c->value[NTSGW_LEAP] - 1);
  leaps->month = ntsgw_month(ntsgw_later(0, c->seconds));
}

/* proved tells the surroundings what better evidence gave: the floors move up to
 * the combined lower end, at most once a day, and never beyond the end of the
 * key that vouches for it. */
static void proved(ntsgw_node *node, int64_t lo) {
  const ntsgw_config *c = node->config;
  ntsgw_gateway *gw = node->gateway, *end = gw + count(node);
  known k;
  uint32_t s = 0;
  if (lo >= 0) s = (uint64_t)lo / NTSGW_NS < UINT32_MAX ? (uint32_t)((uint64_t)lo / NTSGW_NS) : UINT32_MAX;
  for (; gw < end; gw++) {
    uint32_t tai_utc = seen(node, gw)->leaps.tai_utc, floor = gw->not_after + tai_utc;
    if (floor < tai_utc) floor = UINT32_MAX;
    if (floor > s) floor = s;
    if (floor < gw->floor || floor - gw->floor < DAY_S) continue;
    gw->floor = floor;
    keep(node, gw);
  }
  if (c->settime && two_sided(node, &k, node->last) == NTSGW_OK) c->settime(c->context, k.best, k.bound);
}

/* contradicted begins gateways anew, all or one, and keeps the evidence. */
static APART ntsgw_result contradicted(ntsgw_node *node, ntsgw_gateway *gw, int n) {
  prepare(node);
  for (; n > 0; n--, gw++) {
    forget(next(node, gw));
    gw->frozen = 1;
  }
  node->generation++;
  node->alarms |= NTSGW_ALARM_CONTRADICTION;
  publish(node);
  return NTSGW_E_CONTRADICTION;
}

static ntsgw_result take_delegation(ntsgw_node *node, ntsgw_gateway *gw, const uint8_t *p, const ntsgw_claims *c) {
  ntsgw_span key = span(p + c->key.at, c->key.n);
  uint8_t hash[32];
  uint32_t serial = c->value[NTSGW_KEY_SERIAL];
  if (serial < gw->serial) return NTSGW_E_OLD_SERIAL;
  node->config->crypto->sha256(&key, 1, hash);
  if (gw->held && serial == gw->serial && gw->not_before == c->value[NTSGW_NOT_BEFORE] &&
      gw->not_after == c->value[NTSGW_NOT_AFTER] && memcmp(gw->kid, hash, 8) == 0) {
    return NTSGW_ADDS_NOTHING;
  }
  saw_serial(node, gw, serial);
  memcpy(gw->kid, hash, 8);
  memcpy(gw->key, p + c->x.at, 32);
  if (c->y.n != 0) memcpy(gw->key + 32, p + c->y.at, 32);
  gw->not_before = c->value[NTSGW_NOT_BEFORE];
  gw->not_after = c->value[NTSGW_NOT_AFTER];
  gw->held = 1;
  node->alarms &= (uint8_t)~NTSGW_ALARM_WITHHELD;
  return NTSGW_OK;
}

/* below tells that t + E lies before a floor. */
static int below(const ntsgw_interval *e, uint32_t floor) { return e->hi.tai < ntsgw_later(0, floor); }

/* take_evidence narrows a gateway's interval by what a message says at the latest
 * reading: true time is tai, and inside e. */
static ntsgw_result take_evidence(ntsgw_node *node, ntsgw_gateway *gw, const letter *l, const ntsgw_claims *c,
                                  ntsgw_interval *e, int64_t tai) {
  ntsgw_view *view = next(node, gw);
  known k;
  int ends;
  prepare(node);
  e->lo.at = node->last;
  if (l->kind == NTSGW_BEACON) {
    e->hi.tai = NTSGW_HI_UNKNOWN;
  } else {
    guess_from(&view->guess, node, gw, tai, c->value[NTSGW_TURNAROUND], l->p + c->epoch.at);
    e->hi.tai -= c->value[NTSGW_TURNAROUND];
    e->hi.at = gw->asked_at;
  }
  ends = ntsgw_intersect(&view->interval, e, node->last, &node->rate);
  note(gw, ends < 0 ? -ends : ends, l);
  if (ends < 0) return contradicted(node, gw, 1);
  learn(&view->leaps, tai, c);
  publish(node);
  if (ends == 0) return NTSGW_ADDS_NOTHING;
  if (combine(node, &k, node->last, 0) < 0) return contradicted(node, node->gateway, count(node));
  proved(node, k.all.lo);
  return NTSGW_OK;
}

ntsgw_result ntsgw_feed(ntsgw_node *node, int g, ntsgw_kind kind, const uint8_t *message, size_t n, uint64_t m) {
  ntsgw_gateway *gw = find(node, g);
  letter l;
  ntsgw_claims c;
  ntsgw_interval e;
  ntsgw_result result;
  int64_t tai;
  l.kind = kind;
  l.p = message;
  l.n = n;
  if (!gw || kind < NTSGW_BEACON || kind > NTSGW_RESPONSE || kind == NTSGW_REQUEST) return NTSGW_E_ARGUMENT;
  if (kind == NTSGW_RESPONSE && !gw->who->node_key) return NTSGW_E_NO_KEY;
  result = verify(node, gw, &l, &c);
  if (result) return result;
  if (kind == NTSGW_DELEGATION) return take_delegation(node, gw, message, &c);
  tai = ntsgw_claims_time(&c, &e);
  if (kind == NTSGW_BEACON) {
    if (c.seconds < gw->not_before || c.seconds > gw->not_after || (c.seconds == gw->not_after && c.nanoseconds > 0)) {
      return NTSGW_E_OUTSIDE_VALIDITY;
    }
    if (below(&e, gw->floor)) return NTSGW_E_BELOW_FLOOR;
  } else if (!gw->open || memcmp(gw->nonce, message + c.nonce.at, 16) != 0) {
    return NTSGW_E_NO_NONCE;
  }
  if (!arrive(node, m)) return NTSGW_E_CLOCK;
  if (kind == NTSGW_RESPONSE) {
    gw->open = 0;
    gw->unanswered = 0;
    if (node->last - gw->asked_at >= node->deadline) return NTSGW_E_LATE;
    saw_serial(node, gw, c.value[NTSGW_SERIAL]);
    if (gw->who->root_alg != 0 && !gw->held && gw->serial > 0) node->alarms |= NTSGW_ALARM_WITHHELD;
    if (below(&e, gw->asked_floor)) {
      node->alarms |= NTSGW_ALARM_FLOOR;
      return NTSGW_E_BELOW_FLOOR;
    }
  }
  return take_evidence(node, gw, &l, &c, &e, tai);
}

int ntsgw_would_raise(const ntsgw_node *node, int g, const uint8_t *message, size_t n, uint64_t m) {
  const ntsgw_gateway *gw = find(node, g);
  ntsgw_envelope e;
  ntsgw_claims c;
  ntsgw_interval own;
  ntsgw_bounds now;
  ntsgw_view v;
  if (!gw || n > NTSGW_MESSAGE_MAX || !ntsgw_cbor_envelope(message, (uint32_t)n, 18, &e) ||
      !ntsgw_cbor_claims(message, e.payload.at, (uint32_t)e.payload.at + e.payload.n, NTSGW_CLAIMS_BEACON, &c)) {
    return 0;
  }
  ntsgw_claims_time(&c, &own);
  v = *seen(node, gw);
  if (v.unanchored) v.interval.lo.at = m;
  ntsgw_at(&v.interval, m, &node->rate, &now);
  return own.lo.tai > now.lo;
}

/* Requests. */

/* fresh_nonce makes HMAC(node key, counter || boot randomness), which never
 * repeats: by the counter where numbers are reserved, else by the randomness. */
static int fresh_nonce(ntsgw_node *node, ntsgw_gateway *gw) {
  const ntsgw_config *c = node->config;
  uint8_t input[24], mac[32];
  ntsgw_span s = span(input, sizeof input);
  if (!node->seeded) {
    node->seeded = c->random && c->random(c->context, node->boot, sizeof node->boot);
    if (!node->seeded) memset(node->boot, 0, sizeof node->boot);
  }
  if (node->reserved == 0 && c->reserve) {
    uint64_t first;
    if (c->reserve(c->context, NONCE_BLOCK, &first)) {
      node->counter = first;
      node->reserved = NONCE_BLOCK;
    }
  }
  if (node->reserved > 0) {
    node->reserved--;
  } else if (!node->seeded) {
    return 0;
  }
  put_big_endian(input, (uint32_t)(node->counter >> 32));
  put_big_endian(input + 4, (uint32_t)node->counter);
  memcpy(input + 8, node->boot, 16);
  node->counter++;
  c->crypto->hmac256(gw->who->node_key, &s, 1, mac);
  memcpy(gw->nonce, mac, 16);
  return 1;
}

/* put_width writes the telemetry: half the width of the interval, in us, with its key;
 * nothing where there is no width. */
static uint32_t put_width(const ntsgw_node *node, uint8_t out[6]) {
  known k;
  uint64_t us;
  if (combine(node, &k, node->last, 0) != (NTSGW_LO | NTSGW_HI)) return 0;
  us = half_width(&k.all) / 1000u + 1u;
  if (us > UINT32_MAX) return 0;
  out[0] = 13;
  return 1 + ntsgw_cbor_put(out + 1, 0, (uint32_t)us);
}

ntsgw_result ntsgw_request(ntsgw_node *node, int g, uint64_t m, uint8_t *out, size_t *n) {
  static const uint8_t begin[] = {0xd1, 0x84, 0x49, 0xa2, 0x01, 0x05, 0x04, 0x44};
  ntsgw_gateway *gw = find(node, g);
  const ntsgw_enrolment *who;
  letter l;
  structure s;
  uint8_t *p = out + 13;
  uint8_t width[6];
  uint32_t width_n;
  if (!gw) return NTSGW_E_ARGUMENT;
  who = gw->who;
  if (!who->node_key) return NTSGW_E_NO_KEY;
  if (!arrive(node, m)) return NTSGW_E_CLOCK;
  gw->open = 0;
  if (!fresh_nonce(node, gw)) return NTSGW_E_NO_RANDOM;
  width_n = put_width(node, width);
  memcpy(out, begin, sizeof begin);
  put_big_endian(out + 8, who->generation);
  out[12] = 0xa0;
  p += ntsgw_cbor_put(p, 2, 19 + width_n);
  *p++ = (uint8_t)(0xa1 + (width_n > 0));
  *p++ = 0x09;
  *p++ = 0x50;
  memcpy(p, gw->nonce, 16);
  p += 16;
  memcpy(p, width, width_n);
  p += width_n;
  l.kind = NTSGW_REQUEST;
  l.p = out;
  l.e.protected_item.at = 2;
  l.e.protected_item.n = 10;
  l.e.payload_item.at = 13;
  l.e.payload_item.n = (uint8_t)(p - out - 13);
  *p++ = 0x58;
  *p++ = 0x20;
  make_structure(&s, who, &l);
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
  const ntsgw_gateway *gw = find(node, g);
  uint32_t span_ms, pick = 0;
  if (!gw) return 0;
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
  ntsgw_gateway *gw = node->gateway, *end = gw + count(node);
  prepare(node);
  for (; gw < end; gw++) {
    ntsgw_view *v = next(node, gw);
    ntsgw_bounds now;
    if (v->unanchored) v->interval.lo.at = node->last;
    ntsgw_at(&v->interval, node->last, &node->rate, &now);
    v->interval.lo.tai = now.lo;
    v->interval.hi.tai = NTSGW_HI_UNKNOWN;
    v->guess.tai = 0;
    v->guess.doubt = 0;
    v->unanchored = 1;
    gw->open = 0;
  }
  publish(node);
}

/* Reading. */

ntsgw_result ntsgw_interval_tai(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out, uint16_t *generation) {
  known k;
  int ends = combine(node, &k, m, 0);
  *out = k.all;
  if (generation) *generation = k.generation;
  return ends > 0 ? NTSGW_OK : NTSGW_E_NO_EVIDENCE;
}

ntsgw_result ntsgw_interval_utc(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out) {
  known k;
  int ends = combine(node, &k, m, 1);
  *out = k.all;
  return ends > 0 ? NTSGW_OK : NTSGW_E_NO_EVIDENCE;
}

ntsgw_result ntsgw_now(const ntsgw_node *node, uint64_t m, int64_t *utc_ns) {
  known k;
  ntsgw_result bad = two_sided(node, &k, m);
  if (!bad) *utc_ns = k.best;
  return bad;
}

ntsgw_result ntsgw_bound(const ntsgw_node *node, uint64_t m, int64_t *bound_ns) {
  known k;
  ntsgw_result bad = two_sided(node, &k, m);
  if (!bad) *bound_ns = k.bound;
  return bad;
}

ntsgw_state_kind ntsgw_state(const ntsgw_node *node, uint64_t m) {
  known k;
  switch (two_sided(node, &k, m)) {
    case NTSGW_OK: return NTSGW_BOUNDED;
    case NTSGW_E_NO_UPPER_BOUND: return NTSGW_LOWER_BOUND;
    default: return NTSGW_NOTHING_KNOWN;
  }
}

uint8_t ntsgw_alarm(const ntsgw_node *node) { return node->alarms; }

void ntsgw_alarm_clear(ntsgw_node *node) {
  int i;
  node->alarms = 0;
  for (i = 0; i < count(node); i++) {
    ntsgw_gateway *gw = &node->gateway[i];
    if (gw->frozen) gw->lo_n = gw->hi_n = 0;
    gw->frozen = 0;
  }
}

void ntsgw_evidence(const ntsgw_node *node, int g, ntsgw_span *lower, ntsgw_span *upper) {
  const ntsgw_gateway *gw = find(node, g);
  *lower = *upper = span(0, 0);
  if (!gw) return;
  *lower = span(gw->evidence, gw->lo_n);
  *upper = span(gw->evidence + NTSGW_EVIDENCE_LO, gw->hi_n);
}

uint32_t ntsgw_exchange_in(const ntsgw_node *node, uint64_t m, int64_t width_ns) {
  known k;
  uint64_t width, left, rate = 2u * (uint64_t)node->rate.rho_ppb;
  if (combine(node, &k, m, 0) != (NTSGW_LO | NTSGW_HI) || width_ns <= 0) return 0;
  width = (uint64_t)k.all.hi - (uint64_t)k.all.lo;
  if (width >= (uint64_t)width_ns) return 0;
  left = (uint64_t)width_ns - width;
  if (rate == 0 || left > UINT64_MAX / 1000u) return UINT32_MAX;
  left = left * 1000u / rate;
  return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

ntsgw_result ntsgw_monotonic_now(const ntsgw_node *node, ntsgw_monotonic *state, uint64_t m, int64_t *utc_ns, int *inside) {
  known k;
  ntsgw_result bad = two_sided(node, &k, m);
  if (bad) return bad;
  if (state->started && m > state->at) state->out += ntsgw_elapsed(state->at, m, &node->rate, 0) / 2;
  if (!state->started || state->out < k.best) state->out = k.best;
  state->started = 1;
  state->at = m;
  *utc_ns = state->out;
  if (inside) *inside = state->out >= k.all.lo && state->out <= k.all.hi;
  return NTSGW_OK;
}

uint64_t ntsgw_ticks_extend(ntsgw_ticks *ticks, uint32_t counter) {
  ticks->value += (uint32_t)(counter - (uint32_t)ticks->value);
  return ticks->value;
}

/* Topics. */

size_t ntsgw_topic(const ntsgw_node *node, int g, ntsgw_kind kind, char *out) {
  const ntsgw_gateway *gw = find(node, g);
  char *end = out;
  *out = 0;
  if (!gw || kind == NTSGW_OTHER) return 0;
  end = put_text(end, "ntsgw/");
  end = put_text(end, gw->who->gateway);
  *end++ = '/';
  end = put_kind(end, kind);
  if (kind >= NTSGW_REQUEST) {
    *end++ = '/';
    end = put_text(end, gw->who->node);
  } else if (gw->who->root_alg == NTSGW_ES256) {
    end = put_text(end, "-es256");
  }
  *end = 0;
  return (size_t)(end - out);
}

ntsgw_kind ntsgw_match(const ntsgw_node *node, const char *topic, size_t n, int *gateway) {
  static const ntsgw_kind kinds[] = {NTSGW_BEACON, NTSGW_RESPONSE, NTSGW_DELEGATION};
  char own[NTSGW_TOPIC_MAX];
  size_t k;
  int g;
  for (g = 0; g < count(node); g++) {
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

static APART int bad_name(const char *s) {
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
  node->deadline = (uint64_t)(config->deadline_ms ? config->deadline_ms : 10000u) * 1000000u;
  node->deadline = (node->deadline + 999999u + config->count_ns) / config->count_ns;
  for (i = 0; i < n; i++) {
    const ntsgw_enrolment *w = &who[i];
    if (bad_name(w->gateway) || (w->node_key && bad_name(w->node))) return NTSGW_E_ARGUMENT;
    if (w->root_alg != 0 && ((w->root_alg != NTSGW_ED25519 && w->root_alg != NTSGW_ES256) || !w->root)) return NTSGW_E_ARGUMENT;
    gateways[i].who = w;
    gateways[i].not_after = UINT32_MAX;
    forget(&gateways[i].view[0]);
  }
  prepare(node);
  return NTSGW_OK;
}

ntsgw_result ntsgw_restore(ntsgw_node *node, int g, uint32_t serial, uint32_t floor) {
  ntsgw_gateway *gw = find(node, g);
  if (!gw) return NTSGW_E_ARGUMENT;
  gw->serial = serial;
  gw->floor = floor;
  return NTSGW_OK;
}
