/* Ed25519 verification, and nothing else (RFC 8032), for cores that multiply 16
 * by 16 bits: 20 limbs of 13 bits, signed, so that a column of products fits 32
 * bits. It judges public data only and takes no care to hide it.
 *
 * Its verdicts are those of Go's crypto/ed25519: S must be below the group's
 * order; encodings of points that are not reduced are read, small orders are not
 * refused, and [S]B - [k]A must encode to R exactly (no cofactor). */
#include <string.h>

#include "../../ntsgw_node.h"

/* Constants are read in aligned words, as the ESP8266 reads its flash. */
#if defined(ESP8266)
#define CONSTANT static const uint32_t __attribute__((section(".irom.text.ntsgw_ed25519")))
#else
#define CONSTANT static const uint32_t
#endif

/* The field: numbers modulo 2^255 - 19. A reduced one's limbs lie within
 * +-(2^12 + 2). Products may be taken of sums of reduced ones, when the numbers
 * of terms multiply to six at most: 6 * 2^24 * 20 < 2^31. */
#define LIMBS 20
typedef int16_t fe[LIMBS];

#define ROUND 4096
#define FOLD 608 /* 2^260 = 32 * 19 */

/* settle carries what is beyond limb 19 into the first ones. */
static void settle(fe h, int32_t c) {
  int i;
  c *= FOLD;
  for (i = 0; i < 3; i++) {
    c += h[i];
    h[i] = (int16_t)(c - ((c + ROUND) >> 13) * 8192);
    c = (c + ROUND) >> 13;
  }
  h[3] = (int16_t)(h[3] + c);
}

static void reduce(fe h) {
  int32_t c = 0;
  int i;
  for (i = 0; i < LIMBS; i++) {
    c += h[i];
    h[i] = (int16_t)(c - ((c + ROUND) >> 13) * 8192);
    c = (c + ROUND) >> 13;
  }
  settle(h, c);
}

/* Products by columns, written out: two loads, a multiplication by 16 bits and an
 * addition are all that a term costs then. The barrier keeps the compiler from
 * loading all forty limbs first, for which this core has no registers. Nn adds
 * the n terms f[i] g[k - i] from i on to s. */
#if defined(__GNUC__)
#define HERE(s) __asm__ volatile("" : "+r"(s) : : "memory");
#else
#define HERE(s)
#endif
#define A1(s, k, i) s += f[i] * g[(k) - (i)]; HERE(s)
#define A2(s, k, i) A1(s, k, i) A1(s, k, (i) + 1)
#define A4(s, k, i) A2(s, k, i) A2(s, k, (i) + 2)
#define A8(s, k, i) A4(s, k, i) A4(s, k, (i) + 4)
#define A16(s, k, i) A8(s, k, i) A8(s, k, (i) + 8)
#define N1(s, k, i) A1(s, k, i)
#define N2(s, k, i) A2(s, k, i)
#define N3(s, k, i) A2(s, k, i) A1(s, k, (i) + 2)
#define N4(s, k, i) A4(s, k, i)
#define N5(s, k, i) A4(s, k, i) A1(s, k, (i) + 4)
#define N6(s, k, i) A4(s, k, i) A2(s, k, (i) + 4)
#define N7(s, k, i) A4(s, k, i) A2(s, k, (i) + 4) A1(s, k, (i) + 6)
#define N8(s, k, i) A8(s, k, i)
#define N9(s, k, i) A8(s, k, i) A1(s, k, (i) + 8)
#define N10(s, k, i) A8(s, k, i) A2(s, k, (i) + 8)
#define N11(s, k, i) A8(s, k, i) A2(s, k, (i) + 8) A1(s, k, (i) + 10)
#define N12(s, k, i) A8(s, k, i) A4(s, k, (i) + 8)
#define N13(s, k, i) A8(s, k, i) A4(s, k, (i) + 8) A1(s, k, (i) + 12)
#define N14(s, k, i) A8(s, k, i) A4(s, k, (i) + 8) A2(s, k, (i) + 12)
#define N15(s, k, i) A8(s, k, i) A4(s, k, (i) + 8) A2(s, k, (i) + 12) A1(s, k, (i) + 14)
#define N16(s, k, i) A16(s, k, i)
#define N17(s, k, i) A16(s, k, i) A1(s, k, (i) + 16)
#define N18(s, k, i) A16(s, k, i) A2(s, k, (i) + 16)
#define N19(s, k, i) A16(s, k, i) A2(s, k, (i) + 16) A1(s, k, (i) + 18)
#define N20(s, k, i) A16(s, k, i) A4(s, k, (i) + 16)

