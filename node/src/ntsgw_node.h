/* ntsgw_node: time that a small device can prove.
 *
 * A gateway's signed beacons and answers come in over any transport; an interval
 * that contains true time comes out, whatever broker and network do. Rules and
 * messages: docs/beacon-protocol.md.
 *
 * The library allocates nothing, uses no floating point and does no I/O: bytes
 * and readings of the caller's clock go in, bytes to publish come out.
 *
 * Concurrency: one task calls ntsgw_init, the ntsgw_feed functions,
 * ntsgw_request, ntsgw_restore, ntsgw_discontinuity and ntsgw_alarm_clear.
 * Interrupts and other tasks may call the reading functions (those that take a
 * const ntsgw_node *) at any time.
 *
 * The caller's clock: a 64-bit count that never goes back and counts through
 * everything, sleep included, within the stated rate; where it can't, call
 * ntsgw_discontinuity before anything else. Rule of reading: for a request,
 * before its first byte is handed to the network; for what arrived, after its
 * last byte did; never a cached reading for these two. */
#ifndef NTSGW_NODE_H
#define NTSGW_NODE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NTSGW_VERSION "1.0.0"

#ifndef NTSGW_GATEWAYS_MAX
#define NTSGW_GATEWAYS_MAX 8    /* of one node; built with 1, the library leaves out what several need */
#endif
#define NTSGW_NAME_MAX 16       /* characters of a gateway's or a node's name */
#define NTSGW_MESSAGE_MAX 200   /* bytes of any message */
#define NTSGW_REQUEST_MAX 74    /* bytes of a request */
#define NTSGW_SIGNED_MAX 288    /* bytes that a signature or MAC is over, at most */
#define NTSGW_TOPIC_MAX 45      /* bytes of a topic, its final 0 included */
#define NTSGW_EVIDENCE_LO 144   /* bytes of the message that gave the lower end */
#define NTSGW_EVIDENCE_HI 128   /* bytes of the message that gave the upper end */

/* NTSGW_RHO_PPM(p): the rate error to state for a data sheet's +-p ppm (whole or
 * a fraction), in ppb: p / (1 - p), rounded up. Constant expression. */
#define NTSGW_RHO_PPB(ppb) \
  ((uint32_t)(((uint64_t)(ppb) * 1000000000u + (1000000000u - (uint64_t)(ppb)) - 1u) / (1000000000u - (uint64_t)(ppb))))
#define NTSGW_RHO_PPM(ppm) NTSGW_RHO_PPB((uint64_t)(ppm) * 1000u)

/* What a call came to. Refusals (below 0) changed nothing but what they say. */
#define NTSGW_RESULTS(X)                                                                            \
  X(NTSGW_OK, 0, "ok")                             /* taken; the interval is better for it */       \
  X(NTSGW_ADDS_NOTHING, 1, "adds-nothing")         /* authentic, but nothing that was not known */  \
  X(NTSGW_E_ARGUMENT, -1, "argument")              /* a parameter out of range */                   \
  X(NTSGW_E_SIZE, -2, "size")                      /* longer than any message */                    \
  X(NTSGW_E_MALFORMED, -3, "malformed")            /* not the CBOR or COSE of the protocol */       \
  X(NTSGW_E_WRONG_KIND, -4, "wrong-kind")          /* signed where a MAC is due, or vice versa */   \
  X(NTSGW_E_WRONG_ALG, -5, "wrong-alg")            /* not the pinned key's algorithm */             \
  X(NTSGW_E_UNKNOWN_KID, -6, "unknown-kid")        /* names a key that is not held */               \
  X(NTSGW_E_BAD_SIGNATURE, -7, "bad-signature")    /* signature or MAC does not verify */           \
  X(NTSGW_E_OUTSIDE_VALIDITY, -8, "outside-validity") /* its time lies outside its key's validity */ \
  X(NTSGW_E_BELOW_FLOOR, -9, "below-floor")        /* t + E lies before the floor */                \
  X(NTSGW_E_OLD_SERIAL, -10, "old-serial")         /* an older delegation than one seen */          \
  X(NTSGW_E_NO_NONCE, -11, "no-nonce")             /* answers no open request */                    \
  X(NTSGW_E_LATE, -12, "late")                     /* past the request's deadline */                \
  X(NTSGW_E_CONTRADICTION, -13, "contradiction")   /* alarm: authentic, and it can't be true */     \
  X(NTSGW_E_CLOCK, -14, "clock")                   /* the reading lies before an earlier one */     \
  X(NTSGW_E_NO_EVIDENCE, -15, "no-evidence")       /* nothing proved yet: there is no number */     \
  X(NTSGW_E_NO_UPPER_BOUND, -16, "no-upper-bound") /* only a lower bound: make an exchange */       \
  X(NTSGW_E_NO_RANDOM, -17, "no-random")           /* no fresh nonce can be had */                  \
  X(NTSGW_E_NO_KEY, -18, "no-key")                 /* no node key, or no delegation yet */

