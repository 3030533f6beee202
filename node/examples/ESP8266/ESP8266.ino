// Proved time on an ESP8266, over MQTT with PubSubClient.
//
// enrolment.h is what the gateway writes: ntsgw node add kitchen -form c-header > enrolment.h
// Libraries: PubSubClient. HMAC comes from BearSSL, which the core ships; Ed25519 is this library's.

#include <EEPROM.h>
#include <ESP8266WiFi.h>
#include <PubSubClient.h>
#include <ntsgw_node.h>

#include "enrolment.h"

#ifndef WIFI_SSID
#define WIFI_SSID "your network"
#define WIFI_PASSWORD "its password"
#define BROKER "192.168.1.2"
#endif

static const uint8_t nodeKey[32] = NTSGW_NODE_KEY;
static const uint8_t root[32] = NTSGW_ROOT_ED25519;
static const ntsgw_enrolment who[1] = {
    {NTSGW_GATEWAY, NTSGW_NODE, nodeKey, NTSGW_GENERATION, NTSGW_ED25519, root, NTSGW_ROOT_ED25519_KID}};

// What outlives a reboot. A new enrolment begins it anew.
struct Kept {
  uint8_t key[4];  // of the enrolment that it belongs to
  uint32_t serial;
  uint32_t floor;
  uint64_t numbers;  // of nonces, used up to here
};
static Kept kept;

static bool save() {
  EEPROM.put(0, kept);
  return EEPROM.commit();
}

static int randomBytes(void *, uint8_t *out, size_t n) {
  ESP.random(out, n);
  return 1;
}

static int reserve(void *, uint32_t count, uint64_t *first) {
  *first = kept.numbers;
  kept.numbers += count;
  return save();
}

static void keep(void *, int, uint32_t serial, uint32_t floor) {
  kept.serial = serial;
  kept.floor = floor;
  save();
}

static const ntsgw_crypto crypto = {ntsgw_bearssl_sha256, ntsgw_bearssl_hmac256, ntsgw_ed25519, nullptr};
static const ntsgw_config config = {
    &crypto,
    1000,                // micros64 counts 1,000 ns
    1,                   // one by one
    NTSGW_RHO_PPM(40),   // crystal, temperature and ageing: see the module's data sheet
    0, 0, nullptr,       // deadline, faults, context
    randomBytes, reserve, keep, nullptr};

static ntsgw_node node;
static ntsgw_gateway gateway;

static WiFiClient wifi;
static PubSubClient mqtt(wifi);

// PubSubClient hands over bytes that lie in its own buffer, on a deep stack: they are copied with
// the clock's reading, and judged in loop().
static uint8_t message[NTSGW_MESSAGE_MAX];
static unsigned messageLength;
static uint64_t messageAt;
static ntsgw_kind messageKind;

// What a prefix in the gateway's [mqtt] puts before the library's topics.
static const size_t site = sizeof NTSGW_TOPIC_PREFIX - sizeof "ntsgw/" NTSGW_GATEWAY "/";

static const char *topicOf(ntsgw_kind kind) {
  static char topic[sizeof NTSGW_TOPIC_PREFIX + NTSGW_TOPIC_MAX] = NTSGW_TOPIC_PREFIX;
  ntsgw_topic(&node, 0, kind, topic + site);
  return topic;
}

static void arrived(char *topic, uint8_t *payload, unsigned length) {
  int g;
  messageAt = micros64();
  if (strncmp(topic, NTSGW_TOPIC_PREFIX, site) != 0) return;
  messageKind = ntsgw_match(&node, topic + site, strlen(topic + site), &g);
  if (messageKind == NTSGW_OTHER || length > sizeof message) return;
  memcpy(message, payload, length);
  messageLength = length;
}

static void ask() {
  uint8_t request[NTSGW_REQUEST_MAX];
  size_t n;
  // The clock is read before the first byte is handed over.
  if (ntsgw_request(&node, 0, micros64(), request, &n) == NTSGW_OK) mqtt.publish(topicOf(NTSGW_REQUEST), request, n, false);
}

static uint32_t nextRequest;

void report(int result);

void setup() {
  Serial.begin(115200);
  EEPROM.begin(64);
  EEPROM.get(0, kept);
  if (memcmp(kept.key, nodeKey, sizeof kept.key) != 0) {
    memset(&kept, 0, sizeof kept);
    memcpy(kept.key, nodeKey, sizeof kept.key);
    save();
  }
  ntsgw_init(&node, &config, who, &gateway, 1);
  ntsgw_restore(&node, 0, kept.serial, kept.floor);
  WiFi.begin(WIFI_SSID, WIFI_PASSWORD);
  mqtt.setServer(BROKER, 1883);
  mqtt.setCallback(arrived);
  nextRequest = millis() + ntsgw_retry_ms(&node, 0);  // nodes that start together spread
}

void loop() {
  if (WiFi.status() != WL_CONNECTED) return;
  if (!mqtt.connected()) {
    if (!mqtt.connect(NTSGW_NODE, NTSGW_MQTT_USER, NTSGW_MQTT_PASSWORD)) {
      delay(1000);
      return;
    }
    mqtt.subscribe(topicOf(NTSGW_DELEGATION));
    mqtt.subscribe(topicOf(NTSGW_BEACON));
    mqtt.subscribe(topicOf(NTSGW_RESPONSE));
  }
  mqtt.loop();

  if (messageLength > 0) {
    ntsgw_result r = ntsgw_feed(&node, 0, messageKind, message, messageLength, messageAt);
    messageLength = 0;
    if (r == NTSGW_OK && messageKind == NTSGW_RESPONSE) nextRequest = millis() + 600000;  // ten minutes
    report(r);
  }

  if ((int32_t)(millis() - nextRequest) >= 0) {
    ask();
    nextRequest = millis() + ntsgw_retry_ms(&node, 0);
  }
}

void report(int result) {
  int64_t utc, bound;
  uint64_t m = micros64();
  if (result < 0) Serial.printf("refused: %d\n", result);
  if (ntsgw_alarm(&node)) Serial.printf("alarm: %u\n", (unsigned)ntsgw_alarm(&node));
  if (ntsgw_now(&node, m, &utc) == NTSGW_OK && ntsgw_bound(&node, m, &bound) == NTSGW_OK) {
    Serial.printf("UTC %lu s, off by %lu us at most\n", (unsigned long)(utc / 1000000000), (unsigned long)(bound / 1000) + 1);
  }
}