/* Each column leaves a limb and carries the rest on; the upper ones come first,
 * since they fold into the lower. */
#define TAKE(limb)                  \
  carry = (c + ROUND) >> 13;        \
  limb = (int16_t)(c - carry * 8192); \
  c = carry;
#define UPPER(k) TAKE(high[(k) - LIMBS])
#define LOWER(k) c += FOLD * high[k]; TAKE(out[k])

/* What is left above column 38 is below 2^14: one more limb, and two bits that
 * are folded twice. */
#define BETWEEN TAKE(high[LIMBS - 1]) c *= FOLD * FOLD;

static void finish_product(fe h, const int16_t *out, int32_t c) {
  memcpy(h, out, LIMBS * sizeof *h);
  settle(h, c);
}

/* mul is h = f * g. */
static void mul(fe h, const fe f, const fe g) {
  int16_t high[LIMBS], out[LIMBS];
  int32_t c = 0, carry;
  N19(c, 20, 1) UPPER(20) N18(c, 21, 2) UPPER(21) N17(c, 22, 3) UPPER(22)
  N16(c, 23, 4) UPPER(23) N15(c, 24, 5) UPPER(24) N14(c, 25, 6) UPPER(25)
  N13(c, 26, 7) UPPER(26) N12(c, 27, 8) UPPER(27) N11(c, 28, 9) UPPER(28)
  N10(c, 29, 10) UPPER(29) N9(c, 30, 11) UPPER(30) N8(c, 31, 12) UPPER(31)
  N7(c, 32, 13) UPPER(32) N6(c, 33, 14) UPPER(33) N5(c, 34, 15) UPPER(34)
  N4(c, 35, 16) UPPER(35) N3(c, 36, 17) UPPER(36) N2(c, 37, 18) UPPER(37)
  N1(c, 38, 19) UPPER(38)
  BETWEEN
  N1(c, 0, 0) LOWER(0) N2(c, 1, 0) LOWER(1) N3(c, 2, 0) LOWER(2)
  N4(c, 3, 0) LOWER(3) N5(c, 4, 0) LOWER(4) N6(c, 5, 0) LOWER(5)
  N7(c, 6, 0) LOWER(6) N8(c, 7, 0) LOWER(7) N9(c, 8, 0) LOWER(8)
  N10(c, 9, 0) LOWER(9) N11(c, 10, 0) LOWER(10) N12(c, 11, 0) LOWER(11)
  N13(c, 12, 0) LOWER(12) N14(c, 13, 0) LOWER(13) N15(c, 14, 0) LOWER(14)
  N16(c, 15, 0) LOWER(15) N17(c, 16, 0) LOWER(16) N18(c, 17, 0) LOWER(17)
  N19(c, 18, 0) LOWER(18) N20(c, 19, 0) LOWER(19)
  finish_product(h, out, c);
}

