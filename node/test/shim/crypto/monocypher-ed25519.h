/* A stand-in for the one function of Monocypher 4 that its port calls, over
 * libsodium. */
#ifndef SHIM_MONOCYPHER_ED25519_H
#define SHIM_MONOCYPHER_ED25519_H

#include <sodium.h>

/* 0 when the signature is good, -1 otherwise. */
static inline int crypto_ed25519_check(const uint8_t signature[64], const uint8_t public_key[32], const uint8_t *message, size_t n) {
  return crypto_sign_verify_detached(signature, message, n, public_key) == 0 ? 0 : -1;
}

#endif
