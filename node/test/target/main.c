/* The library on its targets' instruction sets: every vector judged, then what
 * beacons and exchanges cost. Prints lines of "name value"; exits 0 when all
 * verdicts are as they must be. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../../downstream/beacon/testdata/vectors.h"
#include "../../src/ntsgw_cbor.h"
#include "../../src/ntsgw_node.h"

void target_write(const char *p, size_t n);
uint32_t target_count(void);
uint32_t target_sp(void);

#ifdef WITH_ED25519
#define ED25519 TARGET_ED25519
int TARGET_ED25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n);
#else
#define ED25519 0
#endif

static const ntsgw_crypto crypto = {ntsgw_bearssl_sha256, ntsgw_bearssl_hmac256, ED25519, ntsgw_bearssl_p256};

static void text(const char *s) { target_write(s, strlen(s)); }

static void number(const char *name, uint32_t v) {
  char digits[12];
  size_t i = sizeof digits;
  digits[--i] = '\n';
  do {
    digits[--i] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  text(name);
  text(" ");
  target_write(digits + i, sizeof digits - i);
}

static size_t from_hex(const char *s, uint8_t *out) {
  size_t n = 0;
  for (; s[0] && s[1]; s += 2) {
    int h = s[0] <= '9' ? s[0] - '0' : s[0] - 'a' + 10;
    int l = s[1] <= '9' ? s[1] - '0' : s[1] - 'a' + 10;
    out[n++] = (uint8_t)(h * 16 + l);
  }
  return n;
}

static const char *word(ntsgw_result r) {
  switch (r) {
#define X(name, number, text) \
  case name: return text;
    NTSGW_RESULTS(X)
#undef X
  }
  return "?";
}

static int some_random(void *context, uint8_t *out, size_t n) {
  (void)context;
  memset(out, 9, n);
  return 1;
}

/* What a user of the library has in RAM, in one place so that it can be sized. */
static struct {
  ntsgw_node node;
  ntsgw_gateway gateway;
} ram;

static uint8_t key[65], node_key[32], message[512];
static ntsgw_enrolment who = {VECTOR_GATEWAY, VECTOR_NODE, node_key, 1, NTSGW_ED25519, key, {0}};
static const ntsgw_config config = {&crypto, 1000, 1, NTSGW_RHO_PPM(20), 0, 0, 0, some_random, 0, 0, 0};

static void ready(const struct vector_message *v) {
  ntsgw_init(&ram.node, &config, &who, &ram.gateway, 1);
  from_hex(vector_node_keys[0].key, node_key);
  if (v->key < 0) return;
  who.root_alg = vector_keys[v->key].alg;
  if (from_hex(vector_keys[v->key].public_, key) == 65) memmove(key, key + 1, 64);
  memcpy(ram.gateway.key, key, 64);
  from_hex(vector_keys[v->key].kid, ram.gateway.kid);
  memcpy(who.root_kid, ram.gateway.kid, 8);
  ram.gateway.held = 1;
  ram.gateway.not_before = v->not_before;
  ram.gateway.not_after = v->not_after || v->not_before ? v->not_after : UINT32_MAX;
}

static uint8_t request[NTSGW_REQUEST_MAX];
static size_t request_n;

static ntsgw_result judge(const struct vector_message *v, size_t n) {
  switch (v->kind) {
    case VECTOR_BEACON: return ntsgw_feed_beacon(&ram.node, 0, message, n, 5000000);
    case VECTOR_KEY: return ntsgw_feed_delegation(&ram.node, 0, message, n, 0);
    default: return ntsgw_feed_response(&ram.node, 0, message, n, 5000000);
  }
}

static void asked(const struct vector_message *v, size_t n) {
  ntsgw_envelope e;
  ntsgw_claims c;
  if (v->kind != VECTOR_RESPONSE) return;
  ntsgw_request(&ram.node, 0, 0, request, &request_n);
  if (n <= NTSGW_MESSAGE_MAX && ntsgw_cbor_envelope(message, (uint32_t)n, 17, &e) && ntsgw_cbor_claims(e.piece[NTSGW_CONTENT].p, (uint32_t)e.piece[NTSGW_CONTENT].n, NTSGW_CLAIMS_RESPONSE, &c)) {
    memcpy(ram.gateway.nonce, e.piece[NTSGW_CONTENT].p + c.value[NTSGW_NONCE] + 1, 16);
  }
}