/* square is h = f^2: each product of two different limbs once, doubled. */
static void square(fe h, const fe f) {
  int16_t high[LIMBS], out[LIMBS];
  int32_t c = 0, carry, sum;
  const int16_t *g = f;
  sum = 0; N9(sum, 20, 1) c += 2 * sum; c += f[10] * f[10]; UPPER(20)
  sum = 0; N9(sum, 21, 2) c += 2 * sum; UPPER(21)
  sum = 0; N8(sum, 22, 3) c += 2 * sum; c += f[11] * f[11]; UPPER(22)
  sum = 0; N8(sum, 23, 4) c += 2 * sum; UPPER(23)
  sum = 0; N7(sum, 24, 5) c += 2 * sum; c += f[12] * f[12]; UPPER(24)
  sum = 0; N7(sum, 25, 6) c += 2 * sum; UPPER(25)
  sum = 0; N6(sum, 26, 7) c += 2 * sum; c += f[13] * f[13]; UPPER(26)
  sum = 0; N6(sum, 27, 8) c += 2 * sum; UPPER(27)
  sum = 0; N5(sum, 28, 9) c += 2 * sum; c += f[14] * f[14]; UPPER(28)
  sum = 0; N5(sum, 29, 10) c += 2 * sum; UPPER(29)
  sum = 0; N4(sum, 30, 11) c += 2 * sum; c += f[15] * f[15]; UPPER(30)
  sum = 0; N4(sum, 31, 12) c += 2 * sum; UPPER(31)
  sum = 0; N3(sum, 32, 13) c += 2 * sum; c += f[16] * f[16]; UPPER(32)
  sum = 0; N3(sum, 33, 14) c += 2 * sum; UPPER(33)
  sum = 0; N2(sum, 34, 15) c += 2 * sum; c += f[17] * f[17]; UPPER(34)
  sum = 0; N2(sum, 35, 16) c += 2 * sum; UPPER(35)
  sum = 0; N1(sum, 36, 17) c += 2 * sum; c += f[18] * f[18]; UPPER(36)
  sum = 0; N1(sum, 37, 18) c += 2 * sum; UPPER(37)
  c += f[19] * f[19]; UPPER(38)
  BETWEEN
  c += f[0] * f[0]; LOWER(0)
  sum = 0; N1(sum, 1, 0) c += 2 * sum; LOWER(1)
  sum = 0; N1(sum, 2, 0) c += 2 * sum; c += f[1] * f[1]; LOWER(2)
  sum = 0; N2(sum, 3, 0) c += 2 * sum; LOWER(3)
  sum = 0; N2(sum, 4, 0) c += 2 * sum; c += f[2] * f[2]; LOWER(4)
  sum = 0; N3(sum, 5, 0) c += 2 * sum; LOWER(5)
  sum = 0; N3(sum, 6, 0) c += 2 * sum; c += f[3] * f[3]; LOWER(6)
  sum = 0; N4(sum, 7, 0) c += 2 * sum; LOWER(7)
  sum = 0; N4(sum, 8, 0) c += 2 * sum; c += f[4] * f[4]; LOWER(8)
  sum = 0; N5(sum, 9, 0) c += 2 * sum; LOWER(9)
  sum = 0; N5(sum, 10, 0) c += 2 * sum; c += f[5] * f[5]; LOWER(10)
  sum = 0; N6(sum, 11, 0) c += 2 * sum; LOWER(11)
  sum = 0; N6(sum, 12, 0) c += 2 * sum; c += f[6] * f[6]; LOWER(12)
  sum = 0; N7(sum, 13, 0) c += 2 * sum; LOWER(13)
  sum = 0; N7(sum, 14, 0) c += 2 * sum; c += f[7] * f[7]; LOWER(14)
  sum = 0; N8(sum, 15, 0) c += 2 * sum; LOWER(15)
  sum = 0; N8(sum, 16, 0) c += 2 * sum; c += f[8] * f[8]; LOWER(16)
  sum = 0; N9(sum, 17, 0) c += 2 * sum; LOWER(17)
  sum = 0; N9(sum, 18, 0) c += 2 * sum; c += f[9] * f[9]; LOWER(18)
  sum = 0; N10(sum, 19, 0) c += 2 * sum; LOWER(19)
  finish_product(h, out, c);
}

static void squares(fe h, const fe f, int n) {
  square(h, f);
  while (--n > 0) square(h, h);
}

static void add(fe h, const fe f, const fe g) {
  int i;
  for (i = 0; i < LIMBS; i++) h[i] = (int16_t)(f[i] + g[i]);
}

static void sub(fe h, const fe f, const fe g) {
  int i;
  for (i = 0; i < LIMBS; i++) h[i] = (int16_t)(f[i] - g[i]);
}

static void set(fe h, int v) {
  memset(h, 0, sizeof(fe));
  h[0] = (int16_t)v;
}

/* load reads 255 bits in little-endian words. */
static void load(fe h, const uint32_t *w) {
  int i;
  memset(h, 0, sizeof(fe));
  for (i = 0; i < LIMBS; i++) {
    int bit = 13 * i, word = bit / 32, shift = bit % 32;
    uint32_t v = w[word] >> shift;
    if (shift > 19 && word < 7) v |= w[word + 1] << (32 - shift);
    h[i] = (int16_t)(v & (i == LIMBS - 1 ? 0xff : 0x1fff));
  }
  reduce(h);
}

