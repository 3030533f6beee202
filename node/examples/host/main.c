/* ntsgw-node: the node library as a real MQTT node on a host. It follows one
 * gateway, makes exchanges, and prints the interval that true time lies in.
 *
 *   ntsgw-node -enrolment node.json -broker localhost:1883 -for 60
 *
 * One line an evidence: what came, what the gateway says of itself, what the node
 * knows, its interval at that reading of the clock (count: CLOCK_MONOTONIC_RAW in
 * us), the alarms that stand.
 *
 * node.json is what `ntsgw node add NAME -form json` writes; every part of it can
 * be given as an option instead. With -for it ends after so many seconds: with 0
 * when from the first answer on the interval had two ends, was never wider than
 * -width, and no alarm came; else with 1. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "../../src/ntsgw_cbor.h"
#include "../../src/ntsgw_node.h"
#include "mqtt.h"

static const char *broker = "localhost:1883", *user, *password = "", *gateway_id, *node_name, *node_key_hex, *prefix = "ntsgw/";
static const char *root_alg = "Ed25519", *root_hex;
static double run_for, wait_for, width_ms = 1000, ppm = 100, every = 16;
static unsigned long generation = 1;
static int quiet;

static ntsgw_node node;
static ntsgw_gateway state;
static mqtt client;
static long beacons, exchanges, refused;
static int good = 1;

static volatile sig_atomic_t told_to_end;

static void on_signal(int s) {
  (void)s;
  told_to_end = 1;
}

static void die(const char *what, const char *which) {
  fprintf(stderr, "ntsgw-node: %s%s%s\n", what, which ? ": " : "", which ? which : "");
  exit(2);
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

/* The clock: CLOCK_MONOTONIC_RAW, which nobody steers but which stands still in
 * suspend; BOOTTIME - MONOTONIC tells of that. */
static int64_t ns_of(clockid_t c) {
  struct timespec t;
  clock_gettime(c, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t now(void) {
  static int64_t slept;
  static int first = 1;
  int64_t s = ns_of(CLOCK_BOOTTIME) - ns_of(CLOCK_MONOTONIC);
  if (!first && s - slept > 1000000) ntsgw_discontinuity(&node);
  if (first || s - slept > 1000000) slept = s;
  first = 0;
  return (uint64_t)(ns_of(CLOCK_MONOTONIC_RAW) / 1000);
}

static int some_random(void *context, uint8_t *out, size_t n) {
  (void)context;
  return getrandom(out, n, 0) == (ssize_t)n;
}

static size_t from_hex(const char *hex, uint8_t *out, size_t room) {
  size_t n = 0;
  for (; hex[0] && hex[1] && n < room; hex += 2) {
    unsigned v;
    if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1])) return 0;
    sscanf(hex, "%2x", &v);
    out[n++] = (uint8_t)v;
  }
  return *hex ? 0 : n;
}

static void print_time(char *out, size_t room, int64_t ns) {
  time_t s = (time_t)(ns / 1000000000);
  struct tm tm;
  size_t n;
  if (ns == INT64_MIN || ns == INT64_MAX) {
    snprintf(out, room, "unknown");
    return;
  }
  gmtime_r(&s, &tm);
  n = strftime(out, room, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out + n, room - n, ".%09ldZ", (long)(ns % 1000000000));
}

static const char *alarm_words(uint8_t a) {
  static char out[64];
  snprintf(out, sizeof out, "%s%s%s", a & NTSGW_ALARM_CONTRADICTION ? "+contradiction" : "", a & NTSGW_ALARM_FLOOR ? "+floor" : "",
           a & NTSGW_ALARM_WITHHELD ? "+withheld" : "");
  return out[0] ? out + 1 : "none";
}

/* told gives what the gateway says of itself in a message that was accepted. The
 * library does not ask: a bound is a bound in holdover too. */
static const char *told(ntsgw_kind kind, const uint8_t *payload, size_t n) {
  ntsgw_envelope e;
  ntsgw_claims c;
  if (kind != NTSGW_BEACON && kind != NTSGW_RESPONSE) return 0;
  if (!ntsgw_cbor_envelope(payload, (uint32_t)n, kind == NTSGW_BEACON ? 18 : 17, &e)) return 0;
  if (!ntsgw_cbor_claims(e.piece[NTSGW_CONTENT].p, (uint32_t)e.piece[NTSGW_CONTENT].n,
                         kind == NTSGW_BEACON ? NTSGW_CLAIMS_BEACON : NTSGW_CLAIMS_RESPONSE, &c)) return 0;
  return c.value[NTSGW_STATE] == 1 ? "synchronized" : "holdover";
}

