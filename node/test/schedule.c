/* Plays the random adversarial schedules of downstream/beacon (its
 * testdata/README.md has the form) and compares results, states and intervals
 * with those of the Go reference, bit by bit: schedule FILE. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/ntsgw_node.h"

static FILE *in;

static void get(void *p, size_t n) {
  if (fread(p, 1, n, in) != n) {
    fprintf(stderr, "schedule: the stream ends in the middle of an event\n");
    exit(2);
  }
}

static uint64_t number(size_t n) {
  uint8_t b[8];
  uint64_t v = 0;
  size_t i;
  get(b, n);
  for (i = 0; i < n; i++) v = v << 8 | b[i];
  return v;
}

static uint64_t digest;

static void hash(const void *p, size_t n) {
  const uint8_t *b = p;
  while (n--) digest = (digest ^ *b++) * 1099511628211u;
}

static void hash64(uint64_t v, int n) {
  while (n--) {
    uint8_t b = (uint8_t)(v >> (8 * n));
    hash(&b, 1);
  }
}

/* Toy cryptography. */

static uint64_t toy_begin(const uint8_t *key, size_t key_n, const ntsgw_span *pieces, size_t n) {
  uint64_t h = 14695981039346656037u;
  size_t i, j;
  for (i = 0; i < key_n; i++) h = (h ^ key[i]) * 1099511628211u;
  for (i = 0; i < n; i++) {
    for (j = 0; j < pieces[i].n; j++) h = (h ^ pieces[i].p[j]) * 1099511628211u;
  }
  return h;
}

static void toy_stretch(uint64_t h, uint8_t *out, size_t n) {
  size_t i;
  int k;
  for (i = 0; i < n; i += 8) {
    uint64_t z = h += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    for (k = 0; k < 8; k++) out[i + (size_t)k] = (uint8_t)(z >> (56 - 8 * k));
  }
}

static void toy_hmac(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  toy_stretch(toy_begin(key, 32, pieces, n), out, 32);
}

static int toy_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n) {
  uint8_t want[64];
  toy_stretch(toy_begin(key, 32, pieces, n), want, 64);
  return memcmp(want, signature, 64) == 0;
}

#ifndef ED25519
#define ED25519 ntsgw_sodium_ed25519
#endif
int ED25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n);

static const ntsgw_crypto toy = {ntsgw_sodium_sha256, toy_hmac, toy_ed25519, 0};
static const ntsgw_crypto real = {ntsgw_sodium_sha256, ntsgw_sodium_hmac256, ED25519, ntsgw_bearssl_p256};

/* The node and what it stands in. */

static ntsgw_node node;
static ntsgw_gateway state[NTSGW_GATEWAYS_MAX];
static ntsgw_enrolment who[NTSGW_GATEWAYS_MAX];
static char names[NTSGW_GATEWAYS_MAX][2][256];
static uint8_t keys[NTSGW_GATEWAYS_MAX][32], roots[NTSGW_GATEWAYS_MAX][65];
static uint32_t kept[NTSGW_GATEWAYS_MAX][2];
static ntsgw_config config;
static uint8_t boot[16];
static int booted;
static uint64_t next_number;
static int gateways;

static int random_once(void *context, uint8_t *out, size_t n) {
  (void)context;
  if (booted || n != sizeof boot) return 0;
  memcpy(out, boot, n);
  booted = 1;
  return 1;
}

static int reserve(void *context, uint32_t count, uint64_t *first) {
  (void)context;
  *first = next_number;
  next_number += count;
  return 1;
}

static void keep(void *context, int gateway, uint32_t serial, uint32_t floor) {
  (void)context;
  kept[gateway][0] = serial;
  kept[gateway][1] = floor;
}

