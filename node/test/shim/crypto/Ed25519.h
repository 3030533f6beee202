// A stand-in for the class of Arduino's Crypto library that its port calls, over libsodium.
#ifndef SHIM_ED25519_H
#define SHIM_ED25519_H

#include <sodium.h>

class Ed25519 {
 public:
  static bool verify(const uint8_t signature[64], const uint8_t publicKey[32], const void *message, size_t len) {
    return crypto_sign_verify_detached(signature, static_cast<const uint8_t *>(message), len, publicKey) == 0;
  }
};

#endif
