#pragma once
#include <Arduino.h>

#define WL_CONNECTED 3

struct WiFiShim {
  void begin(const char *, const char *) {}
  int status() { return WL_CONNECTED; }
};
extern WiFiShim WiFi;

struct Client {};
struct WiFiClient : Client {};
