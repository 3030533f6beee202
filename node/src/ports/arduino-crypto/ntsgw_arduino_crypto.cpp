// Port to Rhys Weatherley's Crypto library for Arduino: SHA-256, HMAC and
// Ed25519; no P-256.
#if defined(__has_include)
#if __has_include(<Ed25519.h>) && __has_include(<SHA256.h>)
#include <Ed25519.h>
#include <SHA256.h>
#define NTSGW_HAVE_ARDUINO_CRYPTO 1
#endif
#endif

#ifdef NTSGW_HAVE_ARDUINO_CRYPTO
#include <string.h>

#include "../../ntsgw_node.h"

extern "C" void ntsgw_arduino_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  SHA256 hash;
  for (size_t i = 0; i < n; i++) hash.update(pieces[i].p, pieces[i].n);
  hash.finalize(out, 32);
}

extern "C" void ntsgw_arduino_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  SHA256 hash;
  hash.resetHMAC(key, 32);
  for (size_t i = 0; i < n; i++) hash.update(pieces[i].p, pieces[i].n);
  hash.finalizeHMAC(key, 32, out, 32);
}

extern "C" int ntsgw_arduino_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n) {
  uint8_t whole[NTSGW_SIGNED_MAX];
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (pieces[i].n > sizeof whole - at) return 0;
    memcpy(whole + at, pieces[i].p, pieces[i].n);
    at += pieces[i].n;
  }
  return Ed25519::verify(signature, key, whole, at);
}

extern "C" const ntsgw_crypto ntsgw_crypto_arduino = {ntsgw_arduino_sha256, ntsgw_arduino_hmac256, ntsgw_arduino_ed25519, nullptr};
#endif
