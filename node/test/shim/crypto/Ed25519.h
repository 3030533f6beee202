// A stand-in for the class of Arduino's Crypto library that its port calls, over libsodium. Like the library
// (0.4.0) it does not ask whether S is reduced, and ignores S's top bit: the port must.
#ifndef SHIM_ED25519_H
#define SHIM_ED25519_H

#include <sodium.h>
#include <string.h>

class Ed25519 {
 public:
  static bool verify(const uint8_t signature[64], const uint8_t publicKey[32], const void *message, size_t len) {
    uint8_t s[64] = {0}, taken[64];
    memcpy(s, signature + 32, 32);
    s[31] &= 0x7f;
    memcpy(taken, signature, 32);
    crypto_core_ed25519_scalar_reduce(taken + 32, s);
    return crypto_sign_verify_detached(taken, static_cast<const uint8_t *>(message), len, publicKey) == 0;
  }
};

#endif
