/* Tests of the library on a host: protocol vectors, every rule, every refusal. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "../../downstream/beacon/testdata/vectors.h"
#include "../src/ntsgw_interval.h"
#include "gateway.h"

#define S 1000000000LL
#define MS 1000000LL
#define T0 (1790000000LL * S) /* a September */
#define TAI0 (T0 + 37 * S)

static int failures, checks;
static const char *test_name;

#define CHECK(x) check((x) != 0, #x, __LINE__)
#define EQ(a, b) equal((long long)(a), (long long)(b), #a, __LINE__)

static void check(int good, const char *what, int line) {
  checks++;
  if (good) return;
  failures++;
  printf("host_test.c:%d: %s: not so: %s\n", line, test_name, what);
}

static void equal(long long got, long long want, const char *what, int line) {
  checks++;
  if (got == want) return;
  failures++;
  printf("host_test.c:%d: %s: %s is %lld, want %lld\n", line, test_name, what, got, want);
}

static const char *word(ntsgw_result r) {
  switch (r) {
#define X(name, number, text) \
  case name: return text;
    NTSGW_RESULTS(X)
#undef X
  }
  return "?";
}

/* The surroundings of a node. */
typedef struct {
  uint64_t next;
  int random_fails, reserve_fails, kept, settimes;
  uint32_t serial[8], floor[8];
  int64_t time, bound;
  uint8_t random;
} surroundings;

static int some_random(void *context, uint8_t *out, size_t n) {
  surroundings *s = context;
  if (s->random_fails) return 0;
  memset(out, ++s->random, n);
  return 1;
}

static int reserve(void *context, uint32_t count, uint64_t *first) {
  surroundings *s = context;
  if (s->reserve_fails) return 0;
  *first = s->next;
  s->next += count;
  return 1;
}

static void keep(void *context, int gateway, uint32_t serial, uint32_t floor) {
  surroundings *s = context;
  s->serial[gateway] = serial;
  s->floor[gateway] = floor;
  s->kept++;
}

static void settime(void *context, int64_t utc, int64_t bound) {
  surroundings *s = context;
  s->time = utc;
  s->bound = bound;
  s->settimes++;
}

static const ntsgw_crypto crypto = {ntsgw_sodium_sha256, ntsgw_sodium_hmac256, ntsgw_sodium_ed25519, ntsgw_bearssl_p256};

/* A node with its gateways, n of them, f faults. */
typedef struct {
  surroundings s;
  ntsgw_config config;
  ntsgw_enrolment who[8];
  ntsgw_gateway state[8];
  ntsgw_node node;
  test_gateway g[8];
} bench;

static const ntsgw_crypto *ported; /* instead of the usual ports */

static void bench_new(bench *b, int n, int f) {
  static const char *names[8] = {"gw1", "gw2", "gw3", "gw4", "gw5", "gw6", "gw7", "gw8"};
  int i;
  memset(b, 0, sizeof *b);
  b->config.crypto = ported ? ported : &crypto;
  b->config.count_ns = 1000;
  b->config.tick = 1;
  b->config.rho_ppb = NTSGW_RHO_PPM(20);
  b->config.faults = (uint8_t)f;
  b->config.context = &b->s;
  b->config.random = some_random;
  b->config.reserve = reserve;
  b->config.keep = keep;
  b->config.settime = settime;
  for (i = 0; i < n; i++) {
    gateway_new(&b->g[i], names[i], "node-7", (uint8_t)(i + 1));
    b->who[i].gateway = names[i];
    b->who[i].node = "node-7";
    b->who[i].node_key = b->g[i].node_key;
    b->who[i].generation = 1;
    b->who[i].root_alg = NTSGW_ED25519;
    b->who[i].root = b->g[i].root_public;
    thumbprint(b->g[i].root_public, b->who[i].root_kid);
  }
  EQ(ntsgw_init(&b->node, &b->config, b->who, b->state, n), NTSGW_OK);
}

static ntsgw_result give_key(bench *b, int g, uint32_t serial, int64_t from, int64_t to) {
  test_message m;
  delegation(&m, &b->g[g], serial, (uint32_t)(from / S), (uint32_t)(to / S));
  return ntsgw_feed_delegation(&b->node, g, m.b, m.n, 0);
}

static ntsgw_result give_beacon(bench *b, int g, int64_t utc, int64_t error, uint64_t at) {
  test_statement s = {.utc = utc, .error = error, .tai_utc = 37, .sequence = 1};
  test_message m;
  beacon(&m, &b->g[g], &s);
  return ntsgw_feed_beacon(&b->node, g, m.b, m.n, at);
}

/* ask makes an exchange: asked at m1, answered at m4 with t3 = utc. */
static ntsgw_result ask(bench *b, int g, uint64_t m1, int64_t utc, int64_t error, uint32_t turnaround, uint64_t m4) {
  test_statement s = {.utc = utc, .error = error, .tai_utc = 37, .turnaround = turnaround, .serial = b->g[g].serial};
  test_message m;
  uint8_t out[NTSGW_REQUEST_MAX];
  size_t n;
  ntsgw_result r = ntsgw_request(&b->node, g, m1, out, &n);
  if (r) return r;
  nonce_of(out, s.nonce);
  response(&m, &b->g[g], &s);
  return ntsgw_feed_response(&b->node, g, m.b, m.n, m4);
}

static void from_hex(const char *hex, uint8_t *out, size_t *n) {
  unsigned v;
  for (*n = 0; hex[0] && hex[1]; hex += 2) {
    sscanf(hex, "%2x", &v);
    out[(*n)++] = (uint8_t)v;
  }
}

static int same_hex(const char *hex, const uint8_t *p, size_t n) {
  uint8_t want[128];
  size_t k;
  from_hex(hex, want, &k);
  return k == n && memcmp(want, p, n) == 0;
}

