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

// RFC 8032, section 5.1.7: S must lie below the group's order. The library does not ask, and ignores S's top bit.
static bool reduced(const uint8_t s[32]) {
  static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};
  for (int i = 31; i >= 0; i--) {
    if (s[i] != order[i]) return s[i] < order[i];
  }
  return false;
}

extern "C" int ntsgw_arduino_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n) {
  uint8_t whole[NTSGW_SIGNED_MAX];
  size_t at = 0;
  if (!reduced(signature + 32)) return 0;
  for (size_t i = 0; i < n; i++) {
    if (pieces[i].n > sizeof whole - at) return 0;
    memcpy(whole + at, pieces[i].p, pieces[i].n);
    at += pieces[i].n;
  }
  return Ed25519::verify(signature, key, whole, at);
}

extern "C" const ntsgw_crypto ntsgw_crypto_arduino = {ntsgw_arduino_sha256, ntsgw_arduino_hmac256, ntsgw_arduino_ed25519, nullptr};
#endif