typedef enum {
#define NTSGW_X(name, number, word) name = number,
  NTSGW_RESULTS(NTSGW_X)
#undef NTSGW_X
} ntsgw_result;

/* Algorithms, as COSE numbers them. */
enum { NTSGW_ED25519 = -19, NTSGW_ES256 = -9, NTSGW_HMAC256 = 5 };

/* What a message is; each has a topic of its own. */
typedef enum { NTSGW_OTHER = 0, NTSGW_BEACON, NTSGW_DELEGATION, NTSGW_REQUEST, NTSGW_RESPONSE } ntsgw_kind;

/* n bytes at p. */
typedef struct {
  const uint8_t *p;
  size_t n;
} ntsgw_span;

/* The cryptography that a port supplies: src/ports. Data is given in pieces that
 * count as one string. Verifiers return 1 for a good signature and 0 otherwise;
 * one that is null makes its algorithm unusable. */
typedef struct {
  void (*sha256)(const ntsgw_span *pieces, size_t n, uint8_t out[32]);
  void (*hmac256)(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]);
  int (*ed25519)(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n);
  int (*p256)(const uint8_t x_y[64], const uint8_t r_s[64], const uint8_t hash[32]);
} ntsgw_crypto;

/* Ports, each linked only when it is named. Mix their functions as needed:
 * {ntsgw_bearssl_sha256, ntsgw_bearssl_hmac256, ntsgw_monocypher_ed25519, 0}. */
extern const ntsgw_crypto ntsgw_crypto_bearssl; /* HMAC, P-256 */
extern const ntsgw_crypto ntsgw_crypto_mbedtls; /* HMAC, P-256 */
extern const ntsgw_crypto ntsgw_crypto_sodium;  /* HMAC, Ed25519 */
extern const ntsgw_crypto ntsgw_crypto_arduino; /* HMAC, Ed25519 */
void ntsgw_bearssl_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]);
void ntsgw_bearssl_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]);
int ntsgw_bearssl_p256(const uint8_t x_y[64], const uint8_t r_s[64], const uint8_t hash[32]);
void ntsgw_mbedtls_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]);
void ntsgw_mbedtls_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]);
int ntsgw_mbedtls_p256(const uint8_t x_y[64], const uint8_t r_s[64], const uint8_t hash[32]);
void ntsgw_sodium_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]);
void ntsgw_sodium_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]);
int ntsgw_sodium_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n);
int ntsgw_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n); /* own, verifies only */
int ntsgw_monocypher_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n);
void ntsgw_arduino_sha256(const ntsgw_span *pieces, size_t n, uint8_t out[32]);
void ntsgw_arduino_hmac256(const uint8_t key[32], const ntsgw_span *pieces, size_t n, uint8_t out[32]);
int ntsgw_arduino_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n);

/* What enrolment gives (`ntsgw node add`): one gateway, as this node sees it.
 * Everything stays in the caller's memory, unchanged, while the node lives. */