static void check_fields(const struct vector_message *v, const uint8_t *p, size_t n) {
  ntsgw_envelope e;
  ntsgw_claims c;
  int response = v->kind == VECTOR_RESPONSE;
  int kind = response ? NTSGW_CLAIMS_RESPONSE : NTSGW_CLAIMS_BEACON;
  if (v->kind == VECTOR_KEY) kind = vector_keys[v->key].alg == -19 ? NTSGW_CLAIMS_ED25519 : NTSGW_CLAIMS_ES256;
  CHECK(ntsgw_cbor_envelope(p, (uint32_t)n, response ? 17 : 18, &e));
  p = e.piece[NTSGW_CONTENT].p;
  CHECK(ntsgw_cbor_claims(p, (uint32_t)e.piece[NTSGW_CONTENT].n, kind, &c));
  if (v->kind == VECTOR_KEY) {
    EQ(c.value[NTSGW_KEY_SERIAL], v->serial);
    EQ(c.value[NTSGW_NOT_BEFORE], v->not_before);
    EQ(c.value[NTSGW_NOT_AFTER], v->not_after);
    if (kind == NTSGW_CLAIMS_ED25519) CHECK(same_hex(v->public_, p + c.value[NTSGW_COSE_KEY] + 8, 32));
    return;
  }
  EQ(c.value[NTSGW_SECONDS], v->seconds);
  EQ(c.value[NTSGW_NANOSECONDS], v->nanoseconds);
  EQ(c.value[NTSGW_ERROR_SECONDS], v->error_seconds);
  EQ(c.value[NTSGW_ERROR_NANOSECONDS], v->error_nanoseconds);
  CHECK(same_hex(v->epoch, p + c.value[NTSGW_EPOCH] + 1, 8));
  EQ(c.value[NTSGW_STATE], v->state);
  EQ(c.value[NTSGW_STRATUM], v->stratum);
  EQ((int)((c.value[NTSGW_LEAP] + 1) % 4) - 1, v->leap);
  EQ(c.value[NTSGW_TAI_UTC], v->tai_offset);
  if (response) {
    EQ(c.value[NTSGW_TURNAROUND], v->turnaround);
    EQ(c.value[NTSGW_SERIAL], v->serial);
    CHECK(same_hex(v->nonce, p + c.value[NTSGW_NONCE] + 1, 16));
  } else {
    EQ(c.value[NTSGW_SEQUENCE], v->sequence);
    EQ(c.value[NTSGW_NEXT], v->next);
  }
}

/* judge feeds a vector to a node that holds exactly the key that judges it. */
static ntsgw_result judge(bench *b, const struct vector_message *v, const uint8_t *p, size_t n) {
  static uint8_t keys[2][65], node_key[32];
  size_t k;
  ntsgw_gateway *gw = &b->state[0];
  bench_new(b, 1, 0);
  b->who[0].gateway = VECTOR_GATEWAY;
  b->who[0].node = VECTOR_NODE;
  from_hex(vector_node_keys[0].key, node_key, &k);
  b->who[0].node_key = node_key;
  b->who[0].generation = vector_node_keys[0].generation;
  if (v->kind == VECTOR_RESPONSE) {
    uint8_t out[NTSGW_REQUEST_MAX];
    size_t m;
    ntsgw_envelope e;
    ntsgw_claims c;
    ntsgw_request(&b->node, 0, 0, out, &m);
    /* Whatever it answers was asked. */
    if (n <= NTSGW_MESSAGE_MAX && ntsgw_cbor_envelope(p, (uint32_t)n, 17, &e) &&
        ntsgw_cbor_claims(e.piece[NTSGW_CONTENT].p, (uint32_t)e.piece[NTSGW_CONTENT].n, NTSGW_CLAIMS_RESPONSE, &c)) {
      memcpy(gw->nonce, e.piece[NTSGW_CONTENT].p + c.value[NTSGW_NONCE] + 1, 16);
    }
    return ntsgw_feed_response(&b->node, 0, p, n, 5000000);
  }
  from_hex(vector_keys[v->key].public_, keys[0], &k);
  b->who[0].root_alg = vector_keys[v->key].alg;
  if (k == 65) memmove(keys[0], keys[0] + 1, 64);
  if (v->kind == VECTOR_KEY) {
    b->who[0].root = keys[0];
    from_hex(vector_keys[v->key].kid, b->who[0].root_kid, &k);
    return ntsgw_feed_delegation(&b->node, 0, p, n, 5000000);
  }
  memcpy(gw->key, keys[0], 64);
  from_hex(vector_keys[v->key].kid, gw->kid, &k);
  gw->held = 1;
  gw->not_before = v->not_before;
  gw->not_after = v->not_after || v->not_before ? v->not_after : UINT32_MAX;
  return ntsgw_feed_beacon(&b->node, 0, p, n, 5000000);
}

/* Every vector, with each set of ports that can be had. */
static void test_vectors_with(const ntsgw_crypto *port, const char *port_name) {
  static bench b;
  size_t i, count = sizeof vector_messages / sizeof *vector_messages;
  for (i = 0; i < count; i++) {
    const struct vector_message *v = &vector_messages[i];
    uint8_t p[1024];
    size_t n;
    ntsgw_result r;
    if (v->kind == VECTOR_REQUEST) continue;
    from_hex(v->message, p, &n);
    ported = port;
    r = judge(&b, v, p, n);
    ported = 0;
    checks++;
    if (strcmp(v->reason, "outside-validity") != 0 && !v->not_after && r == NTSGW_E_OUTSIDE_VALIDITY) r = NTSGW_OK; /* not asked */
    if (strncmp(v->name, "delegation-key-", 15) == 0 && r == NTSGW_OK) {
      /* No point of the curve: the node holds it, and it verifies nothing. */
      static const uint8_t proof[64] = {1}, hash[32] = {2};
      EQ(crypto.p256(b.state[0].key, proof, hash), 0);
      continue;
    }
    if (v->reason[0] ? strcmp(word(r), v->reason) != 0 : r < 0 && r != NTSGW_E_CONTRADICTION) {
      failures++;
      printf("vector %s: %s, want %s\n", v->name, word(r), v->reason[0] ? v->reason : "accepted");
    }
    test_name = v->name;
    if (!v->reason[0]) check_fields(v, p, n);
  }
  printf("  %zu vectors with %s\n", count, port_name);
}

static void test_vectors(void) {
  static const ntsgw_crypto own = {ntsgw_sodium_sha256, ntsgw_sodium_hmac256, ntsgw_ed25519, ntsgw_bearssl_p256};
  test_vectors_with(&crypto, "libsodium and BearSSL");
  test_vectors_with(&own, "own Ed25519");
#ifdef HAVE_MBEDTLS
  {
    static const ntsgw_crypto mbed = {ntsgw_mbedtls_sha256, ntsgw_mbedtls_hmac256, ntsgw_ed25519, ntsgw_mbedtls_p256};
    test_vectors_with(&mbed, "mbedTLS");
  }
#endif
}

/* A port's HMAC and hash give what libsodium's do, whatever keys and lengths come after each other. */
static void test_hmac_of(const ntsgw_crypto *port) {
  uint8_t data[300], key[2][32], a[32], b[32];
  size_t n;
  for (n = 0; n < sizeof data; n++) data[n] = (uint8_t)(n * 7);
  memset(key[0], 1, 32);
  memset(key[1], 2, 32);
  for (n = 0; n < sizeof data; n++) {
    ntsgw_span pieces[3] = {{data, n / 3}, {data, 0}, {data + n / 3, n - n / 3}};
    ntsgw_sodium_hmac256(key[n % 3 == 0], pieces, 3, a);
    port->hmac256(key[n % 3 == 0], pieces, 3, b);
    CHECK(memcmp(a, b, 32) == 0);
    ntsgw_sodium_sha256(pieces, 3, a);
    port->sha256(pieces, 3, b);
    CHECK(memcmp(a, b, 32) == 0);
  }
}

