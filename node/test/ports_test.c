/* The ports to libraries that Debian does not have, Monocypher and Arduino's
 * Crypto: the protocol's vectors, whole and damaged, and HMAC of every length.
 * MONOCYPHER and ARDUINO_CRYPTO say what they were compiled against. */
#define main host_test_main
#include "host_test.c"
#undef main

static const ntsgw_crypto monocypher = {ntsgw_sodium_sha256, ntsgw_sodium_hmac256, ntsgw_monocypher_ed25519, ntsgw_bearssl_p256};
static ntsgw_crypto arduino; /* ntsgw_crypto_arduino, with a P-256 */

/* One bit of every byte of every accepted Ed25519 and HMAC vector flipped: never
 * accepted. */
static void test_port_damage(const ntsgw_crypto *port) {
  static bench b;
  size_t i, j, count = sizeof vector_messages / sizeof *vector_messages;
  long tried = 0;
  for (i = 0; i < count; i++) {
    const struct vector_message *v = &vector_messages[i];
    uint8_t p[1024];
    size_t n;
    if (v->reason[0] || v->kind == VECTOR_REQUEST || (v->key >= 0 && vector_keys[v->key].alg != -19)) continue;
    from_hex(v->message, p, &n);
    for (j = 0; j < n; j++) {
      uint8_t bit = (uint8_t)(1u << (j + i) % 8);
      p[j] ^= bit;
      ported = port;
      CHECK(judge(&b, v, p, n) < 0);
      ported = 0;
      p[j] ^= bit;
      tried++;
    }
  }
  printf("  %ld damaged messages\n", tried);
}

/* A message longer than any that the library signs or checks is refused, not cut. */
static void test_port_room(void) {
  static uint8_t longer[NTSGW_SIGNED_MAX + 1];
  static const uint8_t key[32] = {1}, signature[64] = {1};
  ntsgw_span pieces[2] = {{longer, NTSGW_SIGNED_MAX}, {longer, 1}};
  EQ(ntsgw_monocypher_ed25519(key, signature, pieces, 2), 0);
  EQ(ntsgw_arduino_ed25519(key, signature, pieces, 2), 0);
}

int main(void) {
  if (sodium_init() < 0) return 2;
  arduino = ntsgw_crypto_arduino;
  arduino.p256 = ntsgw_bearssl_p256;
  test_name = "monocypher";
  test_vectors_with(&monocypher, "Monocypher's port to " MONOCYPHER);
  test_name = "monocypher, damage";
  test_port_damage(&monocypher);
  test_name = "arduino-crypto";
  test_vectors_with(&arduino, "Arduino Crypto's port to " ARDUINO_CRYPTO);
  test_name = "arduino-crypto, damage";
  test_port_damage(&arduino);
  test_name = "arduino-crypto, hmac";
  test_hmac_of(&arduino);
  test_name = "room";
  test_port_room();
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