/* report prints what is known at reading m, one line an evidence. */
static void report(const char *why, const char *gateway, uint64_t m) {
  static const char *states[] = {"nothing-known", "lower-bound", "bounded"};
  ntsgw_bounds b = {INT64_MIN, INT64_MAX};
  int64_t estimate = 0, bound = 0;
  char lo[40], hi[40], est[40] = "unknown";
  ntsgw_state_kind s = ntsgw_state(&node, m);
  ntsgw_interval_utc(&node, m, &b);
  if (ntsgw_now(&node, m, &estimate) == NTSGW_OK && ntsgw_bound(&node, m, &bound) == NTSGW_OK) {
    print_time(est, sizeof est, estimate);
    if ((double)bound * 2e-6 > width_ms) good = 0;
  } else if (exchanges > 0) {
    good = 0;
  }
  if (ntsgw_alarm(&node) != 0) good = 0;
  if (quiet) return;
  print_time(lo, sizeof lo, b.lo);
  print_time(hi, sizeof hi, b.hi);
  printf("%s gateway=%s state=%s estimate=%s bound_ms=%.3f lo=%s hi=%s count=%llu alarm=%s beacons=%ld exchanges=%ld refused=%ld\n", why,
         gateway ? gateway : "-", states[s], est, (double)bound / 1e6, lo, hi, (unsigned long long)m, alarm_words(ntsgw_alarm(&node)), beacons,
         exchanges, refused);
}

static void message(void *context, const char *topic, size_t topic_n, const uint8_t *payload, size_t n) {
  uint64_t m = now(); /* after the last byte arrived */
  size_t skip = strlen(prefix) - strlen("ntsgw/");
  ntsgw_kind kind;
  ntsgw_result r;
  int g;
  (void)context;
  if (topic_n < skip || memcmp(topic, prefix, skip) != 0) return;
  kind = ntsgw_match(&node, topic + skip, topic_n - skip, &g);
  if (kind == NTSGW_OTHER) return;
  r = ntsgw_feed(&node, g, kind, payload, n, m);
  if (r < 0) {
    refused++;
    if (r == NTSGW_E_CONTRADICTION) good = 0;
    if (!quiet) printf("refused kind=%d reason=%s alarm=%s\n", (int)kind, word(r), alarm_words(ntsgw_alarm(&node)));
    return;
  }
  if (kind == NTSGW_BEACON) beacons++;
  if (kind == NTSGW_RESPONSE) exchanges++;
  report(kind == NTSGW_BEACON ? "beacon" : kind == NTSGW_RESPONSE ? "exchange" : "delegation", told(kind, payload, n), m);
}

static void with_prefix(char *out, ntsgw_kind kind) {
  char own[NTSGW_TOPIC_MAX];
  ntsgw_topic(&node, 0, kind, own);
  sprintf(out, "%.*s%s", (int)(strlen(prefix) - strlen("ntsgw/")), prefix, own);
}

static int connected(void) {
  char host[256], topic[400], name[64], *port;
  uint8_t id[6];
  ntsgw_kind kinds[] = {NTSGW_DELEGATION, NTSGW_BEACON, NTSGW_RESPONSE};
  size_t i;
  if (strncmp(broker, "mqtt://", 7) == 0) broker += 7;
  snprintf(host, sizeof host, "%s", broker);
  port = strrchr(host, ':');
  if (port) *port++ = 0;
  getrandom(id, sizeof id, 0);
  snprintf(name, sizeof name, "%s-%02x%02x%02x%02x", node_name, id[0], id[1], id[2], id[3]);
  mqtt_close(&client);
  if (!mqtt_connect(&client, host, port ? port : "1883", name, user, password)) return 0;
  for (i = 0; i < 3; i++) {
    with_prefix(topic, kinds[i]);
    if (!mqtt_subscribe(&client, topic)) return 0;
  }
  return 1;
}

static int ask(void) {
  char topic[400];
  uint8_t request[NTSGW_REQUEST_MAX];
  size_t n;
  uint64_t m = now(); /* before the first byte is handed over */
  ntsgw_result r = ntsgw_request(&node, 0, m, request, &n);
  if (r != NTSGW_OK) {
    if (!quiet) printf("no request: %s\n", word(r));
    return 1;
  }
  with_prefix(topic, NTSGW_REQUEST);
  return mqtt_publish(&client, topic, request, n, 0);
}

