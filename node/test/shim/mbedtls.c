/* mbedTLS's part in the ESP32 example, where mbedTLS is not: BearSSL does it. The
 * port itself is tested on a host with Debian's libmbedtls-dev. */
#include "../../src/ntsgw_node.h"

void ntsgw_mbedtls_sha256(const ntsgw_span *p, size_t n, uint8_t out[32]) { ntsgw_bearssl_sha256(p, n, out); }
void ntsgw_mbedtls_hmac256(const uint8_t key[32], const ntsgw_span *p, size_t n, uint8_t out[32]) { ntsgw_bearssl_hmac256(key, p, n, out); }
int ntsgw_mbedtls_p256(const uint8_t x_y[64], const uint8_t r_s[64], const uint8_t hash[32]) { return ntsgw_bearssl_p256(x_y, r_s, hash); }
