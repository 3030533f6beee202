/* Port to libsodium: SHA-256, HMAC and Ed25519; no P-256. Call sodium_init first. */
#if defined(__has_include)
#if __has_include(<sodium.h>)
#include <sodium.h>
#define NTSGW_HAVE_SODIUM 1
#endif
#endif

#ifdef NTSGW_HAVE_SODIUM
#include <string.h>

#include "../../ntsgw_node.h"

void ntsgw_sodium_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  crypto_hash_sha256_state c;
  size_t i;
  crypto_hash_sha256_init(&c);
  for (i = 0; i < n; i++) crypto_hash_sha256_update(&c, pieces[i].p, pieces[i].n);
  crypto_hash_sha256_final(&c, out);
}

void ntsgw_sodium_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  crypto_auth_hmacsha256_state c;
  size_t i;
  crypto_auth_hmacsha256_init(&c, key, 32);
  for (i = 0; i < n; i++) crypto_auth_hmacsha256_update(&c, pieces[i].p, pieces[i].n);
  crypto_auth_hmacsha256_final(&c, out);
}

int ntsgw_sodium_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n) {
  uint8_t whole[NTSGW_SIGNED_MAX];
  size_t i, at = 0;
  for (i = 0; i < n; i++) {
    if (pieces[i].n > sizeof whole - at) return 0;
    memcpy(whole + at, pieces[i].p, pieces[i].n);
    at += pieces[i].n;
  }
  return crypto_sign_verify_detached(signature, whole, at, key) == 0;
}

const ntsgw_crypto ntsgw_crypto_sodium = {ntsgw_sodium_sha256, ntsgw_sodium_hmac256, ntsgw_sodium_ed25519, 0};
#endif
