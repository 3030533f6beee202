// The shim's world: a clock, a broker, and a gateway whose delegation and beacon are the protocol's
// test vectors; responses are made here. Runs an example and says whether it got its time.
#include <stdarg.h>

#include <Arduino.h>
#include <EEPROM.h>
#include <ESP8266WiFi.h>

#include EXAMPLE

#include "world_vectors.h"  // DELEGATION, BEACON, RESPONSE, NODE_KEY: hex, by run.py
extern "C" {
#include "../../src/ntsgw_cbor.h"
}

SerialShim Serial;
EspShim ESP;
WiFiShim WiFi;
EEPROMShim EEPROM;
int64_t shim_clock;

static uint64_t now_us = 1000000;

uint64_t micros64() { return now_us += 3; }
unsigned long millis() { return (unsigned long)(micros64() / 1000); }
void delay(unsigned long ms) { now_us += ms * 1000; }

static char *digits(char *end, unsigned long v) {
  do *--end = (char)('0' + v % 10);
  while (v /= 10);
  return end;
}

void SerialShim::printf(const char *format, ...) {
  va_list args;
  va_start(args, format);
  for (; *format; format++) {
    char room[24], *p;
    bool is_long = false;
    if (*format != '%') {
      target_write(format, 1);
      continue;
    }
    if (*++format == 'l') is_long = true, format++;
    if (*format == 'd') {
      int v = va_arg(args, int);
      if (v < 0) target_write("-", 1);
      p = digits(room + sizeof room, (unsigned long)(v < 0 ? -v : v));
    } else {
      p = digits(room + sizeof room, is_long ? va_arg(args, unsigned long) : va_arg(args, unsigned));
    }
    target_write(p, (size_t)(room + sizeof room - p));
  }
  va_end(args);
}

// The broker: topics that are subscribed to, and messages on their way.
static char topics[3][64];
static int subscribed, connects, requests;
static struct {
  const char *topic;
  uint8_t bytes[256];
  unsigned n;
  uint64_t at;
} waiting;

static unsigned from_hex(const char *s, uint8_t *out) {
  unsigned n = 0;
  for (; s[0] && s[1]; s += 2) {
    int h = s[0] <= '9' ? s[0] - '0' : s[0] - 'a' + 10;
    int l = s[1] <= '9' ? s[1] - '0' : s[1] - 'a' + 10;
    out[n++] = (uint8_t)(h * 16 + l);
  }
  return n;
}

static const char *find(const char *word) {
  for (int i = 0; i < subscribed; i++) {
    if (strstr(topics[i], word)) return topics[i];
  }
  return nullptr;
}

static void send(const char *word, uint64_t in_us) {
  waiting.topic = find(word);
  waiting.at = now_us + in_us;
}

bool PubSubClient::connect(const char *, const char *user, const char *password) {
  up = user && password;
  connects++;
  return up;
}

// Everything of this gateway is below the prefix that it was enrolled with.
static bool below(const char *topic) { return strncmp(topic, NTSGW_TOPIC_PREFIX, sizeof NTSGW_TOPIC_PREFIX - 1) == 0; }

bool PubSubClient::subscribe(const char *topic) {
  if (!below(topic)) return false;
  if (subscribed < 3) strcpy(topics[subscribed++], topic);
  if (strstr(topic, "/key")) {
    waiting.n = from_hex(DELEGATION, waiting.bytes);
    send("/key", 1000);
  }
  return true;
}

// The gateway's time: the beacon's when it arrives, and on with the clock from there.
static uint64_t beacon_at;

static uint8_t *put(uint8_t *p, const char *bytes, unsigned n) {
  memcpy(p, bytes, n);
  return p + n;
}

// A request is answered 8 ms later, with E = 1 ms and 1 ms between receipt and answer.
bool PubSubClient::publish(const char *topic, const uint8_t *payload, unsigned n, bool) {
  static const uint8_t context[] = {0x84, 0x64, 'M', 'A', 'C', '0'};
  static const char external[] = "\x57ntsgw/1/resp/gw1/node-7";
  uint8_t nodes_key[32], *b = waiting.bytes, *p = b, *payload_item;
  if (!below(topic) || !strstr(topic, "/req/") || n < 60 || !beacon_at) return false;
  uint64_t us = now_us + 4000 - beacon_at + 123456;
  p = put(p, "\xd1\x84\x49\xa2\x01\x05\x04\x44\x00\x00\x00\x01\xa0", 13);
  payload_item = p;
  p += 2;
  p = put(p, "\xa9\x01\xd9\x03\xe9\xa3\x01", 7);
  p += ntsgw_cbor_put(p, 0, 1790000000u + (uint32_t)(us / 1000000));
  p = put(p, "\x27\xa2\x01\x00\x28", 5);
  p += ntsgw_cbor_put(p, 0, 1000000);
  p = put(p, "\x28", 1);
  p += ntsgw_cbor_put(p, 0, (uint32_t)(us % 1000000 * 1000));
  p = put(p, "\x02\x48" "epoch 12" "\x04\x01\x05\x02\x06\x00\x07\x18\x25\x09\x50", 21);
  p = put(p, (const char *)payload + 13 + (payload[13] == 0x58 ? 2 : 1) + 3, 16);
  p = put(p, "\x0a", 1);
  p += ntsgw_cbor_put(p, 0, 1000000);
  p = put(p, "\x0b\x03", 2);
  payload_item[0] = 0x58;
  payload_item[1] = (uint8_t)(p - payload_item - 2);
  ntsgw_span pieces[4] = {{context, sizeof context}, {b + 2, 10}, {(const uint8_t *)external, sizeof external - 1},
                          {payload_item, (size_t)(p - payload_item)}};
  p = put(p, "\x58\x20", 2);
  from_hex(NODE_KEY, nodes_key);
  ntsgw_bearssl_hmac256(nodes_key, pieces, 4, p);
  waiting.n = (unsigned)(p + 32 - b);
  requests++;
  send("/resp/", 8000);
  return true;
}

bool PubSubClient::loop() {
  now_us += 500;
  if (waiting.topic && now_us >= waiting.at) {
    char topic[64];
    uint8_t bytes[256];
    strcpy(topic, waiting.topic);
    memcpy(bytes, waiting.bytes, waiting.n);
    unsigned n = waiting.n;
    bool was_key = strstr(topic, "/key") != nullptr;
    waiting.topic = nullptr;
    if (strstr(topic, "/beacon")) beacon_at = now_us;
    if (called) called(topic, bytes, n);
    memset(bytes, 0xee, sizeof bytes);  // as when the client uses its buffer again
    if (was_key) {
      waiting.n = from_hex(BEACON, waiting.bytes);
      send("/beacon", 2000);
    }
  }
  return true;
}

extern "C" int main() {
  int64_t utc = 0, bound = 0;
  setup();
  for (int i = 0; i < 60000; i++) loop();
  uint64_t m = micros64();
  bool good = ntsgw_state(&node, m) == NTSGW_BOUNDED && ntsgw_now(&node, m, &utc) == NTSGW_OK && ntsgw_bound(&node, m, &bound) == NTSGW_OK &&
              ntsgw_alarm(&node) == 0 && connects == 1 && requests >= 1 && requests <= 3 && gateway.held == 1 && EEPROM.commits >= 2;
  // The gateway said 1,790,000,000 s, some seconds of the shim's clock ago.
  good = good && utc / 1000000000 - 1790000000 < 60 && bound < 100000000;
  if (shim_clock) good = good && shim_clock - 1790000000 < 60;
  Serial.printf(good ? "passed\n" : "FAILED\n");
  return good ? 0 : 1;
}
