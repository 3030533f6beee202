#pragma once
#include <Arduino.h>

inline void esp_fill_random(void *out, size_t n) { ESP.random((uint8_t *)out, n); }

// No example may set the clock of the machine that tests it.
#include <sys/time.h>
extern int64_t shim_clock;
inline int shim_settimeofday(const struct timeval *tv, const void *) {
  shim_clock = (int64_t)tv->tv_sec;
  return 0;
}
#define settimeofday shim_settimeofday
