// A stand-in for the class of Arduino's Crypto library that its port calls, over libsodium. As in the
// library, one object is a hash or an HMAC: finalizeHMAC is given the key again.
#ifndef SHIM_SHA256_H
#define SHIM_SHA256_H

#include <sodium.h>
#include <string.h>

class SHA256 {
 public:
  SHA256() { reset(); }

  void reset() { crypto_hash_sha256_init(&state_); }
  void update(const void *data, size_t len) { crypto_hash_sha256_update(&state_, static_cast<const uint8_t *>(data), len); }

  void finalize(void *hash, size_t len) {
    uint8_t whole[32];
    crypto_hash_sha256_final(&state_, whole);
    memcpy(hash, whole, len < sizeof whole ? len : sizeof whole);
  }

  void resetHMAC(const void *key, size_t keyLen) { begin(key, keyLen, 0x36); }

  void finalizeHMAC(const void *key, size_t keyLen, void *hash, size_t hashLen) {
    uint8_t inner[32];
    finalize(inner, sizeof inner);
    begin(key, keyLen, 0x5c);
    update(inner, sizeof inner);
    finalize(hash, hashLen);
  }

 private:
  crypto_hash_sha256_state state_;

  // RFC 2104 with a block of 64 bytes; no key here is longer.
  void begin(const void *key, size_t keyLen, uint8_t pad) {
    uint8_t block[64] = {0};
    memcpy(block, key, keyLen < sizeof block ? keyLen : sizeof block);
    for (uint8_t &b : block) b ^= pad;
    reset();
    update(block, sizeof block);
  }
};

#endif