static void begin(void) {
  int i;
  memset(&config, 0, sizeof config);
  config.crypto = number(1) ? &toy : &real;
  gateways = (int)number(1);
  config.faults = (uint8_t)number(1);
  config.count_ns = (uint32_t)number(4);
  config.tick = (uint32_t)number(4);
  config.rho_ppb = (uint32_t)number(4);
  config.deadline_ms = (uint32_t)number(4);
  get(boot, sizeof boot);
  booted = 0;
  next_number = number(8);
  config.random = random_once;
  config.reserve = reserve;
  config.keep = keep;
  for (i = 0; i < gateways; i++) {
    int k;
    size_t n;
    for (k = 0; k < 2; k++) {
      n = number(1);
      get(names[i][k], n);
      names[i][k][n] = 0;
    }
    get(keys[i], 32);
    who[i].gateway = names[i][0];
    who[i].node = names[i][1];
    who[i].node_key = keys[i];
    who[i].generation = (uint32_t)number(4);
    who[i].root_alg = (int8_t)number(1);
    n = number(1);
    get(roots[i], n);
    who[i].root = n == 65 ? roots[i] + 1 : roots[i];
    {
      static const uint8_t okp[] = {0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20};
      static const uint8_t ec2[] = {0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20};
      static const uint8_t y[] = {0x22, 0x58, 0x20};
      ntsgw_span pieces[4] = {{n == 65 ? ec2 : okp, 8}, {who[i].root, 32}, {y, 3}, {who[i].root + 32, 32}};
      uint8_t thumbprint[32];
      ntsgw_sodium_sha256(pieces, n == 65 ? 4 : 2, thumbprint);
      memcpy(who[i].root_kid, thumbprint, 8);
    }
    kept[i][0] = (uint32_t)number(4);
    kept[i][1] = (uint32_t)number(4);
  }
  if (ntsgw_init(&node, &config, who, state, gateways) != NTSGW_OK) {
    fprintf(stderr, "schedule: ntsgw_init refuses the configuration\n");
    exit(2);
  }
  for (i = 0; i < gateways; i++) ntsgw_restore(&node, i, kept[i][0], kept[i][1]);
}

static void hash_state(uint64_t m) {
  ntsgw_bounds b = {INT64_MIN, INT64_MAX};
  uint16_t generation = 0;
  int i;
  ntsgw_interval_tai(&node, m, &b, &generation);
  hash64((uint64_t)b.lo, 8);
  hash64((uint64_t)b.hi, 8);
  hash64(generation, 2);
  hash64(ntsgw_alarm(&node), 1);
  for (i = 0; i < gateways; i++) {
    hash64(kept[i][0], 4);
    hash64(kept[i][1], 4);
  }
}

int main(int argc, char **argv) {
  long schedules = 0, wrong = 0, deliveries = 0, requests = 0, reads = 0;
  int event;
  if (argc != 2 || sodium_init() < 0 || !(in = strcmp(argv[1], "-") ? fopen(argv[1], "rb") : stdin)) {
    fprintf(stderr, "usage: schedule FILE\n");
    return 2;
  }
  digest = 14695981039346656037u;
  while ((event = getc(in)) != EOF) {
    static uint8_t message[65536];
    uint8_t request[NTSGW_REQUEST_MAX];
    uint64_t m;
    size_t n;
    int g, kind;
    switch (event) {
      case 1: begin(); break;
      case 2: {
        ntsgw_result r;
        uint8_t *copy; /* just as long as the message: reading past it is found */
        g = (int)number(1);
        kind = (int)number(1);
        m = number(8);
        n = number(2);
        get(message, n);
        copy = malloc(n ? n : 1);
        memcpy(copy, message, n);
        r = ntsgw_feed(&node, g, (ntsgw_kind)kind, copy, n, m);
        free(copy);
        hash64((uint64_t)(int64_t)r, 1);
        hash_state(m);
        deliveries++;
        break;
      }
      case 3:
        g = (int)number(1);
        m = number(8);
        n = 0;
        ntsgw_request(&node, g, m, request, &n);
        hash64(n, 1);
        hash(request, n);
        requests++;
        break;
      case 4: ntsgw_discontinuity(&node); break;
      case 5: {
        ntsgw_bounds b = {INT64_MIN, INT64_MAX};
        m = number(8);
        hash_state(m);
        ntsgw_interval_utc(&node, m, &b);
        hash64((uint64_t)b.lo, 8);
        hash64((uint64_t)b.hi, 8);
        hash64((uint64_t)ntsgw_state(&node, m), 1);
        reads++;
        break;
      }
      case 6: ntsgw_alarm_clear(&node); break;
      case 7:
        if (number(8) != digest) {
          if (++wrong <= 10) printf("schedule %ld differs\n", schedules);
        }
        schedules++;
        digest = 14695981039346656037u;
        break;
      default: fprintf(stderr, "schedule: event %d is not known\n", event); return 2;
    }
  }
  printf("%ld schedules, %ld deliveries, %ld requests, %ld readings: %ld differ from the reference\n", schedules, deliveries,
         requests, reads, wrong);
  return wrong != 0 || schedules == 0;
}