typedef struct {
  const char *gateway;     /* its id */
  const char *node;        /* this node's name there */
  const uint8_t *node_key; /* 32 bytes; null: no exchanges, only lower bounds */
  uint32_t generation;     /* of the node key */
  int32_t root_alg;        /* NTSGW_ED25519, NTSGW_ES256; 0: no beacons, exchanges only */
  const uint8_t *root;     /* 32 bytes (Ed25519) or x and y, 64 bytes (ES256) */
  uint8_t root_kid[8];     /* its key id */
} ntsgw_enrolment;

/* What a node asks of its surroundings. */
typedef struct {
  const ntsgw_crypto *crypto;
  uint32_t count_ns; /* length of one count of the clock, ns: 1000 for micros64(); 1 to 1,000,000 */
  uint32_t tick;     /* counts by which a reading moves at a time; 1 where the clock counts one by one */
  uint32_t rho_ppb;  /* stated rate error: NTSGW_RHO_PPM of the data sheet; at most 100,000,000 */
  uint32_t deadline_ms; /* an answer later than this after its request is refused; 0: 10,000 */
  uint8_t faults;       /* f: with n gateways, n >= 2f + 1, this many may lie; 0 for one gateway */
  void *context;        /* handed to the functions below */

  /* random fills out with n bytes of a hardware source and returns 1; 0 when it
   * can't. May be null where reserve is given, and the other way round; with
   * neither there are no exchanges. */
  int (*random)(void *context, uint8_t *out, size_t n);

  /* reserve durably sets aside count numbers that were never handed out before,
   * puts the first into *first, and returns 1; called before they are used. */
  int (*reserve)(void *context, uint32_t count, uint64_t *first);

  /* keep durably stores what survives a reboot for a gateway's enrolment: the
   * highest serial, and the floor (TAI seconds), of which changes come at most
   * once a day. Hand both to ntsgw_restore at boot; forget them with the
   * enrolment. May be null: a reboot then forgets them. */
  void (*keep)(void *context, int gateway, uint32_t serial, uint32_t floor);

  /* settime is called after evidence that gave or narrowed a two-sided interval:
   * set the system clock to utc_ns (since 1970), good to +-bound_ns. May be null. */
  void (*settime)(void *context, int64_t utc_ns, int64_t bound_ns);
} ntsgw_config;

/* An interval of time: ns since 1970-01-01 TAI (or UTC where said so). An end
 * that is not known is INT64_MIN or INT64_MAX. */
typedef struct {
  int64_t lo;
  int64_t hi;
} ntsgw_bounds;

/* One gateway's interval: each end with the reading at which it was true. Not for
 * the caller. */
typedef struct {
  int64_t tai;
  uint64_t at;
} ntsgw_end;

typedef struct {
  ntsgw_end lo;
  ntsgw_end hi;
} ntsgw_interval;

/* What the latest message of a gateway said about UTC. Not for the caller. */
typedef struct {
  int32_t error_s;
  int32_t month; /* counted from January 1968; 0: there is no message */
  int32_t leap;
  int32_t tai_utc;
  int64_t tai;
} ntsgw_leaps;

/* The best guess of time from a gateway's answers, and the learned rate of the
 * local clock. They never move an end of the interval. Not for the caller. */
typedef struct {
  uint8_t epoch[8]; /* the timeline's name */
  int64_t tai;
  uint64_t at;
  int32_t rate;   /* true time gains that many ns on 2^30 ns of the count */
  uint32_t doubt; /* 2^16 ns; 0: there is no guess */
} ntsgw_guess;

/* What readers see of a gateway. Not for the caller. */
typedef struct {
  ntsgw_interval interval;
  ntsgw_leaps leaps;
  ntsgw_guess guess;
} ntsgw_view;

/* One gateway's state, 272 bytes of it evidence. Not for the caller, but to
 * reserve room: one a gateway. */