/* store writes the one encoding below 2^255 - 19. */
static void store(uint8_t out[32], const fe f) {
  int32_t t[LIMBS], c = 0;
  int i, round, bits = 0;
  uint32_t have = 0;
  for (i = 0; i < LIMBS; i++) t[i] = f[i];
  for (round = 0; round < 5; round++) {
    /* Rounds 0 to 2 make the limbs positive and take off what is beyond 2^255; 3
     * tries whether adding 19 reaches 2^255, and 4 takes that off again. */
    if (round == 3) c = 19;
    for (i = 0; i < LIMBS; i++) {
      c += t[i];
      t[i] = c & 0x1fff;
      c >>= 13;
    }
    c = c * 32 + (t[LIMBS - 1] >> 8);
    if (round == 3) {
      /* c is 1 when the number was not below the prime: then the 19 stays in. */
      t[LIMBS - 1] &= 0xff;
      c = c ? 0 : -19;
    } else if (round < 3) {
      t[LIMBS - 1] &= 0xff;
      c *= 19;
    } else {
      c = 0;
    }
  }
  for (i = 0; i < LIMBS; i++) {
    have |= (uint32_t)t[i] << bits;
    for (bits += 13; bits >= 8; bits -= 8) {
      *out++ = (uint8_t)have;
      have >>= 8;
    }
  }
}

static int equal(const fe f, const fe g) {
  uint8_t a[32], b[32];
  store(a, f);
  store(b, g);
  return memcmp(a, b, 32) == 0;
}

/* power is z^(2^252 - 3), or with inverse z^(2^255 - 21) = 1 / z. */
static void power(fe h, const fe z, int inverse) {
  fe a, b, c, z11;
  square(a, z);         /* 2 */
  squares(b, a, 2);     /* 8 */
  mul(b, b, z);         /* 9 */
  mul(z11, a, b);       /* 11 */
  square(a, z11);       /* 22 */
  mul(b, a, b);         /* 2^5 - 1 */
  squares(a, b, 5);
  mul(b, a, b);         /* 2^10 - 1 */
  squares(a, b, 10);
  mul(a, a, b);         /* 2^20 - 1 */
  squares(c, a, 20);
  mul(a, c, a);         /* 2^40 - 1 */
  squares(a, a, 10);
  mul(b, a, b);         /* 2^50 - 1 */
  squares(a, b, 50);
  mul(a, a, b);         /* 2^100 - 1 */
  squares(c, a, 100);
  mul(a, c, a);         /* 2^200 - 1 */
  squares(a, a, 50);
  mul(a, a, b);         /* 2^250 - 1 */
  squares(a, a, inverse ? 5 : 2);
  mul(h, a, inverse ? z11 : z);
}

/* The curve. Points are X, Y, Z with T = XY / Z where it is needed; multiples to
 * be added are kept as Y + X, Y - X, 2 d T and Z. */
typedef struct {
  fe x, y, z, t;
} point;

typedef struct {
  fe sum, difference, t2d, z;
} cached;

CONSTANT d_words[8] = {0x135978a3, 0x75eb4dca, 0x4141d8ab, 0x00700a4d, 0x7779e898, 0x8cc74079, 0x2b6ffe73, 0x52036cee};
CONSTANT root_of_minus_1[8] = {0x4a0ea0b0, 0xc4ee1b27, 0xad2fe478, 0x2f431806, 0x3dfbd7a7, 0x2b4d0099, 0x4fc1df0b, 0x2b832480};

/* y + x, y - x and 2 d x y of 1, 3, 5 and 7 times the base point. */
CONSTANT base[4][3][8] = {
    {{0xf58c3b85, 0x2fbc93c6, 0xfb8c0e19, 0xcf932dc6, 0x643d42c2, 0x270b4898, 0x33d4ba65, 0x07cf9d3a},
     {0xd740913e, 0x9d103905, 0xd140beb3, 0xfd399f05, 0x688f8a09, 0xa5c18434, 0x98f81267, 0x44fd2f92},
     {0x877aaa68, 0xabc91205, 0xccaac49e, 0x26d9e823, 0xdd43598c, 0x5a1b7dcb, 0x9f0c65a8, 0x6f117b68}},
    {{0x4cee9730, 0xaf25b0a8, 0xe8864b8a, 0x025a8430, 0x9f016732, 0xc11b5002, 0x9a80f8f4, 0x7a164e1b},
     {0xa4fcd265, 0x56611fe8, 0xe5c1ba7d, 0x3bd353fd, 0x214bd6bd, 0x8131f31a, 0x555bda62, 0x2ab91587},
     {0x0dd0d889, 0x14ae933f, 0x1c35da62, 0x58942322, 0x8cf2db4c, 0xd170e545, 0x12b9b4c6, 0x5a2826af}},
    {{0x08a5bb33, 0xa212bc44, 0xc75eed02, 0x8d5048c3, 0x5abfec44, 0xdd1beb0c, 0x46e206eb, 0x2945ccf1},
     {0xa447d6ba, 0x7f9182c3, 0x4b2729b7, 0xd50014d1, 0xb864a087, 0xe33cf11c, 0xeb1b55f3, 0x154a7e73},
     {0x812a8285, 0xbcbbdbf1, 0xd0bdd1fc, 0x270e0807, 0x1bbda72d, 0xb41b670b, 0x6b3bb69a, 0x43aabe69}},
    {{0x944ea3bf, 0x6b1a5cd0, 0xb39dc0d2, 0x7470353a, 0x28542e49, 0x71b25282, 0x283c927e, 0x461bea69},
     {0xaa3221b1, 0xba6f2c9a, 0x3bba23a7, 0x6ca02153, 0x92192c3a, 0x9dea764f, 0x2e5317e0, 0x1d6edd5d},
     {0x01b8b3a2, 0xf1836dc8, 0x053ea49a, 0xb3035f47, 0x5877adf3, 0x529c41ba, 0x6a0f90a7, 0x7a9fbb1c}},
};

