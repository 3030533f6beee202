// A thin stand-in for the Arduino core: what the examples use of it, no more. Time is the shim's own.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern "C" void target_write(const char *p, size_t n);

uint64_t micros64();
unsigned long millis();
void delay(unsigned long ms);
void setup();
void loop();

struct SerialShim {
  void begin(unsigned long) {}
  void printf(const char *format, ...) __attribute__((format(printf, 2, 3)));
};
extern SerialShim Serial;

struct EspShim {
  void random(uint8_t *out, size_t n) const { memset(out, 0x5a, n); }
};
extern EspShim ESP;