static void test_hmac(void) {
  static const ntsgw_crypto bearssl = {ntsgw_bearssl_sha256, ntsgw_bearssl_hmac256, 0, 0};
  test_hmac_of(&bearssl);
#ifdef HAVE_MBEDTLS
  {
    static const ntsgw_crypto mbed = {ntsgw_mbedtls_sha256, ntsgw_mbedtls_hmac256, 0, 0};
    test_hmac_of(&mbed);
  }
#endif
}

/* Every bit of every accepted message flipped, every length cut: never accepted. */
static void test_damage(void) {
  static bench b;
  size_t i, j, k, count = sizeof vector_messages / sizeof *vector_messages;
  long tried = 0;
  for (i = 0; i < count; i++) {
    const struct vector_message *v = &vector_messages[i];
    uint8_t p[1024];
    size_t n;
    if (v->reason[0] || v->kind == VECTOR_REQUEST || strncmp(v->name, "skip", 4) == 0) continue;
    if (v->key >= 0 && vector_keys[v->key].alg != -19) continue; /* the slow one: below */
    from_hex(v->message, p, &n);
    for (j = 0; j < n; j++) {
      for (k = 0; k < 8; k++) {
        p[j] ^= (uint8_t)(1u << k);
        CHECK(judge(&b, v, p, n) < 0);
        p[j] ^= (uint8_t)(1u << k);
        tried++;
      }
      CHECK(judge(&b, v, p, j) < 0);
      tried++;
    }
  }
  printf("  %ld damaged messages\n", tried);
}

/* A byte string of 2^32 bytes and more under a key that is skipped is not one of what remains when its
 * length is cut to 32 bits. */
static void test_long_lengths(void) {
  static const uint8_t with_one[] = {0x0e, 0x41, 0}, with_more[] = {0x0e, 0x5b, 0, 0, 0, 1, 0, 0, 0, 1, 0};
  const struct vector_message *v = vector_messages;
  uint8_t message[1024], p[1024];
  uint32_t end;
  ntsgw_envelope e;
  ntsgw_claims c;
  size_t n;
  while (strcmp(v->name, "beacon-ed25519") != 0) v++;
  from_hex(v->message, message, &n);
  CHECK(ntsgw_cbor_envelope(message, (uint32_t)n, 18, &e));
  end = (uint32_t)e.piece[NTSGW_CONTENT].n;
  memcpy(p, e.piece[NTSGW_CONTENT].p, end);
  EQ(p[0], 0x58);
  p[2]++; /* the map has an item more */
  memcpy(p + end, with_one, sizeof with_one);
  CHECK(ntsgw_cbor_claims(p, end + sizeof with_one, NTSGW_CLAIMS_BEACON, &c));
  memcpy(p + end, with_more, sizeof with_more);
  CHECK(!ntsgw_cbor_claims(p, end + sizeof with_more, NTSGW_CLAIMS_BEACON, &c));
}

static void test_before_evidence(void) {
  static bench b;
  ntsgw_bounds iv;
  int64_t x = 77;
  ntsgw_monotonic mono = {0};
  bench_new(&b, 1, 0);
  EQ(ntsgw_now(&b.node, 5, &x), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_bound(&b.node, 5, &x), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_interval_tai(&b.node, 5, &iv, 0), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_interval_utc(&b.node, 5, &iv), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_monotonic_now(&b.node, &mono, 5, &x, 0), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_state(&b.node, 5), NTSGW_NOTHING_KNOWN);
  EQ(ntsgw_exchange_in(&b.node, 5, S), 0);
  EQ(x, 77);
  EQ(ntsgw_alarm(&b.node), 0);
}

static void test_beacon_raises_only(void) {
  static bench b;
  ntsgw_bounds iv;
  int64_t x;
  bench_new(&b, 1, 0);
  EQ(give_beacon(&b, 0, T0, MS, 1000), NTSGW_E_UNKNOWN_KID);
  EQ(give_key(&b, 0, 1, T0 - S, T0 + 1000 * S), NTSGW_OK);
  EQ(give_key(&b, 0, 1, T0 - S, T0 + 1000 * S), NTSGW_ADDS_NOTHING);
  EQ(give_beacon(&b, 0, T0, MS, 1000), NTSGW_OK);
  EQ(ntsgw_interval_tai(&b.node, 1000, &iv, 0), NTSGW_OK);
  EQ(iv.lo, TAI0 - MS);
  EQ(iv.hi, INT64_MAX);
  EQ(ntsgw_now(&b.node, 1000, &x), NTSGW_E_NO_UPPER_BOUND);
  EQ(ntsgw_state(&b.node, 1000), NTSGW_LOWER_BOUND);
  /* 1 s later: one count less, and 20 ppm of it less, rounded down. */
  EQ(ntsgw_interval_tai(&b.node, 1001000, &iv, 0), NTSGW_OK);
  EQ(iv.lo, TAI0 - MS + 999999000 - 20001);
  /* A replay adds nothing. */
  EQ(give_beacon(&b, 0, T0, MS, 2001000), NTSGW_ADDS_NOTHING);
  EQ(b.s.kept, 2);
  EQ(b.s.floor[0], (TAI0 - MS) / S);
}

static void test_exchange(void) {
  static bench b;
  ntsgw_monotonic mono = {0};
  ntsgw_bounds iv;
  int64_t x, w;
  bench_new(&b, 1, 0);
  EQ(ask(&b, 0, 1000000, T0, MS, 500000, 1010000), NTSGW_OK);
  EQ(ntsgw_interval_tai(&b.node, 1010000, &iv, 0), NTSGW_OK);
  EQ(iv.lo, TAI0 - MS);
  /* (m4 - m1 + 1 count)(1 + rho) - turnaround + E, rounded up. */
  EQ(iv.hi, TAI0 + MS - 500000 + 10001000 + 201);
  EQ(ntsgw_now(&b.node, 1010000, &x), NTSGW_OK);
  EQ(x, T0 + (10001000 + 201 - 500000) / 2); /* the middle of the way */
  EQ(ntsgw_bound(&b.node, 1010000, &w), NTSGW_OK);
  EQ(w, iv.hi - 37 * S - x > x - (iv.lo - 37 * S) ? iv.hi - 37 * S - x : x - (iv.lo - 37 * S));
  EQ(ntsgw_state(&b.node, 1010000), NTSGW_BOUNDED);
  EQ(b.s.settimes, 1);
  EQ(b.s.time, x);
  EQ(b.s.bound, w);
  /* Due when the width reaches the limit: (W - w0) / 2 rho. */
  EQ(ntsgw_exchange_in(&b.node, 1010000, iv.hi - iv.lo), 0);
  EQ(ntsgw_exchange_in(&b.node, 1010000, iv.hi - iv.lo + 144 * MS), 144 * MS * 1000 / (2 * 20001));
  /* A reader whose reading is older than the answer, as one's is who was interrupted by it: the lower
   * end is not known there, so there is no number. */
  EQ(ntsgw_interval_tai(&b.node, 1005000, &iv, 0), NTSGW_OK);
  EQ(iv.lo, INT64_MIN);
  CHECK(iv.hi != INT64_MAX);
  x = w = 77;
  EQ(ntsgw_now(&b.node, 1005000, &x), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_bound(&b.node, 1005000, &w), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_monotonic_now(&b.node, &mono, 1005000, &x, 0), NTSGW_E_NO_EVIDENCE);
  EQ(ntsgw_state(&b.node, 1005000), NTSGW_NOTHING_KNOWN);
  EQ(x, 77);
  EQ(w, 77);
  /* Older than what is held: refused, and nothing changed. */
  EQ(ask(&b, 0, 1000, T0, MS, 500000, 1010000), NTSGW_E_CLOCK);
}

