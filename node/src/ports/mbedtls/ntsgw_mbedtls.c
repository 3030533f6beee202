/* Port to mbedTLS 2.x and 3.x (ESP32, nRF Connect SDK): SHA-256, HMAC and P-256.
 * mbedTLS has no Ed25519. */
#if defined(__has_include)
#if __has_include(<mbedtls/ecdsa.h>)
#include <mbedtls/ecdsa.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#define NTSGW_HAVE_MBEDTLS 1
#endif
#endif

#ifdef NTSGW_HAVE_MBEDTLS
#include <string.h>

#include "../../ntsgw_node.h"

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define mbedtls_sha256_starts mbedtls_sha256_starts_ret
#define mbedtls_sha256_update mbedtls_sha256_update_ret
#define mbedtls_sha256_finish mbedtls_sha256_finish_ret
#endif

static void absorb(mbedtls_sha256_context *c, const ntsgw_span *pieces, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) mbedtls_sha256_update(c, pieces[i].p, pieces[i].n);
}

void ntsgw_mbedtls_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  mbedtls_sha256_context c;
  mbedtls_sha256_init(&c);
  mbedtls_sha256_starts(&c, 0);
  absorb(&c, pieces, n);
  mbedtls_sha256_finish(&c, out);
  mbedtls_sha256_free(&c);
}

/* RFC 2104 by hand: mbedtls_md_hmac allocates. */
void ntsgw_mbedtls_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]) {
  mbedtls_sha256_context c;
  uint8_t pad[64];
  size_t i;
  memset(pad, 0x36, sizeof pad);
  for (i = 0; i < 32; i++) pad[i] ^= key[i];
  mbedtls_sha256_init(&c);
  mbedtls_sha256_starts(&c, 0);
  mbedtls_sha256_update(&c, pad, sizeof pad);
  absorb(&c, pieces, n);
  mbedtls_sha256_finish(&c, out);
  for (i = 0; i < sizeof pad; i++) pad[i] ^= 0x36 ^ 0x5c;
  mbedtls_sha256_starts(&c, 0);
  mbedtls_sha256_update(&c, pad, sizeof pad);
  mbedtls_sha256_update(&c, out, 32);
  mbedtls_sha256_finish(&c, out);
  mbedtls_sha256_free(&c);
}

int ntsgw_mbedtls_p256(const uint8_t x_y[64], const uint8_t r_s[64], const uint8_t hash[32]) {
  mbedtls_ecp_group group;
  mbedtls_ecp_point key;
  mbedtls_mpi r, s;
  uint8_t point[65];
  int good;
  point[0] = 4;
  memcpy(point + 1, x_y, 64);
  mbedtls_ecp_group_init(&group);
  mbedtls_ecp_point_init(&key);
  mbedtls_mpi_init(&r);
  mbedtls_mpi_init(&s);
  good = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
         mbedtls_ecp_point_read_binary(&group, &key, point, sizeof point) == 0 &&
         mbedtls_ecp_check_pubkey(&group, &key) == 0 && mbedtls_mpi_read_binary(&r, r_s, 32) == 0 &&
         mbedtls_mpi_read_binary(&s, r_s + 32, 32) == 0 &&
         mbedtls_ecdsa_verify(&group, hash, 32, &key, &r, &s) == 0;
  mbedtls_mpi_free(&s);
  mbedtls_mpi_free(&r);
  mbedtls_ecp_point_free(&key);
  mbedtls_ecp_group_free(&group);
  return good;
}

const ntsgw_crypto ntsgw_crypto_mbedtls = {ntsgw_mbedtls_sha256, ntsgw_mbedtls_hmac256, 0, ntsgw_mbedtls_p256};
#endif