/* enrolment takes the strings and numbers out of the JSON that `ntsgw node add` writes. */
static char *json_value(const char *text, const char *key) {
  char quoted[64], *out;
  const char *p;
  size_t n;
  snprintf(quoted, sizeof quoted, "\"%s\"", key);
  p = strstr(text, quoted);
  if (!p) return 0;
  p += strlen(quoted);
  p += strspn(p, " \t\r\n:");
  if (*p == '"') {
    p++;
    n = strcspn(p, "\"");
  } else {
    n = strspn(p, "0123456789");
  }
  out = calloc(1, n + 1);
  memcpy(out, p, n);
  return out;
}

/* whole reads a file that ends in '}': one that another process is still writing
 * does not. */
static int whole(const char *path, char *text, size_t room) {
  FILE *f = fopen(path, "r");
  size_t n;
  if (!f) return 0;
  n = fread(text, 1, room - 1, f);
  fclose(f);
  while (n > 0 && isspace((unsigned char)text[n - 1])) n--;
  text[n] = 0;
  errno = EBADMSG;
  return n > 0 && text[n - 1] == '}';
}

static void enrolment(const char *path) {
  static char text[65536];
  int64_t until = ns_of(CLOCK_MONOTONIC) + (int64_t)(wait_for * 1e9);
  char *v, *roots;
  while (!whole(path, text, sizeof text)) {
    struct timespec pause = {0, 200000000};
    if (told_to_end || ns_of(CLOCK_MONOTONIC) >= until) die(strerror(errno), path);
    nanosleep(&pause, 0);
  }
  roots = strstr(text, "\"roots\"");
  gateway_id = json_value(text, "gateway");
  node_name = json_value(text, "node");
  node_key_hex = json_value(text, "key");
  if ((v = json_value(text, "generation")) != 0) generation = strtoul(v, 0, 10);
  if ((v = json_value(text, "mqtt_user")) != 0 && *v) user = v;
  if ((v = json_value(text, "mqtt_password")) != 0) password = v;
  if (!roots || !(root_hex = json_value(roots, "public"))) root_hex = 0;
  if (roots && (v = json_value(roots, "alg")) != 0) root_alg = v;
  v = json_value(text, "topic_prefix");
  if (v && strstr(v, "ntsgw/")) {
    strstr(v, "ntsgw/")[strlen("ntsgw/")] = 0;
    prefix = v;
  }
}

static void usage(void) {
  fputs(
      "usage: ntsgw-node [-wait S] [-enrolment FILE] [options]\n"
      "  -wait S           wait so long for the enrolment's file\n"
      "  -enrolment FILE   what `ntsgw node add NAME -form json` wrote\n"
      "  -broker HOST:PORT (localhost:1883)   -user NAME   -password WORD   -site PREFIX/\n"
      "  -gateway ID  -node NAME  -generation N  -key HEX  -root-alg Ed25519|ES256  -root HEX\n"
      "  -ppm N            the clock's rate error (100)   -every S   seconds between exchanges (16)\n"
      "  -for S            end after so long; 0 only when all intervals were good\n"
      "  -width MS         a good interval is not wider (1000)   -quiet\n",
      stderr);
  exit(2);
}

