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

/* next_of gives the gateway behind one; a library built for one knows beforehand that there is none. */
static ntsgw_gateway *next_of(const ntsgw_gateway *gw) { return NTSGW_GATEWAYS_MAX == 1 ? 0 : gw->next; }

/* count is how many there are. */
static int count(const ntsgw_node *node) { return NTSGW_GATEWAYS_MAX == 1 ? 1 : node->gateways; }

/* find gives a gateway's state, null where there is no such gateway. */
static WITHIN ntsgw_gateway *find(const ntsgw_node *node, int g) {
  ntsgw_gateway *gw = node->gateway;
  for (; gw && g != 0; g--) gw = next_of(gw);
  return gw;
}

/* Views. Readers copy the current one and look whether it was replaced
 * meanwhile; the writer changes the other one, its draft, and publishes it. An interrupt
 * that comes in between finds the old view whole, so no reader ever waits for the writer. */

/* side gives a gateway's view of a version: the node's is the current one, and after
 * publish readers take the next. */
static APART ntsgw_view *side(const ntsgw_gateway *gw, uint32_t version) {
  const ntsgw_view *v = gw->view;
  if (version & 1u) v++;
  return (ntsgw_view *)v;
}

/* publish makes the drafts current, and new drafts of them: in those, lower ends that wait
 * for a reading get the latest. */
static APART void publish(ntsgw_node *node) {
  ntsgw_gateway *gw = node->gateway;
  write_fence();
  __atomic_store_n(&node->version, node->version + 1u, __ATOMIC_RELAXED);
  do {
    ntsgw_view *v = side(gw, node->version + 1u);
    write_fence();
    *v = *gw->draft;
    gw->draft = v;
    if (node->unanchored) v->interval.lo.at = node->last;
  } while ((gw = next_of(gw)));
}

/* What is known at a reading: the interval of all gateways; the best estimate, which
 * lies inside it, and how far it may be off; how many times the interval began anew. */
typedef struct {
  int64_t best;
  int64_t bound;
  ntsgw_bounds all;
  ntsgw_view view; /* what was seen last */
  ntsgw_bounds of[NTSGW_GATEWAYS_MAX];
  uint32_t generation;
} known;

/* A message of a kind, opened, and what it says: all that is known of it on its way, in one
 * place, which costs less than handing it on piece by piece. The scratch and what is signed make
 * room for what is said once that was verified. The members that are used most lie where
 * lx106 reaches them in the fewest bytes, here and in a node's and a gateway's state. */
typedef struct {
  const uint8_t *p;
  size_t n;
  ntsgw_interval interval; /* its lower end is true at the reading that comes with the message */
  ntsgw_node *node;
  ntsgw_gateway *gw; /* whose it is */
  ntsgw_kind kind;
  ntsgw_envelope e; /* and the structure that is signed */
  union {
    uint8_t scratch[32];
    ntsgw_claims claims;
    struct {
      uint32_t says[NTSGW_KEY_TYPE];
      uint8_t kid[32]; /* the key's hash: it begins with the key id */
    } delegation;
  } of;
  union {
    char external[2 + 7 + 5 + 1 + NTSGW_NAME_MAX + 1 + NTSGW_NAME_MAX];
    struct {
      int64_t tai;
      ntsgw_bounds own; /* the interval at the latest reading */
    } time;
  } is;
} letter;

/* The guess: exchanges' middles, weighed by how long their way was against what
 * the guess is doubted by then. Doubt grows by 2 ppm. Sums may wrap when decades
 * pass without an answer: a guess is moved into the interval anyhow. */

/* advance carries a guess to reading *m, the rate's part second by second; it gives
 * how far, in seconds of 2^30 ns. */
static APART uint32_t advance(ntsgw_guess *g, const uint64_t *m, const ntsgw_node *node) {
  uint64_t ns = ntsgw_since(&g->at, m) * node->config->count_ns;
  uint32_t seconds = (uint32_t)(ns >> 30);
  g->at = *m;
  ntsgw_add(&g->tai, g->rate, seconds);
  g->tai = (int64_t)((uint64_t)g->tai + ns);
  return seconds;
}

/* between gives the ns from time *a to *b. */
static uint64_t between(const int64_t *a, const int64_t *b) { return ntsgw_since((const uint64_t *)a, (const uint64_t *)b); }

/* width_of gives the width of an interval. */
static uint64_t width_of(const ntsgw_bounds *b) { return between(&b->lo, &b->hi); }

/* middle gives the middle of an interval. */
static APART int64_t middle(const ntsgw_bounds *b) { return (int64_t)((uint64_t)b->lo + ((uint64_t)b->hi - (uint64_t)b->lo) / 2u); }