/* finish turns (E, F, G, H) in e, f, g, h into X = EF, Y = GH, Z = FG, T = EH. F
 * is a sum of more terms than products bear, and is reduced. */
static void finish(point *p, const fe e, fe f, const fe g, const fe h, int with_t) {
  reduce(f);
  mul(p->x, e, f);
  mul(p->y, g, h);
  mul(p->z, f, g);
  if (with_t) mul(p->t, e, h);
}

static void twice(point *p, int with_t) {
  fe a, b, c, e;
  square(a, p->x);
  square(b, p->y);
  square(c, p->z);
  add(p->x, p->x, p->y);
  square(e, p->x);
  add(c, c, c);
  add(p->x, b, a); /* H */
  sub(b, b, a);    /* G */
  sub(e, e, p->x); /* E */
  sub(c, c, b);    /* F */
  memcpy(a, p->x, sizeof a);
  finish(p, e, c, b, a, with_t);
}

/* plus adds q, or subtracts it; its Z is 1 when that isn't given. */
static void plus(point *p, const cached *q, int negative, int with_z, int with_t) {
  fe a, b, c, d;
  sub(a, p->y, p->x);
  add(b, p->y, p->x);
  mul(a, a, negative ? q->sum : q->difference);
  mul(b, b, negative ? q->difference : q->sum);
  mul(c, p->t, q->t2d);
  if (with_z) {
    mul(d, p->z, q->z);
  } else {
    memcpy(d, p->z, sizeof d);
  }
  add(d, d, d);
  sub(p->x, b, a); /* E */
  add(b, b, a);    /* H */
  if (negative) {
    add(a, d, c); /* F */
    sub(c, d, c); /* G */
  } else {
    sub(a, d, c);
    add(c, d, c);
  }
  memcpy(d, p->x, sizeof d);
  finish(p, d, a, c, b, with_t);
}

static void cache(cached *q, const point *p) {
  fe d;
  load(d, d_words);
  add(d, d, d);
  add(q->sum, p->y, p->x);
  sub(q->difference, p->y, p->x);
  reduce(q->sum);
  reduce(q->difference);
  memcpy(q->z, p->z, sizeof(fe));
  mul(q->t2d, p->t, d);
}

/* decompress reads a point; 0 when there is none. It gives its negative. */
static int decompress(point *p, const uint8_t in[32]) {
  uint32_t words[8];
  uint8_t sign[32];
  fe u, v, w;
  int i;
  for (i = 0; i < 8; i++) {
    words[i] = (uint32_t)in[4 * i] | (uint32_t)in[4 * i + 1] << 8 | (uint32_t)in[4 * i + 2] << 16 | (uint32_t)in[4 * i + 3] << 24;
  }
  load(p->y, words);
  set(p->z, 1);
  square(u, p->y);
  load(v, d_words);
  mul(v, u, v);
  sub(u, u, p->z); /* y^2 - 1 */
  add(v, v, p->z); /* d y^2 + 1 */
  reduce(u);
  reduce(v);
  /* x = u v^3 (u v^7)^((p - 5) / 8) */
  square(w, v);
  mul(w, w, v);
  square(p->x, w);
  mul(p->x, p->x, v);
  mul(p->x, p->x, u);
  power(p->x, p->x, 0);
  mul(p->x, p->x, w);
  mul(p->x, p->x, u);
  square(w, p->x);
  mul(w, w, v);
  if (!equal(w, u)) {
    set(v, 0);
    sub(u, v, u);
    if (!equal(w, u)) return 0;
    load(v, root_of_minus_1);
    mul(p->x, p->x, v);
  }
  store(sign, p->x);
  if ((sign[0] & 1) == in[31] >> 7) {
    set(v, 0);
    sub(p->x, v, p->x);
  }
  mul(p->t, p->x, p->y);
  return 1;
}