static void test_response_refusals(void) {
  static bench b;
  test_statement s = {.utc = T0, .error = MS, .tai_utc = 37, .turnaround = 1, .serial = 1};
  test_message m;
  uint8_t out[NTSGW_REQUEST_MAX], first[16];
  size_t n;
  bench_new(&b, 1, 0);
  response(&m, &b.g[0], &s);
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 10), NTSGW_E_NO_NONCE); /* before any request */
  EQ(ntsgw_request(&b.node, 0, 100, out, &n), NTSGW_OK);
  nonce_of(out, first);
  EQ(ntsgw_request(&b.node, 0, 200, out, &n), NTSGW_OK);
  memcpy(s.nonce, first, 16);
  response(&m, &b.g[0], &s);
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 300), NTSGW_E_NO_NONCE); /* to the one before */
  nonce_of(out, s.nonce);
  b.g[0].node_key[0] ^= 1;
  response(&m, &b.g[0], &s);
  b.g[0].node_key[0] ^= 1;
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 300), NTSGW_E_BAD_SIGNATURE);
  b.g[0].generation = 2;
  response(&m, &b.g[0], &s);
  b.g[0].generation = 1;
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 300), NTSGW_E_UNKNOWN_KID);
  b.g[0].node = "node-8";
  response(&m, &b.g[0], &s);
  b.g[0].node = "node-7";
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 300), NTSGW_E_BAD_SIGNATURE);
  response(&m, &b.g[0], &s);
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 200 + 10001000), NTSGW_E_LATE);
  EQ(ntsgw_request(&b.node, 0, 200 + 20000000, out, &n), NTSGW_OK);
  nonce_of(out, s.nonce);
  response(&m, &b.g[0], &s);
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 200 + 20000100), NTSGW_OK);
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 200 + 20000200), NTSGW_E_NO_NONCE); /* once only */
}

static void test_rotation(void) {
  static bench b;
  bench_new(&b, 1, 0);
  EQ(give_key(&b, 0, 5, T0 - S, T0 + 1000 * S), NTSGW_OK);
  EQ(b.s.serial[0], 5);
  EQ(give_key(&b, 0, 4, T0 - S, T0 + 1000 * S), NTSGW_E_OLD_SERIAL);
  EQ(give_beacon(&b, 0, T0 - 2 * S, MS, 1), NTSGW_E_OUTSIDE_VALIDITY);
  EQ(give_beacon(&b, 0, T0 + 1000 * S + 1, MS, 1), NTSGW_E_OUTSIDE_VALIDITY);
  EQ(give_beacon(&b, 0, T0, MS, 1), NTSGW_OK);
  /* An answer names a newer one: the old counts no more, and that it is withheld is said. */
  b.g[0].serial = 6;
  EQ(ask(&b, 0, 10, T0, MS, 1, 1000), NTSGW_OK);
  EQ(ntsgw_alarm(&b.node), NTSGW_ALARM_WITHHELD);
  EQ(b.s.serial[0], 6);
  EQ(give_beacon(&b, 0, T0 + S, MS, 1000000), NTSGW_E_UNKNOWN_KID);
  EQ(give_key(&b, 0, 5, T0 - S, T0 + 1000 * S), NTSGW_E_OLD_SERIAL);
  EQ(give_key(&b, 0, 6, T0 - S, T0 + 1000 * S), NTSGW_OK);
  EQ(ntsgw_alarm(&b.node), 0);
  /* Reboot: the serial comes back from flash. */
  EQ(ntsgw_init(&b.node, &b.config, b.who, b.state, 1), NTSGW_OK);
  EQ(ntsgw_restore(&b.node, 0, b.s.serial[0], b.s.floor[0]), NTSGW_OK);
  EQ(give_key(&b, 0, 5, T0 - S, T0 + 1000 * S), NTSGW_E_OLD_SERIAL);
}

static void test_floor(void) {
  static bench b;
  bench_new(&b, 1, 0);
  EQ(give_key(&b, 0, 1, T0 - S, T0 + 10 * 86400 * S), NTSGW_OK);
  EQ(give_beacon(&b, 0, T0, MS, 1), NTSGW_OK);
  EQ(b.s.kept, 2);
  EQ(give_beacon(&b, 0, T0 + 86398 * S, MS, 86398000000), NTSGW_OK); /* not yet a day */
  EQ(b.s.kept, 2);
  EQ(give_beacon(&b, 0, T0 + 86400 * S, MS, 86400000000), NTSGW_OK);
  EQ(b.s.kept, 3);
  EQ(b.s.floor[0], (TAI0 + 86400 * S - MS) / S);
  /* After a reboot an old beacon is refused, and an answer before the floor alarms. */
  EQ(ntsgw_init(&b.node, &b.config, b.who, b.state, 1), NTSGW_OK);
  EQ(ntsgw_restore(&b.node, 0, b.s.serial[0], b.s.floor[0]), NTSGW_OK);
  EQ(give_key(&b, 0, 1, T0 - S, T0 + 10 * 86400 * S), NTSGW_OK);
  EQ(give_beacon(&b, 0, T0, MS, 1), NTSGW_E_BELOW_FLOOR);
  EQ(ntsgw_alarm(&b.node), 0);
  EQ(ask(&b, 0, 10, T0, MS, 1, 1000), NTSGW_E_BELOW_FLOOR);
  EQ(ntsgw_alarm(&b.node), NTSGW_ALARM_FLOOR);
  EQ(ntsgw_state(&b.node, 1000), NTSGW_NOTHING_KNOWN);
  ntsgw_alarm_clear(&b.node);
  EQ(ntsgw_alarm(&b.node), 0);
  /* Never later than the key's end: a stolen key can't poison it for longer. */
  EQ(give_key(&b, 0, 2, T0, T0 + 20 * 86400 * S), NTSGW_OK);
  EQ(give_beacon(&b, 0, T0 + 20 * 86400 * S, 0, 2000), NTSGW_OK);
  EQ(b.s.floor[0], TAI0 / S + 20 * 86400);
}