typedef struct ntsgw_gateway {
  uint32_t serial; /* these four lie as in a delegation's values: they are copied at once */
  uint32_t not_before;
  uint32_t not_after;
  uint8_t kid[8];
  uint32_t held; /* key, kid and validity are those to judge beacons by */
  uint32_t floor;
  struct ntsgw_gateway *next;
  const ntsgw_enrolment *who;
  ntsgw_view *draft;
  uint32_t open;
  uint32_t frozen;
  uint64_t asked_at;
  uint32_t evidence_n[2];
  uint8_t nonce[16];
  uint32_t unanswered;
  uint8_t key[64]; /* the online key: 32 or 64 bytes */
  uint8_t evidence[NTSGW_EVIDENCE_LO + NTSGW_EVIDENCE_HI];
  uint32_t asked_floor;
  ntsgw_view view[2];
} ntsgw_gateway;

/* One node. Not for the caller, but to reserve room. */
typedef struct {
  uint32_t version; /* low bit: which view readers take */
  uint32_t alarms;
  uint64_t last; /* latest reading */
  uint32_t seeded;
  const ntsgw_config *config;
  uint32_t unanchored; /* lower ends wait for a reading to hold at */
  uint32_t reserved;
  int gateways;
  ntsgw_gateway *gateway; /* the first one */
  uint32_t generation;
  uint8_t seed[8 + 16]; /* a number and the boot randomness: what the next nonce is made of */
} ntsgw_node;

/* Alarms, a bit each. */
enum {
  NTSGW_ALARM_CONTRADICTION = 1, /* a gateway or the clock lied: ntsgw_evidence has the messages */
  NTSGW_ALARM_FLOOR = 2,         /* an authentic answer lies before the floor */
  NTSGW_ALARM_WITHHELD = 4       /* an answer names a newer delegation than was delivered */
};

/* How much is known. */
typedef enum {
  NTSGW_NOTHING_KNOWN = 0, /* no number can be had */
  NTSGW_LOWER_BOUND = 1,   /* not before ... */
  NTSGW_BOUNDED = 2        /* inside an interval */
} ntsgw_state_kind;

/* ntsgw_init makes a node of n gateways (1 to NTSGW_GATEWAYS_MAX, at least
 * 2 * faults + 1). config, who and gateways stay in use, the first two unchanged.
 * NTSGW_E_ARGUMENT when a name, a range or a pointer is not as it must be. */
ntsgw_result ntsgw_init(ntsgw_node *node, const ntsgw_config *config, const ntsgw_enrolment *who, ntsgw_gateway *gateways, int n);

/* ntsgw_restore gives back what keep stored for a gateway; right after ntsgw_init. */
ntsgw_result ntsgw_restore(ntsgw_node *node, int gateway, uint32_t serial, uint32_t floor);

/* ntsgw_topic writes the topic of a kind of message of a gateway into out (at
 * least NTSGW_TOPIC_MAX bytes), without a site's prefix, and returns its length. */
size_t ntsgw_topic(const ntsgw_node *node, int gateway, ntsgw_kind kind, char *out);

/* ntsgw_match tells what a topic of n characters, without a site's prefix, carries, and
 * whose it is. */
ntsgw_kind ntsgw_match(const ntsgw_node *node, const char *topic, size_t n, int *gateway);

/* ntsgw_feed takes a message of any kind, at the clock's reading m after its
 * last byte arrived. The bytes are only read. */
ntsgw_result ntsgw_feed(ntsgw_node *node, int gateway, ntsgw_kind kind, const uint8_t *message, size_t n, uint64_t m);
#define ntsgw_feed_delegation(node, gateway, message, n, m) ntsgw_feed(node, gateway, NTSGW_DELEGATION, message, n, m)
#define ntsgw_feed_beacon(node, gateway, message, n, m) ntsgw_feed(node, gateway, NTSGW_BEACON, message, n, m)
#define ntsgw_feed_response(node, gateway, message, n, m) ntsgw_feed(node, gateway, NTSGW_RESPONSE, message, n, m)

/* ntsgw_would_raise tells whether a beacon, if it is genuine, would raise the
 * lower end at m: a node may save the verification of those that would not.
 * It proves nothing and changes nothing. */
int ntsgw_would_raise(const ntsgw_node *node, int gateway, const uint8_t *message, size_t n, uint64_t m);

/* ntsgw_request writes a request with a fresh nonce into out (at least
 * NTSGW_REQUEST_MAX bytes), puts its length into *n and opens the nonce; m is
 * read before the call, and out is published after it. A new request closes the
 * one before it. */