/* SHA-512 (FIPS 180-4). */
typedef struct {
  uint64_t h[8];
  uint64_t w[16];
  uint32_t n;
} sha512;

#define W(hi, lo) lo, hi
CONSTANT sha512_k[160] = {
    W(0x428a2f98, 0xd728ae22), W(0x71374491, 0x23ef65cd), W(0xb5c0fbcf, 0xec4d3b2f), W(0xe9b5dba5, 0x8189dbbc),
    W(0x3956c25b, 0xf348b538), W(0x59f111f1, 0xb605d019), W(0x923f82a4, 0xaf194f9b), W(0xab1c5ed5, 0xda6d8118),
    W(0xd807aa98, 0xa3030242), W(0x12835b01, 0x45706fbe), W(0x243185be, 0x4ee4b28c), W(0x550c7dc3, 0xd5ffb4e2),
    W(0x72be5d74, 0xf27b896f), W(0x80deb1fe, 0x3b1696b1), W(0x9bdc06a7, 0x25c71235), W(0xc19bf174, 0xcf692694),
    W(0xe49b69c1, 0x9ef14ad2), W(0xefbe4786, 0x384f25e3), W(0x0fc19dc6, 0x8b8cd5b5), W(0x240ca1cc, 0x77ac9c65),
    W(0x2de92c6f, 0x592b0275), W(0x4a7484aa, 0x6ea6e483), W(0x5cb0a9dc, 0xbd41fbd4), W(0x76f988da, 0x831153b5),
    W(0x983e5152, 0xee66dfab), W(0xa831c66d, 0x2db43210), W(0xb00327c8, 0x98fb213f), W(0xbf597fc7, 0xbeef0ee4),
    W(0xc6e00bf3, 0x3da88fc2), W(0xd5a79147, 0x930aa725), W(0x06ca6351, 0xe003826f), W(0x14292967, 0x0a0e6e70),
    W(0x27b70a85, 0x46d22ffc), W(0x2e1b2138, 0x5c26c926), W(0x4d2c6dfc, 0x5ac42aed), W(0x53380d13, 0x9d95b3df),
    W(0x650a7354, 0x8baf63de), W(0x766a0abb, 0x3c77b2a8), W(0x81c2c92e, 0x47edaee6), W(0x92722c85, 0x1482353b),
    W(0xa2bfe8a1, 0x4cf10364), W(0xa81a664b, 0xbc423001), W(0xc24b8b70, 0xd0f89791), W(0xc76c51a3, 0x0654be30),
    W(0xd192e819, 0xd6ef5218), W(0xd6990624, 0x5565a910), W(0xf40e3585, 0x5771202a), W(0x106aa070, 0x32bbd1b8),
    W(0x19a4c116, 0xb8d2d0c8), W(0x1e376c08, 0x5141ab53), W(0x2748774c, 0xdf8eeb99), W(0x34b0bcb5, 0xe19b48a8),
    W(0x391c0cb3, 0xc5c95a63), W(0x4ed8aa4a, 0xe3418acb), W(0x5b9cca4f, 0x7763e373), W(0x682e6ff3, 0xd6b2b8a3),
    W(0x748f82ee, 0x5defb2fc), W(0x78a5636f, 0x43172f60), W(0x84c87814, 0xa1f0ab72), W(0x8cc70208, 0x1a6439ec),
    W(0x90befffa, 0x23631e28), W(0xa4506ceb, 0xde82bde9), W(0xbef9a3f7, 0xb2c67915), W(0xc67178f2, 0xe372532b),
    W(0xca273ece, 0xea26619c), W(0xd186b8c7, 0x21c0c207), W(0xeada7dd6, 0xcde0eb1e), W(0xf57d4f7f, 0xee6ed178),
    W(0x06f067aa, 0x72176fba), W(0x0a637dc5, 0xa2c898a6), W(0x113f9804, 0xbef90dae), W(0x1b710b35, 0x131c471b),
    W(0x28db77f5, 0x23047d84), W(0x32caab7b, 0x40c72493), W(0x3c9ebe0a, 0x15c9bebc), W(0x431d67c4, 0x9c100d4c),
    W(0x4cc5d4be, 0xcb3e42b6), W(0x597f299c, 0xfc657e2a), W(0x5fcb6fab, 0x3ad6faec), W(0x6c44198c, 0x4a475817)};