static void test_contradiction(void) {
  static bench b;
  ntsgw_bounds iv;
  ntsgw_span lower, upper;
  uint16_t generation = 9;
  bench_new(&b, 1, 0);
  EQ(give_key(&b, 0, 1, T0 - S, T0 + 1000 * S), NTSGW_OK);
  EQ(ask(&b, 0, 0, T0, MS, 0, 1000), NTSGW_OK);
  EQ(ntsgw_interval_tai(&b.node, 1000, &iv, &generation), NTSGW_OK);
  EQ(generation, 0);
  EQ(give_beacon(&b, 0, T0 + S, MS, 2000), NTSGW_E_CONTRADICTION); /* a second later within a millisecond */
  EQ(ntsgw_alarm(&b.node), NTSGW_ALARM_CONTRADICTION);
  EQ(ntsgw_interval_tai(&b.node, 2000, &iv, &generation), NTSGW_E_NO_EVIDENCE);
  EQ(generation, 1);
  ntsgw_evidence(&b.node, 0, &lower, &upper);
  CHECK(lower.n > 100 && lower.p[0] == 0xd2);
  CHECK(upper.n > 80 && upper.p[0] == 0xd1);
  /* Later messages don't overwrite the evidence; a new interval begins. */
  EQ(ask(&b, 0, 3000, T0, MS, 0, 4000), NTSGW_OK);
  ntsgw_evidence(&b.node, 0, &lower, &upper);
  CHECK(lower.p[0] == 0xd2);
  ntsgw_alarm_clear(&b.node);
  ntsgw_evidence(&b.node, 0, &lower, &upper);
  EQ(lower.n + upper.n, 0);
  /* An answer that claims to have taken longer than it did contradicts itself. */
  EQ(ask(&b, 0, 5000, T0 + MS, 1000, 900 * MS, 6000), NTSGW_E_CONTRADICTION);
  ntsgw_evidence(&b.node, 0, &lower, &upper);
  EQ(lower.n, upper.n);
}

static void test_discontinuity(void) {
  static bench b;
  ntsgw_bounds iv;
  test_statement s = {.utc = T0, .error = MS, .tai_utc = 37, .serial = 1};
  test_message m;
  uint8_t out[NTSGW_REQUEST_MAX];
  size_t n;
  bench_new(&b, 1, 0);
  EQ(ask(&b, 0, 1000000, T0, MS, 0, 1010000), NTSGW_OK);
  EQ(ntsgw_request(&b.node, 0, 2000000, out, &n), NTSGW_OK);
  nonce_of(out, s.nonce);
  EQ(ntsgw_interval_tai(&b.node, 2000000, &iv, 0), NTSGW_OK);
  ntsgw_discontinuity(&b.node);
  {
    ntsgw_bounds after;
    EQ(ntsgw_interval_tai(&b.node, 17, &after, 0), NTSGW_OK); /* the clock began anew */
    EQ(after.lo, iv.lo);
    EQ(after.hi, INT64_MAX);
    EQ(ntsgw_interval_tai(&b.node, 5000017, &after, 0), NTSGW_OK); /* not anchored yet: it stands */
    EQ(after.lo, iv.lo);
  }
  response(&m, &b.g[0], &s);
  EQ(ntsgw_feed_response(&b.node, 0, m.b, m.n, 100), NTSGW_E_NO_NONCE);
  EQ(ntsgw_request(&b.node, 0, 200, out, &n), NTSGW_OK); /* anchors */
  {
    ntsgw_bounds after;
    EQ(ntsgw_interval_tai(&b.node, 200 + 1000001, &after, 0), NTSGW_OK);
    EQ(after.lo, iv.lo + S - 20001);
  }
}

static void test_hull(void) {
  ntsgw_bounds of[8] = {{INT64_MIN, INT64_MAX}, {5, INT64_MAX}, {3, 9}}, out;
  /* The classical counterexample to Marzullo's best intersection: with f = 1 of 3,
   * the smaller overlap may exclude the truth; the hull of all 2-covers doesn't. */
  ntsgw_bounds three[3] = {{8, 12}, {11, 13}, {14, 15}};
  EQ(ntsgw_hull(three, 3, 2, &out), 1);
  EQ(out.lo, 11);
  EQ(out.hi, 12);
  three[1].hi = 14; /* now the third touches the second */
  EQ(ntsgw_hull(three, 3, 2, &out), 1);
  EQ(out.lo, 11);
  EQ(out.hi, 14);
  EQ(ntsgw_hull(three, 3, 3, &out), 0);
  EQ(out.lo, INT64_MIN);
  EQ(out.hi, INT64_MAX);
  EQ(ntsgw_hull(of, 3, 2, &out), 1);
  EQ(out.lo, 3);
  EQ(out.hi, INT64_MAX);
  EQ(ntsgw_hull(of, 3, 3, &out), 1);
  EQ(out.lo, 5);
  EQ(out.hi, 9);
  /* Against a count of every integer point. */
  srand(1);
  for (int round = 0; round < 20000; round++) {
    int n = 1 + rand() % 7, need = 1 + rand() % n, best_lo = 99, best_hi = -99;
    for (int i = 0; i < n; i++) {
      of[i].lo = rand() % 20;
      of[i].hi = of[i].lo + rand() % 8;
    }
    for (int t = 0; t < 40; t++) {
      int c = 0;
      for (int i = 0; i < n; i++) c += of[i].lo <= t && t <= of[i].hi;
      if (c >= need) {
        if (t < best_lo) best_lo = t;
        best_hi = t;
      }
    }
    EQ(ntsgw_hull(of, n, need, &out), best_lo != 99);
    if (best_lo != 99) {
      EQ(out.lo, best_lo);
      EQ(out.hi, best_hi);
    }
  }
}

static void test_several_gateways(void) {
  static bench b;
  ntsgw_bounds iv;
  ntsgw_span lower, upper;
  int i;
  bench_new(&b, 3, 1);
  for (i = 0; i < 3; i++) EQ(give_key(&b, i, 1, T0 - S, T0 + 1000 * S), NTSGW_OK);
  EQ(ask(&b, 0, 0, T0, MS, 0, 1000), NTSGW_OK);
  EQ(ntsgw_interval_tai(&b.node, 1000, &iv, 0), NTSGW_E_NO_EVIDENCE); /* one of three proves nothing */
  EQ(ask(&b, 1, 1000, T0 + 2 * MS, MS, 0, 2000), NTSGW_OK);
  EQ(ntsgw_interval_tai(&b.node, 2000, &iv, 0), NTSGW_OK);
  CHECK(iv.lo <= TAI0 + 2 * MS && iv.hi >= TAI0 + 2 * MS);
  EQ(ask(&b, 2, 2000, T0 + 3600 * S, MS, 0, 3000), NTSGW_OK); /* the third lies by an hour */
  EQ(ntsgw_interval_tai(&b.node, 3000, &iv, 0), NTSGW_OK);
  CHECK(iv.hi < TAI0 + S);
  EQ(ntsgw_alarm(&b.node), 0);
  /* Two liars that disagree: no point covered by two. Everything is forgotten, with evidence. */
  bench_new(&b, 3, 1);
  for (i = 0; i < 3; i++) EQ(give_key(&b, i, 1, T0 - S, T0 + 1000 * S), NTSGW_OK);
  for (i = 0; i < 2; i++) EQ(ask(&b, i, (uint64_t)i * 1000, T0 + i * 3600 * S, MS, 0, (uint64_t)i * 1000 + 1000), NTSGW_OK);
  EQ(ask(&b, 2, 2000, T0 + 7200 * S, MS, 0, 3000), NTSGW_E_CONTRADICTION);
  EQ(ntsgw_alarm(&b.node), NTSGW_ALARM_CONTRADICTION);
  EQ(ntsgw_interval_tai(&b.node, 3000, &iv, 0), NTSGW_E_NO_EVIDENCE);
  ntsgw_evidence(&b.node, 1, &lower, &upper);
  CHECK(lower.n > 0 && upper.n > 0);
  b.config.faults = 2;
  EQ(ntsgw_init(&b.node, &b.config, b.who, b.state, 3), NTSGW_E_ARGUMENT);
}

