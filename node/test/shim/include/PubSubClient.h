// The part of PubSubClient that the examples use, before a broker that is the shim's own: world.cpp.
#pragma once
#include <Arduino.h>
#include <ESP8266WiFi.h>

class PubSubClient {
 public:
  PubSubClient(Client &) {}
  PubSubClient &setServer(const char *, uint16_t) { return *this; }
  PubSubClient &setCallback(void (*callback)(char *, uint8_t *, unsigned)) { called = callback; return *this; }
  bool connect(const char *id, const char *user, const char *password);
  bool connected() { return up; }
  bool subscribe(const char *topic);
  bool publish(const char *topic, const uint8_t *payload, unsigned n, bool retained);
  bool loop();

 private:
  void (*called)(char *, uint8_t *, unsigned) = nullptr;
  bool up = false;
};
