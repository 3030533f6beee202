/* libFuzzer target: the first byte picks what the rest is fed as. Signatures and
 * MACs are taken for good, so that everything behind them is reached; whatever
 * comes in, lo <= hi, and every reading is a number or an error. */
#include <stdlib.h>
#include <string.h>

#include "../src/ntsgw_node.h"

static void sha256(const ntsgw_span *p, size_t n, uint8_t out[32]) {
  (void)p, (void)n;
  memset(out, 0, 32);
}

static void hmac256(const uint8_t key[32], const ntsgw_span *p, size_t n, uint8_t out[32]) {
  (void)key, (void)p, (void)n;
  memset(out, 0, 32);
}

static int yes(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *p, size_t n) {
  (void)key, (void)signature, (void)p, (void)n;
  return 1;
}

static int yes_p256(const uint8_t key[64], const uint8_t signature[64], const uint8_t hash[32]) {
  (void)key, (void)signature, (void)hash;
  return 1;
}

static int no_random(void *context, uint8_t *out, size_t n) {
  (void)context;
  memset(out, 0, n);
  return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const ntsgw_crypto crypto = {sha256, hmac256, yes, yes_p256};
  static const uint8_t key[64];
  static const ntsgw_enrolment who[1] = {{"gw1", "node-7", key, 0, NTSGW_ED25519, key, {0}}};
  static const ntsgw_config config = {&crypto, 1000, 1, NTSGW_RHO_PPM(20), 0, 0, 0, no_random, 0, 0, 0};
  ntsgw_node node;
  ntsgw_gateway gateway;
  uint8_t request[NTSGW_REQUEST_MAX];
  uint64_t m = 0;
  size_t n;
  ntsgw_init(&node, &config, who, &gateway, 1);
  gateway.held = 1;
  gateway.not_after = UINT32_MAX;
  /* Messages one after the other: kind, length, bytes. */
  while (size >= 2) {
    ntsgw_bounds b;
    size_t len = data[1] < size - 2 ? data[1] : size - 2;
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, data + 2, len);
    ntsgw_request(&node, 0, m, request, &n);
    memset(gateway.nonce, 0, 16);
    m += data[0] * 1000u;
    if (data[0] % 16 == 15) ntsgw_discontinuity(&node);
    ntsgw_feed(&node, 0, (ntsgw_kind)(data[0] % 5), copy, len, m);
    free(copy);
    if (ntsgw_interval_tai(&node, m + data[0], &b, 0) == NTSGW_OK && b.lo > b.hi) abort();
    if (ntsgw_interval_utc(&node, m + data[0], &b) == NTSGW_OK && b.lo > b.hi) abort();
    data += 2 + len;
    size -= 2 + len;
  }
  return 0;
}