static int64_t unix_of(int year, int month, int day) {
  struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
  return (int64_t)timegm(&tm);
}

static int32_t month_of(int64_t utc) { return ntsgw_month(&utc, 0); }

static int64_t utc_of(int64_t tai, int upper, const ntsgw_leaps *r) {
  ntsgw_utc(&tai, upper ? 1 : -1, r);
  return tai;
}

static void test_months(void) {
  int32_t day;
  for (day = -17; day < 53000; day++) {
    struct tm tm;
    time_t s = (time_t)day * 86400;
    gmtime_r(&s, &tm);
    EQ(month_of(s * S), (tm.tm_year - 68) * 12 + tm.tm_mon);
    EQ(month_of((s + 86400) * S - 1), (tm.tm_year - 68) * 12 + tm.tm_mon);
  }
}

/* The rule written down plainly, by the C library's calendar, for every hour of
 * some years around records of every month. */
static int64_t plain_utc(int64_t tai, int upper, int year, int month, int leap, int error_s) {
  int64_t end = unix_of(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) * S;
  int64_t begin = unix_of(year, month, 1) * S;
  int64_t s = tai - 37 * S, known = leap == 2 ? 0 : leap, out = upper ? S : -S, n = 0;
  int64_t record = year * 12 + month - 1, now;
  int late = s - (known > 0 && !upper ? 0 : known * S) >= end, i;
  if (late) s -= known * S;
  for (i = 0; (late || s < begin) && i < 2; i++) {
    time_t at = (time_t)((s + (i ? out * (n + 1) : 0)) / S);
    struct tm tm;
    gmtime_r(&at, &tm);
    now = (tm.tm_year + 1900) * 12 + tm.tm_mon;
    now = now / 6 - record / 6;
    if (now < 0) now = -now;
    if (now > n) n = now;
  }
  if (late && n > 0 && leap != 2 && record % 6 == 5) n--;
  if (leap == 2) n += error_s > 1 ? error_s : 1;
  return s + out * n;
}

static void test_utc_everywhere(void) {
  int year, month, leap, up, hour;
  for (year = 2026; year < 2029; year++) {
    for (month = 1; month <= 12; month++) {
      for (leap = -1; leap <= 2; leap++) {
        ntsgw_leaps r = {.tai_utc = 37, .leap = leap, .error_s = 3};
        int64_t base = unix_of(year, month, 15) * S, near;
        r.month = month_of(base);
        for (hour = -24 * 800; hour < 24 * 800; hour += 7) {
          for (up = 0; up < 2; up++) {
            int64_t t = base + hour * 3600 * S + 37 * S + 1;
            EQ(utc_of(t, up, &r), plain_utc(t, up, year, month, leap, 3));
          }
        }
        for (near = -4 * S; near <= 4 * S; near += S / 2) { /* and around every boundary */
          for (hour = 0; hour < 30; hour++) {
            int y = year - 1 + hour / 12, mo = hour % 12 + 1;
            int64_t t = unix_of(y, mo, 1) * S + 37 * S + near;
            for (up = 0; up < 2; up++) EQ(utc_of(t, up, &r), plain_utc(t, up, year, month, leap, 3));
          }
        }
      }
    }
  }
}

static void test_utc(void) {
  ntsgw_leaps r = {.tai_utc = 37};
  int64_t september = unix_of(2026, 9, 10) * S, december = unix_of(2026, 12, 31) * S, january = unix_of(2027, 1, 2) * S;
  int64_t year_end = unix_of(2027, 1, 1) * S, june = unix_of(2026, 6, 10) * S, long_ago = unix_of(2025, 12, 10) * S;
  int up;
  for (up = 0; up < 2; up++) {
    int64_t out = up ? 1 : -1;
    r.month = month_of(september);
    r.leap = 0;
    EQ(utc_of(september + 37 * S + 5, up, &r), september + 5);
    EQ(utc_of(december + 37 * S, up, &r), december);
    EQ(utc_of(january + 37 * S, up, &r), january + out * S);               /* one end between */
    EQ(utc_of(june + 37 * S, up, &r), june + out * S);                     /* backwards over June's */
    EQ(utc_of(long_ago + 37 * S, up, &r), long_ago + out * 2 * S);         /* over June's and December's */
    EQ(utc_of(unix_of(2029, 1, 2) * S + 37 * S, up, &r), unix_of(2029, 1, 2) * S + out * 5 * S);
    r.leap = 2; /* unknown: a second more at least, and this is no June or December */
    EQ(utc_of(september + 37 * S, up, &r), september + out * S);
    r.error_s = 7;
    EQ(utc_of(september + 37 * S, up, &r), september + out * 7 * S);
    r.error_s = 0;
    r.month = month_of(december);
    EQ(utc_of(january + 37 * S, up, &r), january + out * 2 * S); /* its own end, and unknown */
    r.leap = 1;
    EQ(utc_of(year_end + 37 * S - 1, up, &r), year_end - 1);
    EQ(utc_of(january + 38 * S, up, &r), january);
    EQ(utc_of(year_end + 38 * S, up, &r), year_end);
    r.leap = -1;
    EQ(utc_of(year_end + 36 * S - 1, up, &r), year_end - S - 1);
    EQ(utc_of(year_end + 36 * S, up, &r), year_end);
    r.leap = 0;
    EQ(utc_of(january + 37 * S, up, &r), january); /* known not to leap at its own end */
  }
  r.leap = 1; /* inside the inserted second: outward */
  EQ(utc_of(year_end + 37 * S + 5, 0, &r), year_end - S + 5);
  EQ(utc_of(year_end + 37 * S + 5, 1, &r), year_end + 5);
  EQ(utc_of(INT64_MIN, 0, &r), INT64_MIN);
  EQ(utc_of(INT64_MAX, 1, &r), INT64_MAX);
}