int main(int argc, char **argv) {
  static ntsgw_enrolment who;
  static ntsgw_config config;
  static ntsgw_crypto crypto;
  static uint8_t key[32], root[65];
  int64_t end = 0, next = 0, ping = 0;
  int i, up = 0, pause_ms = 200;
  setvbuf(stdout, 0, _IOLBF, 0);
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  for (i = 1; i < argc; i++) {
    const char *o = argv[i] + (argv[i][0] == '-' && argv[i][1] == '-');
    const char *v = i + 1 < argc ? argv[i + 1] : 0;
    if (strcmp(o, "-quiet") == 0) {
      quiet = 1;
      continue;
    }
    if (!v) usage();
    i++;
    if (strcmp(o, "-enrolment") == 0) enrolment(v);
    else if (strcmp(o, "-wait") == 0) wait_for = atof(v);
    else if (strcmp(o, "-broker") == 0) broker = v;
    else if (strcmp(o, "-user") == 0) user = v;
    else if (strcmp(o, "-password") == 0) password = v;
    else if (strcmp(o, "-gateway") == 0) gateway_id = v;
    else if (strcmp(o, "-node") == 0) node_name = v;
    else if (strcmp(o, "-generation") == 0) generation = strtoul(v, 0, 10);
    else if (strcmp(o, "-key") == 0) node_key_hex = v;
    else if (strcmp(o, "-root-alg") == 0) root_alg = v;
    else if (strcmp(o, "-root") == 0) root_hex = v;
    else if (strcmp(o, "-for") == 0) run_for = atof(v);
    else if (strcmp(o, "-every") == 0) every = atof(v);
    else if (strcmp(o, "-ppm") == 0) ppm = atof(v);
    else if (strcmp(o, "-width") == 0) width_ms = atof(v);
    else if (strcmp(o, "-site") == 0) {
      char *p = malloc(strlen(v) + 8);
      sprintf(p, "%sntsgw/", v);
      prefix = p;
    } else usage();
  }
  if (!gateway_id || !node_name) usage();
  if (sodium_init() < 0) die("libsodium does not start", 0);
  if (ppm < 0 || ppm > 90000) die("-ppm must be 0 to 90000", 0);

  who.gateway = gateway_id;
  who.node = node_name;
  who.generation = (uint32_t)generation;
  if (node_key_hex) {
    if (from_hex(node_key_hex, key, sizeof key) != 32) die("-key must be 64 hex digits", 0);
    who.node_key = key;
  }
  if (root_hex) {
    size_t n = from_hex(root_hex, root, sizeof root);
    int es256 = strcmp(root_alg, "ES256") == 0;
    static const uint8_t okp[] = {0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20};
    static const uint8_t ec2[] = {0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20};
    static const uint8_t y[] = {0x22, 0x58, 0x20};
    ntsgw_span pieces[4] = {{es256 ? ec2 : okp, 8}, {root + es256, 32}, {y, 3}, {root + 33, 32}};
    uint8_t thumbprint[32];
    if (n != (es256 ? 65u : 32u) || (es256 && root[0] != 4)) die("-root does not fit its algorithm", root_hex);
    who.root_alg = es256 ? NTSGW_ES256 : NTSGW_ED25519;
    who.root = root + es256;
    ntsgw_sodium_sha256(pieces, es256 ? 4 : 2, thumbprint);
    memcpy(who.root_kid, thumbprint, 8);
  }
  crypto = ntsgw_crypto_sodium;
  crypto.p256 = ntsgw_bearssl_p256;
  config.crypto = &crypto;
  config.count_ns = 1000;
  config.tick = 1;
  config.rho_ppb = NTSGW_RHO_PPB((uint64_t)(ppm * 1000));
  config.random = some_random;
  if (ntsgw_init(&node, &config, &who, &state, 1) != NTSGW_OK) die("the enrolment is not valid", 0);
  client.fd = -1;
  client.message = message;
  if (run_for > 0) end = ns_of(CLOCK_MONOTONIC) + (int64_t)(run_for * 1e9);

  for (;;) {
    int64_t t = ns_of(CLOCK_MONOTONIC);
    if (told_to_end || (end && t >= end)) break;
    if (!up) {
      up = connected();
      if (!up) {
        struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000L};
        if (!quiet) printf("no broker at %s\n", broker);
        nanosleep(&pause, 0);
        if (pause_ms < 10000) pause_ms *= 2;
        continue;
      }
      pause_ms = 200;
      next = t + 300000000; /* let the retained delegation come first */
      ping = t + 30000000000;
    }
    if (who.node_key && t >= next) {
      uint32_t retry = ntsgw_retry_ms(&node, 0);
      up = ask();
      next = t + (state.unanswered > 1 ? (int64_t)retry * 1000000 : (int64_t)(every * 1e9));
      if (exchanges == 0 && state.unanswered < 4) next = t + 2000000000;
    }
    if (up && t >= ping) {
      up = mqtt_ping(&client);
      ping = t + 30000000000;
    }
    if (up) up = mqtt_wait(&client, 100);
  }
  report("end", 0, now());
  mqtt_close(&client);
  if (exchanges == 0 && beacons == 0) good = 0;
  if (who.node_key && exchanges == 0) good = 0;
  printf("%s: %ld beacons, %ld exchanges, %ld refused\n", good ? "good" : "not good", beacons, exchanges, refused);
  return good ? 0 : 1;
}