ntsgw_result ntsgw_request(ntsgw_node *node, int gateway, uint64_t m, uint8_t *out, size_t *n);

/* ntsgw_retry_ms gives the pause before the next request to a gateway: spread
 * at random for the first one, then doubling with each that stays unanswered,
 * from 2 s to 17 minutes, half of it random. */
uint32_t ntsgw_retry_ms(ntsgw_node *node, int gateway);

/* ntsgw_discontinuity tells that the clock did not count through: a reset, a
 * sleep, a missed wrap. Before any other call. Open requests are dropped, upper
 * ends are forgotten, lower ends keep their value and are anchored at the next
 * reading that is given. */
void ntsgw_discontinuity(ntsgw_node *node);

/* ntsgw_interval_tai gives the interval at reading m, on TAI, and its
 * generation, which counts the intervals that began anew (may be null).
 * NTSGW_E_NO_EVIDENCE when neither end is known. This and what follows may be
 * asked of a reading that evidence overtook: an end is unknown before its own
 * reading (within one tick the clock can't tell which came first). Not of one
 * that ntsgw_discontinuity overtook. */
ntsgw_result ntsgw_interval_tai(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out, uint16_t *generation);

/* ntsgw_interval_utc gives the interval on UTC (ns since 1970, POSIX numbering). */
ntsgw_result ntsgw_interval_utc(const ntsgw_node *node, uint64_t m, ntsgw_bounds *out);

/* ntsgw_now gives the best estimate of UTC at m, ns since 1970, which always lies
 * inside the interval. NTSGW_E_NO_EVIDENCE
 * before anything is proved; NTSGW_E_NO_UPPER_BOUND while only a lower bound is. */
ntsgw_result ntsgw_now(const ntsgw_node *node, uint64_t m, int64_t *utc_ns);

/* ntsgw_bound gives how far ntsgw_now may be off at m, ns. */
ntsgw_result ntsgw_bound(const ntsgw_node *node, uint64_t m, int64_t *bound_ns);

/* ntsgw_state tells how much is known at m. */
ntsgw_state_kind ntsgw_state(const ntsgw_node *node, uint64_t m);

/* ntsgw_alarm gives the alarms that stand; ntsgw_alarm_clear ends them and
 * frees the evidence. */
uint8_t ntsgw_alarm(const ntsgw_node *node);
void ntsgw_alarm_clear(ntsgw_node *node);

/* ntsgw_evidence gives the messages that made a gateway's ends, or the two that
 * contradict each other while the alarm stands. A length of 0: none, or one too
 * long to be kept. For the task that feeds. */
void ntsgw_evidence(const ntsgw_node *node, int gateway, ntsgw_span *lower, ntsgw_span *upper);

/* ntsgw_exchange_in gives how many ms from m on an exchange is needed to keep
 * the width of the interval at or below width_ns: 0 when it is due. */
uint32_t ntsgw_exchange_in(const ntsgw_node *node, uint64_t m, int64_t width_ns);

/* A clock that never goes back, of ntsgw_now: one for each reader. Zeroed, it is
 * new. */
typedef struct {
  int64_t out;
  uint64_t at;
  uint8_t started;
} ntsgw_monotonic;

/* ntsgw_monotonic_now gives UTC that never goes back: where the estimate lies
 * ahead it follows at once, where it lies behind it runs at half rate until they meet.
 * *inside is 0 while it lies outside the interval (may be null). */
ntsgw_result ntsgw_monotonic_now(const ntsgw_node *node, ntsgw_monotonic *state, uint64_t m, int64_t *utc_ns, int *inside);

/* A wrapping 32-bit counter made 64 bits long. Zeroed, it begins at 0; call
 * ntsgw_ticks_extend at least once a wrap, from one task. */
typedef struct {
  uint64_t value;
} ntsgw_ticks;

uint64_t ntsgw_ticks_extend(ntsgw_ticks *ticks, uint32_t counter);

#ifdef __cplusplus
}
#endif
#endif