static void test_nonces(void) {
  static bench b;
  uint8_t out[NTSGW_REQUEST_MAX], seen[300][16];
  size_t n, i, j;
  bench_new(&b, 1, 0);
  for (i = 0; i < 300; i++) {
    if (i == 200) { /* reboot, and the random source gives what it gave before */
      ntsgw_init(&b.node, &b.config, b.who, b.state, 1);
      b.s.random = 0;
    }
    EQ(ntsgw_request(&b.node, 0, i, out, &n), NTSGW_OK);
    nonce_of(out, seen[i]);
    for (j = 0; j < i; j++) CHECK(memcmp(seen[i], seen[j], 16) != 0);
  }
  CHECK(b.s.next >= 300);
  b.s.reserve_fails = b.s.random_fails = 1;
  ntsgw_init(&b.node, &b.config, b.who, b.state, 1);
  EQ(ntsgw_request(&b.node, 0, 1, out, &n), NTSGW_E_NO_RANDOM);
  b.s.random_fails = 0;
  EQ(ntsgw_request(&b.node, 0, 1, out, &n), NTSGW_OK);
  b.who[0].node_key = 0;
  EQ(ntsgw_request(&b.node, 0, 1, out, &n), NTSGW_E_NO_KEY);
}

static void test_request_bytes(void) {
  static bench b;
  uint8_t out[NTSGW_REQUEST_MAX], key[32];
  uint8_t want[128];
  size_t n, k;
  size_t i, count = sizeof vector_messages / sizeof *vector_messages;
  bench_new(&b, 1, 0);
  /* The largest request fits, and telemetry is there once there is an interval. */
  EQ(ask(&b, 0, 0, T0, 65000 * S, 0, 1000), NTSGW_OK);
  EQ(ntsgw_request(&b.node, 0, 2000, out, &n), NTSGW_OK);
  EQ(n <= NTSGW_REQUEST_MAX, 1);
  /* The bytes are those of the vector with the same nonce, which Go's decoder takes. */
  bench_new(&b, 1, 0);
  from_hex(vector_node_keys[0].key, key, &k);
  b.who[0].gateway = VECTOR_GATEWAY;
  b.who[0].node = VECTOR_NODE;
  b.who[0].node_key = key;
  b.who[0].generation = vector_node_keys[0].generation;
  for (i = 0; i < count; i++) {
    if (strcmp(vector_messages[i].name, "request") != 0) continue;
    EQ(ntsgw_request(&b.node, 0, 1, out, &n), NTSGW_OK);
    from_hex(vector_messages[i].message, want, &k);
    EQ(n, k);
    CHECK(memcmp(out, want, 17) == 0); /* up to the nonce */
  }
}

static void test_topics(void) {
  static bench b;
  char topic[NTSGW_TOPIC_MAX];
  int g = -1;
  bench_new(&b, 2, 0);
  EQ(ntsgw_topic(&b.node, 1, NTSGW_REQUEST, topic), 20);
  CHECK(strcmp(topic, "ntsgw/gw2/req/node-7") == 0);
  ntsgw_topic(&b.node, 0, NTSGW_BEACON, topic);
  CHECK(strcmp(topic, "ntsgw/gw1/beacon") == 0);
  EQ(ntsgw_match(&b.node, "ntsgw/gw2/resp/node-7", 21, &g), NTSGW_RESPONSE);
  EQ(g, 1);
  EQ(ntsgw_match(&b.node, "ntsgw/gw1/key", 13, &g), NTSGW_DELEGATION);
  EQ(g, 0);
  EQ(ntsgw_match(&b.node, "ntsgw/gw1/status", 16, &g), NTSGW_OTHER);
  b.who[0].root_alg = NTSGW_ES256;
  ntsgw_topic(&b.node, 0, NTSGW_BEACON, topic);
  CHECK(strcmp(topic, "ntsgw/gw1/beacon-es256") == 0);
  b.who[0].gateway = b.who[0].node = "abcdefgh-1234567";
  EQ(ntsgw_topic(&b.node, 0, NTSGW_RESPONSE, topic), 44);
  b.who[0].gateway = "Upper";
  EQ(ntsgw_init(&b.node, &b.config, b.who, b.state, 1), NTSGW_E_ARGUMENT);
  b.who[0].gateway = "seventeen-letters";
  EQ(ntsgw_init(&b.node, &b.config, b.who, b.state, 1), NTSGW_E_ARGUMENT);
}

static void test_ticks(void) {
  ntsgw_ticks t = {0};
  uint64_t want = 0, last = 0;
  int i;
  for (i = 0; i < 100; i++) {
    want += 1000000007u;
    EQ(ntsgw_ticks_extend(&t, (uint32_t)want), want);
    CHECK(t.value > last);
    last = t.value;
  }
  EQ(ntsgw_ticks_extend(&t, (uint32_t)want), want);
  /* Near the end of 64 bits of nanoseconds and near 0 nothing overflows. */
  {
    ntsgw_config r = {0, 1000000, 1000000, NTSGW_RHO_MAX, 0, 0, 0, 0, 0, 0, 0};
    ntsgw_interval v = {{TAI0, 0}, {TAI0 + S, 0}};
    ntsgw_bounds out;
    uint64_t m;
    m = UINT64_MAX;
    ntsgw_at(&v, &m, &r, &out);
    EQ(out.lo, NTSGW_TIME_MAX);
    EQ(out.hi, INT64_MAX);
    m = 0;
    ntsgw_at(&v, &m, &r, &out);
    EQ(out.lo, TAI0);
    v.lo.at = v.hi.at = UINT64_MAX;
    m = 5;
    ntsgw_at(&v, &m, &r, &out);
    EQ(out.lo, INT64_MIN);
    EQ(out.hi, INT64_MAX);
  }
}

static void test_monotonic(void) {
  static bench b;
  ntsgw_monotonic mono = {0};
  int64_t x, last, e;
  int inside, met = 0;
  uint64_t m = 1000;
  bench_new(&b, 1, 0);
  EQ(ask(&b, 0, 0, T0 + S, 2 * S, 0, m), NTSGW_OK); /* off by a second, and says so */
  EQ(ntsgw_monotonic_now(&b.node, &mono, m, &last, &inside), NTSGW_OK);
  EQ(inside, 1);
  EQ(ask(&b, 0, m, T0, MS, 0, m + 1000), NTSGW_OK); /* now exact: the estimate went back */
  m += 1000;
  EQ(ntsgw_monotonic_now(&b.node, &mono, m, &x, &inside), NTSGW_OK);
  EQ(inside, 0);
  CHECK(x >= last);
  while (m < 4000000) {
    m += 10000;
    EQ(ntsgw_monotonic_now(&b.node, &mono, m, &x, &inside), NTSGW_OK);
    EQ(ntsgw_now(&b.node, m, &e), NTSGW_OK);
    CHECK(x >= last);
    CHECK(x >= e);
    met |= x == e;
    last = x;
  }
  CHECK(met);
  EQ(inside, 1);
}

/* A Wi-Fi path: exponential about a median, with a tail now and then. ns, one way. */
static int64_t wifi(uint64_t *seed) {
  double u, v;
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  u = (double)(*seed >> 11) / 9007199254740992.0;
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  v = (double)(*seed >> 11) / 9007199254740992.0;
  /* 1.5 ms at least; round trips have a median of about 8 ms, and one way in twenty takes 20 to 220 ms more. */
  return (int64_t)(1.5e6 + 3.2e6 * -log(1 - u) + (v < 0.05 ? 2e7 + v * 4e9 : 0));
}

