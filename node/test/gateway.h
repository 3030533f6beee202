/* A gateway for tests: makes genuine messages, and any false ones that are asked
 * for. Keys are libsodium's; a message is built once, field by field. */
#ifndef TEST_GATEWAY_H
#define TEST_GATEWAY_H

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "../src/ntsgw_cbor.h"
#include "../src/ntsgw_node.h"

typedef struct {
  const char *id;
  const char *node;
  uint8_t root_public[32], root_secret[64];
  uint8_t online_public[32], online_secret[64];
  uint8_t node_key[32];
  uint32_t generation;
  uint32_t serial;
} test_gateway;

typedef struct {
  uint8_t b[512];
  size_t n;
} test_message;

static void put(test_message *m, const void *p, size_t n) {
  memcpy(m->b + m->n, p, n);
  m->n += n;
}

static void put_head(test_message *m, uint8_t major, uint32_t v) {
  uint8_t h[5];
  put(m, h, ntsgw_cbor_put(h, major, v));
}

static void put_bytes(test_message *m, const void *p, size_t n) {
  put_head(m, 2, (uint32_t)n);
  put(m, p, n);
}

static void put_text_item(test_message *m, const char *s) {
  put_head(m, 3, (uint32_t)strlen(s));
  put(m, s, strlen(s));
}

static void put_int(test_message *m, int v) { v < 0 ? put_head(m, 1, (uint32_t)(-1 - v)) : put_head(m, 0, (uint32_t)v); }

static void gateway_new(test_gateway *g, const char *id, const char *node, uint8_t seed) {
  uint8_t s[32];
  memset(g, 0, sizeof *g);
  g->id = id;
  g->node = node;
  memset(s, seed, sizeof s);
  crypto_sign_seed_keypair(g->root_public, g->root_secret, s);
  s[0] ^= 0x80;
  crypto_sign_seed_keypair(g->online_public, g->online_secret, s);
  memset(g->node_key, seed ^ 0x55, 32);
  g->generation = 1;
  g->serial = 1;
}

static void thumbprint(const uint8_t key[32], uint8_t kid[8]) {
  test_message m = {.n = 0};
  uint8_t h[32];
  put(&m, "\xa3\x01\x01\x20\x06\x21", 6);
  put_bytes(&m, key, 32);
  crypto_hash_sha256(h, m.b, m.n);
  memcpy(kid, h, 8);
}

/* seal wraps a payload: signed by secret (64 bytes), or with the node key when it is null. */
static void seal(test_message *out, const test_gateway *g, const char *kind, const uint8_t *secret, const uint8_t *public,
                 const test_message *payload) {
  test_message head = {.n = 0}, tbs = {.n = 0};
  char external[80];
  uint8_t kid[8], proof[64];
  put(&head, "\xa2\x01", 2);
  put_int(&head, secret ? -19 : 5);
  put(&head, "\x04", 1);
  if (secret) {
    thumbprint(public, kid);
    put_bytes(&head, kid, 8);
    snprintf(external, sizeof external, "ntsgw/1/%s/%s", kind, g->id);
  } else {
    uint8_t gen[4] = {(uint8_t)(g->generation >> 24), (uint8_t)(g->generation >> 16), (uint8_t)(g->generation >> 8),
                      (uint8_t)g->generation};
    put_bytes(&head, gen, 4);
    snprintf(external, sizeof external, "ntsgw/1/%s/%s/%s", kind, g->id, g->node);
  }
  put(&tbs, "\x84", 1);
  put_text_item(&tbs, secret ? "Signature1" : "MAC0");
  put_bytes(&tbs, head.b, head.n);
  put_bytes(&tbs, external, strlen(external));
  put_bytes(&tbs, payload->b, payload->n);
  out->n = 0;
  put(out, secret ? "\xd2\x84" : "\xd1\x84", 2);
  put_bytes(out, head.b, head.n);
  put(out, "\xa0", 1);
  put_bytes(out, payload->b, payload->n);
  if (secret) {
    crypto_sign_detached(proof, 0, tbs.b, tbs.n, secret);
    put_bytes(out, proof, 64);
  } else {
    crypto_auth_hmacsha256_state st;
    crypto_auth_hmacsha256_init(&st, g->node_key, 32);
    crypto_auth_hmacsha256_update(&st, tbs.b, tbs.n);
    crypto_auth_hmacsha256_final(&st, proof);
    put_bytes(out, proof, 32);
  }
}

/* What a beacon or a response says. */
typedef struct {
  int64_t utc; /* ns */
  int64_t error; /* ns */
  int leap, tai_utc;
  uint32_t sequence;
  uint8_t nonce[16];
  uint32_t turnaround, serial;
} test_statement;

static void put_statement(test_message *m, const test_statement *s) {
  put(m, "\x01\xd9\x03\xe9\xa3\x01", 6);
  put_head(m, 0, (uint32_t)(s->utc / 1000000000));
  put(m, "\x27\xa2\x01", 3);
  put_head(m, 0, (uint32_t)(s->error / 1000000000));
  put(m, "\x28", 1);
  put_head(m, 0, (uint32_t)(s->error % 1000000000));
  put(m, "\x28", 1);
  put_head(m, 0, (uint32_t)(s->utc % 1000000000));
  put(m, "\x02\x48\x01\x02\x03\x04\x05\x06\x07\x08", 10);
}

static void put_state(test_message *m, const test_statement *s) {
  put(m, "\x04\x01\x05\x02\x06", 5);
  put_int(m, s->leap);
  put(m, "\x07", 1);
  put_head(m, 0, (uint32_t)s->tai_utc);
}

static void beacon(test_message *out, const test_gateway *g, const test_statement *s) {
  test_message p = {.n = 0};
  put(&p, "\xa8", 1);
  put_statement(&p, s);
  put(&p, "\x03", 1);
  put_head(&p, 0, s->sequence);
  put_state(&p, s);
  put(&p, "\x08\x10", 2);
  seal(out, g, "beacon", g->online_secret, g->online_public, &p);
}

static void response(test_message *out, const test_gateway *g, const test_statement *s) {
  test_message p = {.n = 0};
  put(&p, "\xa9", 1);
  put_statement(&p, s);
  put_state(&p, s);
  put(&p, "\x09", 1);
  put_bytes(&p, s->nonce, 16);
  put(&p, "\x0a", 1);
  put_head(&p, 0, s->turnaround);
  put(&p, "\x0b", 1);
  put_head(&p, 0, s->serial);
  seal(out, g, "resp", 0, 0, &p);
}

static void delegation(test_message *out, const test_gateway *g, uint32_t serial, uint32_t not_before, uint32_t not_after) {
  test_message p = {.n = 0};
  put(&p, "\xa4\x01\xa3\x01\x01\x20\x06\x21", 8);
  put_bytes(&p, g->online_public, 32);
  put(&p, "\x02", 1);
  put_head(&p, 0, serial);
  put(&p, "\x03", 1);
  put_head(&p, 0, not_before);
  put(&p, "\x04", 1);
  put_head(&p, 0, not_after);
  seal(out, g, "key", g->root_secret, g->root_public, &p);
}

/* nonce_of finds the nonce in a request that the library made: it is the first 16 bytes string. */
static void nonce_of(const uint8_t *request, uint8_t nonce[16]) {
  size_t i = 13;
  i += request[i] == 0x58 ? 2 : 1;
  memcpy(nonce, request + i + 3, 16);
}

#endif
