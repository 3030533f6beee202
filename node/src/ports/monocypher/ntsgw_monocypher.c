/* Port to Monocypher 4 (with its optional monocypher-ed25519): Ed25519 only.
 * SHA-256 and HMAC come from another port. */
#if defined(__has_include)
#if __has_include(<monocypher-ed25519.h>)
#include <monocypher-ed25519.h>
#define NTSGW_HAVE_MONOCYPHER 1
#endif
#endif

#ifdef NTSGW_HAVE_MONOCYPHER
#include <string.h>

#include "../../ntsgw_node.h"

int ntsgw_monocypher_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n) {
  uint8_t whole[NTSGW_SIGNED_MAX];
  size_t i, at = 0;
  for (i = 0; i < n; i++) {
    if (pieces[i].n > sizeof whole - at) return 0;
    memcpy(whole + at, pieces[i].p, pieces[i].n);
    at += pieces[i].n;
  }
  return crypto_ed25519_check(signature, key, whole, at) == 0;
}
#endif
