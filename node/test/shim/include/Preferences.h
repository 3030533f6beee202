#pragma once
#include <EEPROM.h>

struct Preferences {
  bool begin(const char *, bool) { return true; }
  size_t getBytes(const char *, void *out, size_t n) { memcpy(out, EEPROM.data, n); return n; }
  size_t putBytes(const char *, const void *in, size_t n) { memcpy(EEPROM.data, in, n); EEPROM.commit(); return n; }
};