/* guess_from takes a gateway's answer at the latest reading: time is in the middle of
 * its interval, from which what it says is half of its way off. */
static APART void guess_from(letter *l, ntsgw_guess *g) {
  const uint8_t *epoch = l->e.piece[NTSGW_CONTENT].p + l->of.claims.value[NTSGW_EPOCH] + 1;
  int64_t tai, off;
  uint32_t share, half, seconds = advance(g, &l->node->last, l->node);
  int32_t step, rho;
  tai = middle(&l->is.time.own);
  g->doubt += 2u * seconds;
  off = (int64_t)between(&g->tai, &tai);
  step = (int32_t)off;
  if (step != off || seconds >> 24 || memcmp(epoch, g->epoch, 8) != 0) {
    /* Another timeline, months old, or off by seconds: begin anew. */
    memcpy(g->epoch, epoch, 8);
    g->tai = tai;
    g->rate = 0;
    g->doubt = 0x1000000;
    seconds = 0;
    step = 0;
  }
  half = (uint32_t)(between(&l->is.time.tai, &tai) >> 10) + 100u;
  if (half > 0xfffffu) half = 0xfffffu;
  /* How much of the difference is believed, in 256ths. */
  share = g->doubt / ((g->doubt + half) / 256u + 1u);
  step >>= 8;
  ntsgw_add(&g->tai, step, share);
  step *= (int32_t)share;
  g->doubt = half * share / 256u + 1u;
  step = g->rate + step / (int32_t)(2u * seconds + 512u);
  rho = (int32_t)l->node->config->rho_ppb;
  g->rate = step > rho ? rho : step < -rho ? -rho : step;
}


/* combine makes one interval of all at reading *m: on TAI, or on UTC with the
 * estimate: the guess of the first gateway that has one, moved into the interval;
 * its middle where there is none. It gives the ends that are known, NTSGW_LO and
 * NTSGW_HI, or -1 when too few gateways agree. */
static APART int combine(const ntsgw_node *node, known *k, int utc, const uint64_t *m) {
  const ntsgw_gateway *gw;
  ntsgw_bounds *of;
  uint32_t version, guessed;
  const int64_t *passed;
  int ends;
again:
  version = load_version(node);
  k->generation = node->generation;
  guessed = 0;
  of = k->of;
  gw = node->gateway;
  do {
    k->view = *side(gw, version);
    if (node->unanchored) k->view.interval.lo.at = *m;
    read_fence();
    if (__atomic_load_n(&node->version, __ATOMIC_RELAXED) != version) goto again;
    ntsgw_at(&k->view.interval, m, node->config, of);
    if (utc) {
      ntsgw_utc(&of->lo, -1, &k->view.leaps);
      ntsgw_utc(&of->hi, 1, &k->view.leaps);
      if (guessed == 0 && k->view.guess.doubt) {
        guessed = k->view.guess.doubt;
        advance(&k->view.guess, m, node);
        k->best = k->view.guess.tai;
        ntsgw_add(&k->best, -k->view.leaps.tai_utc, NTSGW_NS);
      }
    }
    of++;
  } while ((gw = next_of(gw)));
  if (NTSGW_GATEWAYS_MAX == 1) {
    k->all = k->of[0];
  } else if (!ntsgw_hull(k->of, count(node), count(node) - node->config->faults, &k->all)) {
    return -1;
  }
  if (guessed == 0) k->best = middle(&k->all);
  passed = &k->best;
  if (ntsgw_less(&k->all.hi, passed)) passed = &k->all.hi;
  if (ntsgw_less(passed, &k->all.lo)) passed = &k->all.lo;
  k->best = *passed;
  ends = 0;
  if ((int32_t)(k->all.lo >> 32) != INT32_MIN) ends = NTSGW_LO;
  if ((int32_t)(k->all.hi >> 32) != INT32_MAX) ends += NTSGW_HI;
  return ends;
}

/* two_sided gives the estimate on UTC, and how far it may be off. */
static ntsgw_result two_sided(const ntsgw_node *node, known *k, const uint64_t *m) {
  int64_t above;
  int ends = combine(node, k, 1, m);
  if (ends != (NTSGW_LO | NTSGW_HI)) return ends == NTSGW_LO ? NTSGW_E_NO_UPPER_BOUND : NTSGW_E_NO_EVIDENCE;
  above = (int64_t)between(&k->best, &k->all.hi);
  k->bound = (int64_t)between(&k->all.lo, &k->best);
  if (ntsgw_less(&k->bound, &above)) k->bound = above;
  return NTSGW_OK;
}

