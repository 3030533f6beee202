/* What the chip has in its ROM and libgcc for lx106 leaves out. */
#include <stdint.h>

static uint32_t divide(uint32_t n, uint32_t d, uint32_t *rest) {
  uint32_t q = 0, r = 0;
  int i = 32;
  if (d == 0) __builtin_trap();
  while (i > 0 && !(n >> (i - 1))) i--;
  while (i-- > 0) {
    r = r << 1 | ((n >> i) & 1u);
    if (r >= d) {
      r -= d;
      q |= 1u << i;
    }
  }
  *rest = r;
  return q;
}

uint32_t __udivsi3(uint32_t n, uint32_t d) {
  uint32_t r;
  return divide(n, d, &r);
}

uint32_t __umodsi3(uint32_t n, uint32_t d) {
  uint32_t r;
  divide(n, d, &r);
  return r;
}

int32_t __divsi3(int32_t n, int32_t d) {
  uint32_t r, q = divide(n < 0 ? 0u - (uint32_t)n : (uint32_t)n, d < 0 ? 0u - (uint32_t)d : (uint32_t)d, &r);
  return (int32_t)((n < 0) != (d < 0) ? 0u - q : q);
}

int32_t __modsi3(int32_t n, int32_t d) { return n - __divsi3(n, d) * d; }

typedef union {
  uint64_t v;
  struct {
    uint32_t lo, hi;
  } w;
} two;

uint64_t __ashldi3(uint64_t v, int n) {
  two x = {v}, y;
  if (n == 0) return v;
  if (n >= 32) {
    y.w.lo = 0;
    y.w.hi = x.w.lo << (n - 32);
  } else {
    y.w.lo = x.w.lo << n;
    y.w.hi = x.w.hi << n | x.w.lo >> (32 - n);
  }
  return y.v;
}

uint64_t __lshrdi3(uint64_t v, int n) {
  two x = {v}, y;
  if (n == 0) return v;
  if (n >= 32) {
    y.w.hi = 0;
    y.w.lo = x.w.hi >> (n - 32);
  } else {
    y.w.hi = x.w.hi >> n;
    y.w.lo = x.w.lo >> n | x.w.hi << (32 - n);
  }
  return y.v;
}

int64_t __ashrdi3(int64_t v, int n) {
  two x = {(uint64_t)v}, y;
  if (n == 0) return v;
  if (n >= 32) {
    y.w.hi = (uint32_t)((int32_t)x.w.hi >> 31);
    y.w.lo = (uint32_t)((int32_t)x.w.hi >> (n - 32));
  } else {
    y.w.hi = (uint32_t)((int32_t)x.w.hi >> n);
    y.w.lo = x.w.lo >> n | x.w.hi << (32 - n);
  }
  return (int64_t)y.v;
}

/* 32 x 32 -> 64 bits in four 16-bit products. */
static uint64_t wide(uint32_t a, uint32_t b) {
  uint32_t al = a & 0xffff, ah = a >> 16, bl = b & 0xffff, bh = b >> 16;
  uint32_t low = al * bl, mid = ah * bl, mid2 = al * bh, high = ah * bh;
  two x;
  mid += low >> 16;
  mid2 += mid & 0xffff;
  x.w.lo = mid2 << 16 | (low & 0xffff);
  x.w.hi = high + (mid >> 16) + (mid2 >> 16);
  return x.v;
}

uint64_t __umulsidi3(uint32_t a, uint32_t b) { return wide(a, b); }

uint64_t __muldi3(uint64_t a, uint64_t b) {
  two x = {a}, y = {b}, z;
  z.v = wide(x.w.lo, y.w.lo);
  z.w.hi += x.w.lo * y.w.hi + x.w.hi * y.w.lo;
  return z.v;
}

static uint64_t divide64(uint64_t n, uint64_t d, uint64_t *rest) {
  uint64_t q = 0, r = 0;
  uint32_t lead = 0;
  int i;
  if (d == 0) __builtin_trap();
  if (n >> 32 == 0 && d >> 32 == 0) {
    *rest = 0;
    q = divide((uint32_t)n, (uint32_t)d, &lead);
    *rest = lead;
    return q;
  }
  two x = {n};
  for (i = x.w.hi ? 63 : 31; i > 0 && !((i >= 32 ? x.w.hi >> (i - 32) : x.w.lo >> i) & 1u);) i--;
  for (; i >= 0; i--) {
    uint32_t bit = i >= 32 ? x.w.hi >> (i - 32) : x.w.lo >> i;
    r = (r + r) | (bit & 1u);
    q += q;
    if (r >= d) {
      r -= d;
      q |= 1u;
    }
  }
  *rest = r;
  return q;
}

uint64_t __udivdi3(uint64_t n, uint64_t d) {
  uint64_t r;
  return divide64(n, d, &r);
}

uint64_t __umoddi3(uint64_t n, uint64_t d) {
  uint64_t r;
  divide64(n, d, &r);
  return r;
}

static uint64_t size_of(int64_t v) { return v < 0 ? 0u - (uint64_t)v : (uint64_t)v; }

int64_t __divdi3(int64_t n, int64_t d) {
  uint64_t r, q = divide64(size_of(n), size_of(d), &r);
  return (int64_t)((n < 0) != (d < 0) ? 0u - q : q);
}

int64_t __moddi3(int64_t n, int64_t d) {
  uint64_t r;
  divide64(size_of(n), size_of(d), &r);
  return (int64_t)(n < 0 ? 0u - r : r);
}
