#pragma once
#include <Arduino.h>

struct EEPROMShim {
  void begin(size_t) {}
  template <class T>
  void get(int at, T &v) { memcpy(&v, data + at, sizeof v); }
  template <class T>
  void put(int at, const T &v) { memcpy(data + at, &v, sizeof v); }
  bool commit() { commits++; return true; }
  uint8_t data[64];
  int commits;
};
extern EEPROMShim EEPROM;