CONSTANT sha512_start[16] = {W(0x6a09e667, 0xf3bcc908), W(0xbb67ae85, 0x84caa73b), W(0x3c6ef372, 0xfe94f82b), W(0xa54ff53a, 0x5f1d36f1),
                             W(0x510e527f, 0xade682d1), W(0x9b05688c, 0x2b3e6c1f), W(0x1f83d9ab, 0xfb41bd6b), W(0x5be0cd19, 0x137e2179)};

static uint64_t word64(const uint32_t *w) { return (uint64_t)w[1] << 32 | w[0]; }

#define V(k) v[((k) - i) & 7]
#define RIGHT(x, n) ((x) >> (n) | (x) << (64 - (n)))

static void sha512_block(sha512 *s) {
  uint64_t v[8], t, x;
  int i;
  memcpy(v, s->h, sizeof v);
  for (i = 0; i < 80; i++) {
    uint64_t *w = &s->w[i % 16];
    if (i >= 16) {
      x = s->w[(i + 1) % 16];
      *w += RIGHT(x, 1) ^ RIGHT(x, 8) ^ x >> 7;
      x = s->w[(i + 14) % 16];
      *w += s->w[(i + 9) % 16] + (RIGHT(x, 19) ^ RIGHT(x, 61) ^ x >> 6);
    }
    /* The eight variables move down by one each round: their places do instead. */
    x = V(4);
    t = V(7) + (RIGHT(x, 14) ^ RIGHT(x, 18) ^ RIGHT(x, 41)) + ((x & V(5)) ^ (~x & V(6))) + word64(&sha512_k[2 * i]) + *w;
    x = V(0);
    V(3) += t;
    V(7) = t + (RIGHT(x, 28) ^ RIGHT(x, 34) ^ RIGHT(x, 39)) + ((x & V(1)) ^ (x & V(2)) ^ (V(1) & V(2)));
  }
  for (i = 0; i < 8; i++) s->h[i] += v[i];
}

static void sha512_add(sha512 *s, const uint8_t *p, size_t n) {
  while (n-- > 0) {
    uint64_t *w = &s->w[s->n / 8 % 16];
    *w = *w << 8 | *p++;
    s->n++;
    if (s->n % 128 == 0) sha512_block(s);
  }
}

/* The group's order is 2^252 + c: this is c, in 16-bit limbs in words. */
CONSTANT order_rest[8] = {0xd3ed, 0x5cf5, 0x631a, 0x5812, 0x9cd6, 0xa2f7, 0xf9de, 0x14de};

/* modulo reduces 64 bytes, little-endian: from the top, a byte at a time. */
static void modulo(uint8_t out[32], const uint8_t in[64]) {
  int32_t t[17], c, q;
  int i, k;
  memset(t, 0, sizeof t);
  for (k = 63; k >= 0; k--) {
    c = in[k];
    for (i = 0; i < 17; i++) {
      c += t[i] * 256;
      t[i] = c & 0xffff;
      c >>= 16;
    }
    q = t[15] >> 12 | t[16] << 4;
    for (;;) {
      /* Less q times the order; once more, with q = -1, when that was too much. */
      t[15] = (t[15] | t[16] << 16) - q * 4096;
      t[16] = 0;
      c = 0;
      for (i = 0; i < 16; i++) {
        /* Both parts of the product fit: q is below 2^9 but for the sign. */
        c += t[i] - (i < 8 ? (int32_t)order_rest[i] * q : 0);
        if (i == 15) break;
        t[i] = c & 0xffff;
        c >>= 16;
      }
      t[15] = c;
      if (c >= 0) break;
      q = -1;
    }
  }
  for (i = 0; i < 16; i++) {
    out[2 * i] = (uint8_t)t[i];
    out[2 * i + 1] = (uint8_t)(t[i] >> 8);
  }
}

/* below_order compares S with the group's order. */
static int below_order(const uint8_t s[32]) {
  int i;
  if (s[31] != 0x10) return s[31] < 0x10;
  for (i = 15; i >= 0; i--) {
    uint32_t v = (uint32_t)s[2 * i] | (uint32_t)s[2 * i + 1] << 8;
    uint32_t l = i == 15 ? 0x1000 : i < 8 ? order_rest[i] : 0;
    if (v != l) return v < l;
  }
  return 0;
}