/* Readings. */

/* arrive takes the reading that comes with a message before evidence is judged by it. */
static APART ntsgw_result arrive(const letter *l) {
  ntsgw_node *node = l->node;
  if (l->interval.lo.at < node->last) return NTSGW_E_CLOCK;
  node->last = l->interval.lo.at;
  if (node->unanchored) {
    publish(node);
    publish(node);
    node->unanchored = 0;
  }
  return NTSGW_OK;
}

/* Messages. */

static ntsgw_span span(const uint8_t *p, size_t n) {
  ntsgw_span s;
  s.p = p;
  s.n = n;
  return s;
}

static uint32_t big_endian(const uint8_t *p) {
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

/* put_part writes a slash and a text. */
static APART char *put_part(char *to, const char *text) {
  *to++ = '/';
  while (*text) *to++ = *text++;
  return to;
}

/* word is what stands for a kind in topics and in what is signed: the long one first, the
 * others four bytes apart. */
static const char *word(ntsgw_kind kind) {
  static const char words[] = "beacon\0\0key\0req\0resp";
  return kind == NTSGW_BEACON ? words : words + 4 * kind;
}

/* make_structure makes what is signed or authenticated: RFC 9052 sections 4.4 and 6.3,
 * in four pieces. The external data is ntsgw/1/<kind>/<gateway>[/<node>]. */
static APART void make_structure(letter *l) {
  static const uint8_t contexts[] = {0x84, 0x64, 'M', 'A', 'C', '0', 0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
  const ntsgw_enrolment *who = l->gw->who;
  uint8_t *text = (uint8_t *)l->is.external + 2;
  /* The first slash gives way to the head. */
  char *to = put_part(put_part(put_part(l->is.external + 1, "ntsgw/1"), word(l->kind)), who->gateway);
  uint32_t n = 12;
  if (l->kind >= NTSGW_REQUEST) {
    to = put_part(to, who->node);
    n = 6;
  }
  l->e.piece[NTSGW_CONTEXT] = span(contexts + n - 6, n);
  n = (uint32_t)(to - (char *)text);
  if (n >= 24) {
    *--text = (uint8_t)n;
    n = 24;
  }
  *--text = (uint8_t)(0x40 + n);
  l->e.piece[NTSGW_EXTERNAL] = span(text, (size_t)(to - (char *)text));
}

/* good_proof tells whether a key made the signature or MAC that ends a message. */
static int good_proof(letter *l, const uint8_t *key) {
  const ntsgw_crypto *crypto;
  int good = 0;
  make_structure(l);
  crypto = l->node->config->crypto;
  if (l->e.alg == NTSGW_HMAC256) {
    crypto->hmac256(key, l->e.piece, 4, l->of.scratch);
    good = !differ(l->of.scratch, l->e.piece[NTSGW_PROOF].p + 2);
  } else if (l->e.alg == NTSGW_ED25519) {
    if (crypto->ed25519) good = crypto->ed25519(key, l->e.piece[NTSGW_PROOF].p + 2, l->e.piece, 4);
  } else if (crypto->p256) {
    crypto->sha256(l->e.piece, 4, l->of.scratch);
    good = crypto->p256(key, l->e.piece[NTSGW_PROOF].p + 2, l->of.scratch);
  }
  return good == 1;
}

/* verify opens a message and checks that the key at hand made it. */
static ntsgw_result verify(letter *l) {
  const ntsgw_gateway *gw;
  const uint8_t *kid, *key;
  uint32_t kid_n = 8, mac = l->kind / NTSGW_RESPONSE;
  int alg;
  uint32_t claims;
  if (l->n > NTSGW_MESSAGE_MAX) return NTSGW_E_SIZE;
  if (l->n > 0 && l->p[0] == 0xd1u + mac) return NTSGW_E_WRONG_KIND;
  if (!ntsgw_cbor_envelope(l->p, (uint32_t)l->n, 18u - mac, &l->e)) return NTSGW_E_MALFORMED;
  gw = l->gw;
  kid = gw->who->root_kid;
  key = gw->who->root;
  alg = gw->who->root_alg;
  if (l->kind == NTSGW_RESPONSE) {
    alg = NTSGW_HMAC256;
    kid = l->of.scratch;
    kid_n = 4;
    key = gw->who->node_key;
    put_big_endian(l->of.scratch, gw->who->generation);
  }
  if (alg == 0 || l->e.alg != alg) return NTSGW_E_WRONG_ALG;
  if (l->kind == NTSGW_BEACON) {
    if (!gw->held) return NTSGW_E_UNKNOWN_KID;
    kid = gw->kid;
    key = gw->key;
  }
  if (l->e.piece[NTSGW_KID].n != kid_n + 1 || memcmp(l->e.piece[NTSGW_KID].p + 1, kid, kid_n) != 0) return NTSGW_E_UNKNOWN_KID;
  if (!good_proof(l, key)) return NTSGW_E_BAD_SIGNATURE;
  claims = l->kind;
  if (l->kind == NTSGW_DELEGATION && alg == NTSGW_ES256) claims = NTSGW_CLAIMS_ES256;
  if (!ntsgw_cbor_claims(l->e.piece[NTSGW_CONTENT].p, (uint32_t)l->e.piece[NTSGW_CONTENT].n, claims, &l->of.claims)) return NTSGW_E_MALFORMED;
  return NTSGW_OK;
}

/* What survives a reboot. */

static APART void keep(const ntsgw_node *node, const ntsgw_gateway *gw) {
  const ntsgw_config *c = node->config;
  if (c->keep) c->keep(c->context, (int)(gw->who - node->gateway->who), gw->serial, gw->floor);
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
static void note(const letter *l, ntsgw_gateway *gw, int ends) {
  int i;
  if (gw->frozen) return;
  for (i = 0; i < 2; i++) {
    size_t n = l->n;
    if (!(ends >> i & 1)) continue;
    if (n > (i ? NTSGW_EVIDENCE_HI : NTSGW_EVIDENCE_LO)) n = 0;
    gw->evidence_n[i] = (uint32_t)n;
    memcpy(gw->evidence + NTSGW_EVIDENCE_LO * i, l->p, n);
  }
}

/* learn takes what a message says about UTC, when it is the latest. */
static void learn(const letter *l, ntsgw_leaps *leaps) {
  if (!ntsgw_less(&leaps->tai, &l->is.time.tai)) return;
  leaps->error_s = (int32_t)l->of.claims.value[NTSGW_ERROR_SECONDS];
  leaps->tai_utc = (int32_t)l->of.claims.value[NTSGW_TAI_UTC];
  leaps->leap = (int32_t)l->of.claims.value[NTSGW_LEAP];
  leaps->tai = l->is.time.tai;
  leaps->month = ntsgw_month(&leaps->tai, -leaps->tai_utc);
}

/* seconds_of gives the whole seconds of a time, or of what 32 bits hold the nearest. */
static uint32_t seconds_of(const int64_t *tai) {
  uint64_t s = (uint64_t)*tai / NTSGW_NS;
  if (*tai < 0) return 0;
  return s >> 32 ? UINT32_MAX : (uint32_t)s;
}

/* forget begins gateways anew, all or one; what they said about UTC goes as well. After a
 * contradiction the evidence stays. */
static APART void forget(ntsgw_node *node, ntsgw_gateway *gw, const ntsgw_gateway *stop) {
  do {
    ntsgw_view *v = gw->draft;
    memset(v, 0, sizeof *v);
    v->interval.lo.tai = NTSGW_LO_UNKNOWN;
    v->interval.hi.tai = NTSGW_HI_UNKNOWN;
    gw->frozen = node->alarms & NTSGW_ALARM_CONTRADICTION;
  } while ((gw = next_of(gw)) != stop);
  publish(node);
}

/* contradicted does so because of a lie. */
static APART ntsgw_result contradicted(ntsgw_node *node, ntsgw_gateway *gw, const ntsgw_gateway *stop) {
  node->generation++;
  node->alarms |= NTSGW_ALARM_CONTRADICTION;
  forget(node, gw, stop);
  return NTSGW_E_CONTRADICTION;
}

/* proved tells the surroundings what better evidence gave: the floors move up to
 * the combined lower end, at most once a day, and never beyond the end of the
 * key that vouches for it. */
static APART ntsgw_result proved(ntsgw_node *node) {
  ntsgw_gateway *gw = node->gateway;
  known k;
  uint32_t s;
  if (combine(node, &k, 0, &node->last) < 0) return contradicted(node, gw, 0);
  s = seconds_of(&k.all.lo);
  do {
    uint32_t tai_utc = (uint32_t)gw->draft->leaps.tai_utc, floor = gw->not_after + tai_utc;
    if (floor < tai_utc || floor > s) floor = s;
    if (floor < gw->floor || floor - gw->floor < DAY_S) continue;
    gw->floor = floor;
    keep(node, gw);
  } while ((gw = next_of(gw)));
  if (node->config->settime && two_sided(node, &k, &node->last) == NTSGW_OK) {
    node->config->settime(node->config->context, k.best, k.bound);
  }
  return NTSGW_OK;
}

/* take_delegation takes an online key, whose id is put behind its validity, as a gateway's
 * state has them. 32 bytes behind an Ed25519 key, still of the message, are kept where an
 * ES256 key has y, and never looked at. */
static ntsgw_result take_delegation(letter *l) {
  ntsgw_gateway *gw = l->gw;
  const uint32_t *says = l->of.claims.value, *valid = &says[NTSGW_KEY_SERIAL];
  const uint8_t *key = l->e.piece[NTSGW_CONTENT].p + says[NTSGW_COSE_KEY];
  if (*valid < gw->serial) return NTSGW_E_OLD_SERIAL;
  l->e.piece[0] = span(key, says[NTSGW_Y] != 0 ? 75 : 40);
  l->node->config->crypto->sha256(l->e.piece, 1, l->of.delegation.kid);
  if (gw->held && memcmp(&gw->serial, valid, 20) == 0) return NTSGW_ADDS_NOTHING;
  saw_serial(l->node, gw, *valid);
  memcpy(&gw->serial, valid, 20);
  memcpy(gw->key, key + 8, 32);
  memcpy(gw->key + 32, key + 43, 32);
  gw->held = 1;
  l->node->alarms &= ~(uint32_t)NTSGW_ALARM_WITHHELD;
  return NTSGW_OK;
}

/* take_evidence narrows a gateway's interval by what a message says at the latest
 * reading. */
static ntsgw_result take_evidence(letter *l) {
  ntsgw_node *node = l->node;
  ntsgw_gateway *gw = l->gw;
  ntsgw_view *view = gw->draft;
  int ends;

  ends = ntsgw_intersect(&view->interval, &l->interval, &node->last, node->config, &l->is.time.own);
  note(l, gw, ends);
  if (ends >= NTSGW_EMPTY) return contradicted(node, gw, next_of(gw));
  if (l->kind == NTSGW_RESPONSE) guess_from(l, &view->guess);
  learn(l, &view->leaps);
  publish(node);
  return ends == 0 ? NTSGW_ADDS_NOTHING : proved(node);
}

/* judge_beacon and judge_response hold messages to the rules that their proofs don't speak
 * of, and make the upper end of what they say; latest is t + E. */
static ntsgw_result judge_beacon(letter *l, uint32_t latest) {
  const ntsgw_gateway *gw = l->gw;
  uint32_t s = l->of.claims.value[NTSGW_SECONDS];
  if (s < gw->not_before || s > gw->not_after || (s == gw->not_after && l->of.claims.value[NTSGW_NANOSECONDS] > 0)) return NTSGW_E_OUTSIDE_VALIDITY;
  if (latest < gw->floor) return NTSGW_E_BELOW_FLOOR;
  l->interval.hi.tai = NTSGW_HI_UNKNOWN;
  return arrive(l);
}

static ntsgw_result judge_response(letter *l, uint32_t latest) {
  ntsgw_gateway *gw = l->gw;
  ntsgw_node *node;
  ntsgw_result result;
  uint32_t deadline_ms;
  if (!gw->open || memcmp(gw->nonce, l->e.piece[NTSGW_CONTENT].p + l->of.claims.value[NTSGW_NONCE] + 1, 16) != 0) return NTSGW_E_NO_NONCE;
  result = arrive(l);
  if (result) return result;
  gw->open = 0;
  gw->unanswered = 0;
  node = l->node;
  deadline_ms = node->config->deadline_ms;
  if (deadline_ms == 0) deadline_ms = 10000;
  if (ntsgw_since(&gw->asked_at, &node->last) * node->config->count_ns / 1000000u > deadline_ms) return NTSGW_E_LATE;
  saw_serial(node, gw, l->of.claims.value[NTSGW_SERIAL]);
  if (gw->who->root_alg != 0 && !gw->held && gw->serial > 0) node->alarms |= NTSGW_ALARM_WITHHELD;
  if (latest < gw->asked_floor) {
    node->alarms |= NTSGW_ALARM_FLOOR;
    return NTSGW_E_BELOW_FLOOR;
  }
  l->interval.hi.at = gw->asked_at;
  ntsgw_add(&l->interval.hi.tai, -1, l->of.claims.value[NTSGW_TURNAROUND]);
  return NTSGW_OK;
}

/* take is ntsgw_feed on a message of a gateway. */
static ntsgw_result take(letter *l) {
  ntsgw_result result;
  uint64_t s;
  uint32_t latest;
  if (l->kind != NTSGW_BEACON && l->kind != NTSGW_DELEGATION) {
    if (l->kind != NTSGW_RESPONSE) return NTSGW_E_ARGUMENT;
    if (!l->gw->who->node_key) return NTSGW_E_NO_KEY;
  }
  result = verify(l);
  if (result) return result;
  if (l->kind == NTSGW_DELEGATION) return take_delegation(l);
  ntsgw_claims_time(&l->of.claims, &l->is.time.tai, &l->interval);
  s = (uint64_t)l->interval.hi.tai / NTSGW_NS;
  latest = s >> 32 ? UINT32_MAX : (uint32_t)s;
  result = l->kind == NTSGW_BEACON ? judge_beacon(l, latest) : judge_response(l, latest);
  return result ? result : take_evidence(l);
}

ntsgw_result ntsgw_feed(ntsgw_node *node, int g, ntsgw_kind kind, const uint8_t *message, size_t n, uint64_t m) {
  letter l;
  l.node = node;
  l.gw = find(node, g);
  l.kind = kind;
  l.p = message;
  l.n = n;
  l.interval.lo.at = m;
  return l.gw ? take(&l) : NTSGW_E_ARGUMENT;
}

int ntsgw_would_raise(const ntsgw_node *node, int g, const uint8_t *message, size_t n, uint64_t m) {
  const ntsgw_gateway *gw = find(node, g);
  ntsgw_envelope e;
  ntsgw_claims c;
  ntsgw_interval own;
  ntsgw_bounds now;
  ntsgw_view v;
  int64_t tai;
  if (!gw || n > NTSGW_MESSAGE_MAX || !ntsgw_cbor_envelope(message, (uint32_t)n, 18, &e) ||
      !ntsgw_cbor_claims(e.piece[NTSGW_CONTENT].p, (uint32_t)e.piece[NTSGW_CONTENT].n, NTSGW_CLAIMS_BEACON, &c)) {
    return 0;
  }
  ntsgw_claims_time(&c, &tai, &own);
  v = *gw->draft;
  if (node->unanchored) v.interval.lo.at = m;
  ntsgw_at(&v.interval, &m, node->config, &now);
  return own.lo.tai > now.lo;
}

/* Requests. */

/* fresh_nonce makes HMAC(node key, counter || boot randomness), which never
 * repeats: by the counter where numbers are reserved, else by the randomness. It
 * begins the scratch. */
static int fresh_nonce(letter *l) {
  ntsgw_node *node = l->node;
  const ntsgw_config *c = node->config;
  uint64_t first;
  int i;
  if (node->reserved == 0 && c->reserve && c->reserve(c->context, NONCE_BLOCK, &first)) {
    put_big_endian(node->seed, (uint32_t)(first >> 32));
    put_big_endian(node->seed + 4, (uint32_t)first);
    node->reserved = NONCE_BLOCK;
  }
  if (!node->seeded && c->random) node->seeded = (uint32_t)c->random(c->context, node->seed + 8, sizeof node->seed - 8);
  if (node->reserved == 0 && !node->seeded) return 0;
  if (node->reserved > 0) node->reserved--;
  l->e.piece[0] = span(node->seed, sizeof node->seed);
  c->crypto->hmac256(l->gw->who->node_key, l->e.piece, 1, l->of.scratch);
  memcpy(l->gw->nonce, l->of.scratch, 16);
  for (i = 8; i > 0 && ++node->seed[i - 1] == 0; i--) continue;
  return 1;
}

/* put_width writes the telemetry: half the width of the interval, in us, with its key;
 * nothing where there is no width. */
static uint32_t put_width(const ntsgw_node *node, uint8_t *out) {
  known k;
  uint64_t us;
  if (combine(node, &k, 0, &node->last) != (NTSGW_LO | NTSGW_HI)) return 0;
  us = width_of(&k.all) / 2000u;
  if ((us + 1u) >> 32) return 0;
  out[0] = 13;
  return 1 + ntsgw_cbor_put(out + 1, 0, (uint32_t)us + 1u);
}

/* ask writes a request and gives its length. */
static int ask(letter *l) {
  static const uint8_t begin[] = {0xd1, 0x84, 0x49, 0xa2, 0x01, 0x05, 0x04, 0x44};
  ntsgw_gateway *gw = l->gw;
  uint8_t *p;
  uint32_t said;
  int result;
  if (!gw->who->node_key) return NTSGW_E_NO_KEY;
  result = arrive(l);
  if (result) return result;
  gw->open = 0;
  if (!fresh_nonce(l)) return NTSGW_E_NO_RANDOM;
  said = put_width(l->node, l->of.scratch + 16);
  p = (uint8_t *)l->p;
  memcpy(p, begin, sizeof begin);
  put_big_endian(p + 8, gw->who->generation);
  p[12] = 0xa0;
  p += 13;
  p += ntsgw_cbor_put(p, 2, said + 19);
  p[0] = said ? 0xa2 : 0xa1;
  p[1] = 0x09;
  p[2] = 0x50;
  said += 16;
  memcpy(p + 3, l->of.scratch, said);
  p += said;
  p[3] = 0x58;
  p[4] = 0x20;
  p += 5;
  l->n = (size_t)(p - l->p) + 32;
  ntsgw_cbor_envelope(l->p, (uint32_t)l->n, 17, &l->e);
  make_structure(l);
  l->node->config->crypto->hmac256(gw->who->node_key, l->e.piece, 4, p);
  gw->asked_at = l->interval.lo.at;
  gw->asked_floor = gw->floor;
  gw->open = 1;
  if (gw->unanswered < 9) gw->unanswered++;
  return (int)l->n;
}

ntsgw_result ntsgw_request(ntsgw_node *node, int g, uint64_t m, uint8_t *out, size_t *n) {
  letter l;
  int length;
  l.node = node;
  l.gw = find(node, g);
  l.kind = NTSGW_REQUEST;
  l.p = out;
  l.interval.lo.at = m;
  if (!l.gw) return NTSGW_E_ARGUMENT;
  length = ask(&l);
  if (length < 0) return (ntsgw_result)length;
  *n = (size_t)length;
  return NTSGW_OK;
}

uint32_t ntsgw_retry_ms(ntsgw_node *node, int g) {
  const ntsgw_config *c = node->config;
  const ntsgw_gateway *gw = find(node, g);
  uint32_t span_ms, pick = 0;
  if (!gw) return 0;
  if (!c->random || !c->random(c->context, (uint8_t *)&pick, sizeof pick)) {
    uint8_t mac[32];
    ntsgw_span s[2];
    s[0] = span(node->seed, sizeof node->seed);
    s[1] = span((const uint8_t *)&node->last, sizeof node->last);
    if (gw->who->node_key) {
      c->crypto->hmac256(gw->who->node_key, s, 2, mac);
      pick = big_endian(mac);
    }
  }
  if (gw->unanswered == 0) return pick % 16384u;
  span_ms = (uint32_t)1000u << gw->unanswered;
  return span_ms / 2u + pick % (span_ms / 2u + 1u);
}

void ntsgw_discontinuity(ntsgw_node *node) {
  ntsgw_gateway *gw = node->gateway;
  do {
    ntsgw_view *v = gw->draft;
    ntsgw_bounds now;
    ntsgw_at(&v->interval, &node->last, node->config, &now);
    v->interval.lo.tai = now.lo;
    v->interval.hi.tai = NTSGW_HI_UNKNOWN;
    v->guess.tai = 0;
    v->guess.doubt = 0;
    gw->open = 0;
  } while ((gw = next_of(gw)));
  node->unanchored = 1;
  node->last = 0; /* whatever reading comes next is not before it */
  publish(node);
}

/* Reading. */

ntsgw_result ntsgw_interval_tai(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out, uint16_t *generation) {
  known k;
  int ends;
  ends = combine(node, &k, 0, &m);
  *out = k.all;
  if (generation) *generation = (uint16_t)k.generation;
  return ends > 0 ? NTSGW_OK : NTSGW_E_NO_EVIDENCE;
}

ntsgw_result ntsgw_interval_utc(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out) {
  known k;
  int ends;
  ends = combine(node, &k, 1, &m);
  *out = k.all;
  return ends > 0 ? NTSGW_OK : NTSGW_E_NO_EVIDENCE;
}

ntsgw_result ntsgw_now(const ntsgw_node *node, uint64_t m, int64_t *utc_ns) {
  known k;
  ntsgw_result bad;
  bad = two_sided(node, &k, &m);
  if (!bad) *utc_ns = k.best;
  return bad;
}

ntsgw_result ntsgw_bound(const ntsgw_node *node, uint64_t m, int64_t *bound_ns) {
  known k;
  ntsgw_result bad;
  bad = two_sided(node, &k, &m);
  if (!bad) *bound_ns = k.bound;
  return bad;
}

ntsgw_state_kind ntsgw_state(const ntsgw_node *node, uint64_t m) {
  known k;
  switch (two_sided(node, &k, &m)) {
    case NTSGW_OK: return NTSGW_BOUNDED;
    case NTSGW_E_NO_UPPER_BOUND: return NTSGW_LOWER_BOUND;
    default: return NTSGW_NOTHING_KNOWN;
  }
}

uint8_t ntsgw_alarm(const ntsgw_node *node) { return (uint8_t)node->alarms; }

void ntsgw_alarm_clear(ntsgw_node *node) {
  ntsgw_gateway *gw = node->gateway;
  node->alarms = 0;
  do {
    if (gw->frozen) gw->evidence_n[0] = gw->evidence_n[1] = 0;
    gw->frozen = 0;
  } while ((gw = next_of(gw)));
}

void ntsgw_evidence(const ntsgw_node *node, int g, ntsgw_span *lower, ntsgw_span *upper) {
  const ntsgw_gateway *gw = find(node, g);
  *lower = *upper = span(0, 0);
  if (!gw) return;
  *lower = span(gw->evidence, gw->evidence_n[0]);
  *upper = span(gw->evidence + NTSGW_EVIDENCE_LO, gw->evidence_n[1]);
}

uint32_t ntsgw_exchange_in(const ntsgw_node *node, uint64_t m, int64_t width_ns) {
  known k;
  uint64_t width, left, rate = 2u * (uint64_t)node->config->rho_ppb;
  if (combine(node, &k, 0, &m) != (NTSGW_LO | NTSGW_HI) || width_ns <= 0) return 0;
  width = width_of(&k.all);
  if (width >= (uint64_t)width_ns) return 0;
  left = (uint64_t)width_ns - width;
  if (rate == 0 || left > UINT64_MAX / 1000u) return UINT32_MAX;
  left = left * 1000u / rate;
  return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

ntsgw_result ntsgw_monotonic_now(const ntsgw_node *node, ntsgw_monotonic *state, uint64_t m, int64_t *utc_ns, int *inside) {
  known k;
  ntsgw_result bad;
  ntsgw_interval v;
  ntsgw_bounds ran;
  bad = two_sided(node, &k, &m);
  if (bad) return bad;
  if (state->started && m > state->at) {
    v.lo.tai = state->out;
    v.lo.at = state->at;
    v.hi.tai = NTSGW_HI_UNKNOWN;
    ntsgw_at(&v, &m, node->config, &ran);
    state->out += (ran.lo - state->out) / 2;
  }
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
  char *to = out;
  *out = 0;
  if (!gw || kind == NTSGW_OTHER) return 0;
  memcpy(out, "ntsgw", 5);
  to = put_part(put_part(out + 5, gw->who->gateway), word(kind));
  if (kind >= NTSGW_REQUEST) {
    to = put_part(to, gw->who->node);
  } else if (gw->who->root_alg == NTSGW_ES256) {
    memcpy(to, "-es256", 6);
    to += 6;
  }
  *to = 0;
  return (size_t)(to - out);
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
  size_t n;
  if (!s) return 1;
  for (n = 0;; n++) {
    if ((uint8_t)(s[n] - 'a') < 26) continue;
    if ((uint8_t)(s[n] - '0') < 10) continue;
    if (s[n] != '-') break;
  }
  if (s[n] != 0) return 1;
  return n - 1 >= NTSGW_NAME_MAX;
}

ntsgw_result ntsgw_init(ntsgw_node *node, const ntsgw_config *config, const ntsgw_enrolment *who, ntsgw_gateway *gateways, int n) {
  ntsgw_gateway *gw = gateways, **end = &node->gateway;
  if (!config || n <= 2 * config->faults || !config->crypto || config->count_ns - 1u >= NTSGW_UNIT_MAX ||
      config->tick - 1u >= NTSGW_UNIT_MAX || config->rho_ppb > NTSGW_RHO_MAX || n > NTSGW_GATEWAYS_MAX) {
    return NTSGW_E_ARGUMENT;
  }
  memset(node, 0, sizeof *node);
  node->config = config;
  node->gateways = n;
  do {
    if (bad_name(who->gateway) || (who->node_key && bad_name(who->node))) return NTSGW_E_ARGUMENT;
    if (who->root_alg != 0) {
      if (!who->root) return NTSGW_E_ARGUMENT;
      if ((who->root_alg - NTSGW_ED25519) * (who->root_alg - NTSGW_ES256) != 0) return NTSGW_E_ARGUMENT;
    }
    memset(gw, 0, sizeof *gw);
    gw->who = who;
    gw->not_after = UINT32_MAX;
    gw->draft = &gw->view[1];
    *end = gw;
    end = &gw->next;
    gw++;
    who++;
  } while (--n > 0);
  forget(node, node->gateway, 0);
  return NTSGW_OK;
}

ntsgw_result ntsgw_restore(ntsgw_node *node, int g, uint32_t serial, uint32_t floor) {
  ntsgw_gateway *gw = find(node, g);
  if (!gw) return NTSGW_E_ARGUMENT;
  gw->serial = serial;
  gw->floor = floor;
  return NTSGW_OK;
}