static int by_size(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Two days over Wi-Fi with a crystal 17 ppm off: an exchange in ten minutes, a beacon
 * in 16 s. The truth is inside at every reading; how far the estimate is off is
 * measured. */
static void test_accuracy(void) {
  static bench b;
  static int64_t off[200000], width[200000];
  uint64_t seed = 42;
  int64_t t, outside = 0, rtts[400];
  size_t n = 0, asked = 0;
  bench_new(&b, 1, 0);
  EQ(give_key(&b, 0, 1, T0 - S, T0 + 5 * 86400 * S), NTSGW_OK);
#define LOCAL(t) ((uint64_t)(((t) + (t) / 1000000 * 17) / 1000))
  for (t = 0; t < 2 * 86400 * S; t += 4 * S) {
    int64_t x, w;
    if (t % (600 * S) == 0) {
      int64_t there = wifi(&seed), back = wifi(&seed);
      ask(&b, 0, LOCAL(t), T0 + t + there + 200000, 20000, 190000, LOCAL(t + there + 200000 + back));
      if (asked < 400) rtts[asked++] = there + back;
    } else if (t % (16 * S) == 0) {
      int64_t way = wifi(&seed);
      give_beacon(&b, 0, T0 + t, 20000, LOCAL(t + way));
    } else if (ntsgw_now(&b.node, LOCAL(t), &x) == NTSGW_OK && ntsgw_bound(&b.node, LOCAL(t), &w) == NTSGW_OK) {
      ntsgw_bounds iv;
      ntsgw_interval_utc(&b.node, LOCAL(t), &iv);
      outside += T0 + t < iv.lo || T0 + t > iv.hi;
      off[n] = x > T0 + t ? x - T0 - t : T0 + t - x;
      outside += off[n] > w;
      width[n++] = (iv.hi - iv.lo) / 2;
    }
  }
  EQ(outside, 0);
  EQ(ntsgw_alarm(&b.node), 0);
  qsort(off, n, sizeof *off, by_size);
  qsort(width, n, sizeof *width, by_size);
  qsort(rtts, asked, sizeof *rtts, by_size);
  printf("  over Wi-Fi (median round trip %.1f ms): estimate off by %.2f ms median, %.2f ms p95; half-width %.1f ms p95\n",
         (double)rtts[asked / 2] / 1e6, (double)off[n / 2] / 1e6, (double)off[n * 95 / 100] / 1e6, (double)width[n * 95 / 100] / 1e6);
  CHECK(off[n * 95 / 100] <= 5 * MS);
  CHECK(width[n * 95 / 100] <= 25 * MS);
}

static void test_retry(void) {
  static bench b;
  uint8_t out[NTSGW_REQUEST_MAX];
  size_t n;
  uint32_t i, low = 1000, ms;
  bench_new(&b, 1, 0);
  CHECK(ntsgw_retry_ms(&b.node, 0) < 16384);
  for (i = 0; i < 12; i++) {
    ntsgw_request(&b.node, 0, i, out, &n);
    ms = ntsgw_retry_ms(&b.node, 0);
    CHECK(ms >= low && ms <= 2 * low);
    if (low < 256000) low *= 2;
  }
}

/* Readers in an interrupt and in a second task, while evidence is applied: what
 * they see is always one of the published intervals, whole. */
static bench shared;
static volatile int stop;
static volatile long reads, torn, answered;

static void read_once(void) {
  ntsgw_bounds iv;
  /* Each published lo at reading 0 is TAI0 + k s with hi = lo + 2 s and some: see below. */
  if (ntsgw_interval_tai(&shared.node, 1000000000, &iv, 0) == NTSGW_OK) {
    answered++;
    if (iv.lo != INT64_MIN && iv.hi != INT64_MAX && (iv.hi - iv.lo > 3 * S || iv.hi < iv.lo)) torn++;
  }
  reads++;
}

static void interrupt(int sig) {
  (void)sig;
  read_once();
}

static void *second_task(void *arg) {
  (void)arg;
  while (!stop) read_once();
  return 0;
}

static void test_readers(void) {
  pthread_t task;
  struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
  int64_t k;
  bench_new(&shared, 1, 0);
  shared.config.rho_ppb = 0;
  shared.config.tick = 1;
  ntsgw_init(&shared.node, &shared.config, shared.who, shared.state, 1);
  stop = 0;
  reads = torn = answered = 0;
  signal(SIGALRM, interrupt);
  pthread_create(&task, 0, second_task, 0);
  setitimer(ITIMER_REAL, &often, 0);
  for (k = 0; k < 20000; k++) {
    ntsgw_gateway *gw = &shared.state[0];
    /* Straight to the views, faster than any message could come. */
    uint32_t to = (shared.node.version + 1u) & 1u;
    gw->view[to].interval.lo.tai = TAI0 + k * 3600 * S;
    gw->view[to].interval.lo.at = 1000000000;
    gw->view[to].interval.hi.tai = TAI0 + k * 3600 * S + 2 * S;
    gw->view[to].interval.hi.at = 1000000000;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    shared.node.version++;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
  }
  for (k = 0; k < 300; k++) { /* and through the front door */
    ask(&shared, 0, 1000000000 + (uint64_t)k, T0 + 20000 * 3600 * S, S, 0, 1000000000 + (uint64_t)k);
  }
  setitimer(ITIMER_REAL, &never, 0);
  stop = 1;
  pthread_join(task, 0);
  EQ(torn, 0);
  CHECK(answered > 0);
  printf("  %ld readings meanwhile\n", reads);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } tests[] = {
      {"vectors", test_vectors},
      {"hmac", test_hmac},
      {"damage", test_damage},
      {"long lengths", test_long_lengths},
      {"before evidence", test_before_evidence},
      {"a beacon raises only", test_beacon_raises_only},
      {"exchange", test_exchange},
      {"response refusals", test_response_refusals},
      {"rotation", test_rotation},
      {"floor", test_floor},
      {"contradiction", test_contradiction},
      {"discontinuity", test_discontinuity},
      {"hull", test_hull},
      {"several gateways", test_several_gateways},
      {"months", test_months},
      {"utc", test_utc},
      {"utc everywhere", test_utc_everywhere},
      {"nonces", test_nonces},
      {"request bytes", test_request_bytes},
      {"topics", test_topics},
      {"ticks", test_ticks},
      {"monotonic", test_monotonic},
      {"accuracy", test_accuracy},
      {"retry", test_retry},
      {"readers", test_readers},
  };
  size_t i;
  if (sodium_init() < 0) return 2;
  for (i = 0; i < sizeof tests / sizeof *tests; i++) {
    int before = failures;
    if (argc > 1 && strcmp(argv[1], tests[i].name) != 0) continue;
    test_name = tests[i].name;
    tests[i].run();
    printf("%s %s\n", failures == before ? "ok  " : "FAIL", tests[i].name);
  }
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