/* hash_scalar is SHA-512 of R, A and the message, modulo the group's order. */
static void hash_scalar(uint8_t out[32], const uint8_t r[32], const uint8_t a[32], const ntsgw_span *pieces, size_t n) {
  sha512 s;
  uint8_t digest[64];
  uint32_t bits;
  size_t i;
  for (i = 0; i < 8; i++) s.h[i] = word64(&sha512_start[2 * i]);
  s.n = 0;
  sha512_add(&s, r, 32);
  sha512_add(&s, a, 32);
  for (i = 0; i < n; i++) sha512_add(&s, pieces[i].p, pieces[i].n);
  bits = s.n * 8;
  digest[0] = 0x80;
  sha512_add(&s, digest, 1);
  digest[0] = 0;
  while (s.n % 128 != 112) sha512_add(&s, digest, 1);
  s.w[14] = 0;
  s.w[15] = bits;
  sha512_block(&s);
  for (i = 0; i < 64; i++) digest[i] = (uint8_t)(s.h[i / 8] >> (56 - 8 * (i % 8)));
  modulo(out, digest);
}

/* digits writes a scalar as odd digits from -7 to 7 and zeros, in the lower or
 * upper half of each byte: 0 for none, else (|digit| + 1) / 2, and 8 when it is
 * negative. */
static void digits(uint8_t out[256], const uint8_t scalar[32], int shift) {
  int8_t r[256];
  int i, b, k;
  for (i = 0; i < 256; i++) r[i] = (int8_t)(scalar[i / 8] >> (i % 8) & 1);
  for (i = 0; i < 256; i++) {
    if (r[i] == 0) continue;
    for (b = 1; b <= 3 && i + b < 256; b++) {
      if (r[i + b] == 0) continue;
      if (r[i] + (r[i + b] << b) <= 7) {
        r[i] = (int8_t)(r[i] + (r[i + b] << b));
        r[i + b] = 0;
      } else if (r[i] - (r[i + b] << b) >= -7) {
        r[i] = (int8_t)(r[i] - (r[i + b] << b));
        for (k = i + b; k < 256; k++) {
          if (r[k] == 0) {
            r[k] = 1;
            break;
          }
          r[k] = 0;
        }
      } else {
        break;
      }
    }
  }
  for (i = 0; i < 256; i++) {
    int v = r[i] < 0 ? 8 + (1 - r[i]) / 2 : (1 + r[i]) / 2;
    if (r[i] != 0) out[i] = (uint8_t)(out[i] | v << shift);
  }
}

int ntsgw_ed25519(const uint8_t key[32], const uint8_t signature[64], const ntsgw_span *pieces, size_t n) {
  uint8_t code[256], scalar[32];
  cached multiple[4];
  point p;
  int i;
  if (!below_order(signature + 32)) return 0;
  hash_scalar(scalar, signature, key, pieces, n);
  memset(code, 0, sizeof code);
  digits(code, scalar, 0);
  digits(code, signature + 32, 4);
  if (!decompress(&p, key)) return 0;
  cache(&multiple[0], &p);
  {
    /* The odd multiples: 2 A is kept in the last place until it is that's turn. */
    point two = p;
    twice(&two, 1);
    cache(&multiple[3], &two);
    for (i = 1; i < 4; i++) {
      plus(&p, &multiple[3], 0, 1, 1);
      cache(&multiple[i], &p);
    }
  }
  set(p.x, 0);
  set(p.y, 1);
  set(p.z, 1);
  set(p.t, 0);
  for (i = 255; i >= 0 && code[i] == 0;) i--;
  for (; i >= 0; i--) {
    int of_key = code[i] & 15, of_base = code[i] >> 4;
    twice(&p, code[i] != 0);
    if (of_key) plus(&p, &multiple[of_key >= 8 ? of_key - 9 : of_key - 1], of_key >= 8, 1, of_base != 0);
    if (of_base) {
      cached q;
      int k = of_base >= 8 ? of_base - 9 : of_base - 1;
      load(q.sum, base[k][0]);
      load(q.difference, base[k][1]);
      load(q.t2d, base[k][2]);
      plus(&p, &q, of_base >= 8, 0, 0);
    }
  }
  /* Encode as R is: y, and the sign of x. */
  {
    uint8_t x[32];
    power(p.z, p.z, 1);
    mul(p.x, p.x, p.z);
    mul(p.y, p.y, p.z);
    store(x, p.x);
    store(scalar, p.y);
    scalar[31] = (uint8_t)(scalar[31] | x[0] << 7);
  }
  return memcmp(scalar, signature, 32) == 0;
}