/* The stack that a call uses, by painting what lies below. */
#define PAINT 12000
static volatile uint8_t *painted;

static void __attribute__((noinline)) paint(void) {
  volatile uint8_t *sp = (volatile uint8_t *)(uintptr_t)target_sp();
  int i;
  painted = sp - 256 - PAINT;
  for (i = 0; i < PAINT; i++) painted[i] = 0xa5;
}

static uint32_t __attribute__((noinline)) used(void) {
  volatile uint8_t *sp = (volatile uint8_t *)(uintptr_t)target_sp();
  int i = 0;
  while (i < PAINT && painted[i] == 0xa5) i++;
  return (uint32_t)(sp - (painted + i));
}

static const struct vector_message *find(const char *name) {
  size_t i;
  for (i = 0; i < sizeof vector_messages / sizeof *vector_messages; i++) {
    if (strcmp(vector_messages[i].name, name) == 0) return &vector_messages[i];
  }
  return 0;
}

static char label[64];

static const char *join(const char *a, const char *b) {
  size_t n = strlen(a);
  memcpy(label, a, n);
  memcpy(label + n, b, strlen(b) + 1);
  return label;
}

static int __attribute__((noinline)) measure(const char *name, const char *vector) {
  const struct vector_message *v = find(vector);
  uint32_t from, count, stack;
  size_t n;
  int r;
  if (!v) return 1;
  ready(v);
  n = from_hex(v->message, message);
  asked(v, n);
  paint();
  from = target_count();
  r = judge(v, n);
  count = target_count() - from;
  stack = used();
  number(join(name, ".count"), count);
  number(join(name, ".stack"), stack);
  number(join(name, ".bytes"), (uint32_t)n);
  return r < 0;
}

int main(void) {
  uint32_t judged = 0, wrong = 0, from;
  size_t i;
  for (i = 0; i < sizeof vector_messages / sizeof *vector_messages; i++) {
    const struct vector_message *v = &vector_messages[i];
    ntsgw_result r;
    size_t n;
    if (v->kind == VECTOR_REQUEST || strncmp(v->name, "delegation-key-", 15) == 0) continue;
    if (!crypto.ed25519 && v->key >= 0 && vector_keys[v->key].alg == -19) continue;
    ready(v);
    n = from_hex(v->message, message);
    asked(v, n);
    r = judge(v, n);
    judged++;
    if (strcmp(v->reason, "outside-validity") != 0 && !v->not_after && r == NTSGW_E_OUTSIDE_VALIDITY) r = NTSGW_OK;
    if (v->reason[0] ? strcmp(word(r), v->reason) != 0 : r < 0 && r != NTSGW_E_CONTRADICTION) {
      wrong++;
      text(v->name);
      text(": ");
      text(word(r));
      text("\n");
    }
  }
  number("vectors.judged", judged);
  number("vectors.wrong", wrong);
  if (crypto.ed25519) wrong += (uint32_t)measure("beacon-ed25519", "beacon-ed25519");
  wrong += (uint32_t)measure("beacon-es256", "beacon-es256");
  if (crypto.ed25519) wrong += (uint32_t)measure("delegation-ed25519", "delegation-ed25519");
  wrong += (uint32_t)measure("delegation-es256", "delegation-es256");
  wrong += (uint32_t)measure("response", "response");
  {
    int64_t now;
    uint32_t count, stack;
    paint();
    from = target_count();
    wrong += ntsgw_request(&ram.node, 0, 6000000, request, &request_n) != NTSGW_OK;
    count = target_count() - from;
    stack = used();
    number("request.count", count);
    number("request.stack", stack);
    paint();
    from = target_count();
    wrong += ntsgw_now(&ram.node, 7000000, &now) != NTSGW_OK;
    count = target_count() - from;
    stack = used();
    number("now.count", count);
    number("now.stack", stack);
  }
  number("ram.node", (uint32_t)sizeof ram.node);
  number("ram.gateway", (uint32_t)(sizeof ram.gateway - sizeof ram.gateway.evidence));
  number("ram.evidence", (uint32_t)sizeof ram.gateway.evidence);
  number("ram.enrolment", (uint32_t)(sizeof who + 32 + (who.root_alg == NTSGW_ED25519 ? 32 : 64)));
  number("ram.config", (uint32_t)(sizeof config + sizeof crypto));
  text(wrong ? "FAILED\n" : "passed\n");
  return wrong != 0;
}
