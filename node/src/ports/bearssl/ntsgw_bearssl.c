/* Port to BearSSL: SHA-256, HMAC and P-256. Ships with the ESP8266 Arduino core;
 * Debian's libbearssl-dev on a host. BearSSL has no Ed25519. */
#if defined(ESP8266)
#include <bearssl/bearssl.h>
#define NTSGW_HAVE_BEARSSL 1
#elif defined(__has_include)
#if __has_include(<bearssl.h>)
#include <bearssl.h>
#define NTSGW_HAVE_BEARSSL 1
#endif
#endif

#ifdef NTSGW_HAVE_BEARSSL
#include <string.h>

#include "../../ntsgw_node.h"

void ntsgw_bearssl_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  br_sha256_context c;
  size_t i;
  br_sha256_init(&c);
  for (i = 0; i < n; i++) br_sha256_update(&c, pieces[i].p, pieces[i].n);
  br_sha256_out(&c, out);
}

/* RFC 2104 over SHA-256. The states after the padded key, inner and outer, are
 * kept for the next call: six of the fifteen blocks of an exchange less. Called
 * by the one task that feeds the node. */
static struct {
  uint8_t key[32];
  uint8_t inner[32];
  uint8_t outer[32];
  uint8_t set;
} kept;

static void pad(const uint8_t key[32], uint8_t with, uint8_t state[32]) {
  br_sha256_context c;
  uint8_t block[64];
  size_t i;
  for (i = 0; i < sizeof block; i++) block[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ with);
  br_sha256_init(&c);
  br_sha256_update(&c, block, sizeof block);
  br_sha256_state(&c, state);
}

void ntsgw_bearssl_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  br_sha256_context c;
  size_t i;
  if (!kept.set || memcmp(kept.key, key, sizeof kept.key) != 0) {
    memcpy(kept.key, key, sizeof kept.key);
    pad(key, 0x36, kept.inner);
    pad(key, 0x5c, kept.outer);
    kept.set = 1;
  }
  br_sha256_init(&c);
  br_sha256_set_state(&c, kept.inner, 64);
  for (i = 0; i < n; i++) br_sha256_update(&c, pieces[i].p, pieces[i].n);
  br_sha256_out(&c, out);
  br_sha256_set_state(&c, kept.outer, 64);
  br_sha256_update(&c, out, 32);
  br_sha256_out(&c, out);
}

int ntsgw_bearssl_p256(const uint8_t x_y[64], const uint8_t r_s[64], const uint8_t hash[32]) {
  uint8_t point[65];
  br_ec_public_key key;
  point[0] = 4;
  memcpy(point + 1, x_y, 64);
  key.curve = BR_EC_secp256r1;
  key.q = point;
  key.qlen = sizeof point;
  /* The 15-bit code on every machine: small, and fast where multiplication is 16 bits wide. */
  return br_ecdsa_i15_vrfy_raw(&br_ec_p256_m15, hash, 32, &key, r_s, 64) == 1;
}

const ntsgw_crypto ntsgw_crypto_bearssl = {ntsgw_bearssl_sha256, ntsgw_bearssl_hmac256, 0, ntsgw_bearssl_p256};
#endif
