#include "ntsgw_interval.h"

APART int ntsgw_less(const int64_t *a, const int64_t *b) { return *a < *b; }

APART uint64_t ntsgw_since(const uint64_t *a, const uint64_t *b) { return *b - *a; }

APART void ntsgw_add(int64_t *t, int32_t a, uint32_t b) { *t += (int64_t)a * b; }

/* A product's order, for the prover alone: it needs to be told where that is used. */
/*@ ghost
    /@ requires a <= b;
       assigns \nothing;
       ensures a * c <= b * c;
    @/
    void product(uint64_t a, uint64_t b, uint64_t c) {}
*/

/* drift moves *d ns by what they may be off, *d * rho / 1e9 rounded away from 0, without the
 * product's overflow: up with a sign of 1, down with one of -1. */
/*@ requires \valid(d) && 0 <= *d <= NTSGW_ELAPSED_MAX + 1000000000000 && rho <= NTSGW_RHO_MAX && (sign == 1 || sign == -1);
    assigns *d;
    ensures 0 <= *d <= 4777000000000000000;
    ensures sign == 1 ==> *d >= \old(*d);
    ensures sign == 1 ==> *d * 1000000000 >= \old(*d) * 1000000000 + \old(*d) * rho;
    ensures sign == -1 ==> *d * 1000000000 <= \old(*d) * 1000000000 - \old(*d) * rho;
*/
static void drift(int64_t *d, uint32_t rho, int sign) {
  uint32_t q = (uint32_t)((uint64_t)*d / (2u * NTSGW_NS)); /* in seconds it would not fit */
  uint32_t s = (uint32_t)((uint64_t)*d - (uint64_t)q * (2u * NTSGW_NS));
  int64_t w = NTSGW_NS - 1;
  //@ ghost int64_t all = *d;
  //@ assert all == q * 2000000000 + s && 0 <= s < 2000000000;
  //@ ghost product(rho, NTSGW_RHO_MAX, q);
  //@ ghost product(rho, NTSGW_RHO_MAX, s);
  //@ ghost product(0, rho, s);
  //@ ghost product(0, rho, q);
  //@ assert 0 <= q * rho <= q * 100000000;
  //@ assert 0 <= s * rho <= s * 100000000;
  ntsgw_add(&w, (int32_t)rho, s);
  w = (int64_t)((uint64_t)w / NTSGW_NS);
  //@ assert s * rho <= w * 1000000000 && 0 <= w <= s && w <= 200000000;
  //@ assert all * rho == (q * rho) * 2000000000 + s * rho;
  ntsgw_add(d, sign, (uint32_t)w);
  //@ assert *d == all + sign * w;
  ntsgw_add(d, sign * 2 * (int32_t)rho, q);
  //@ assert *d == all + sign * (w + 2 * (q * rho));
}

/* elapsed puts into *d the ns of true time from reading *m0 to *m1: those that certainly
 * passed, rounded down, or with a sign of 1 the most that may have passed, rounded up, or
 * more than lies between any two times. */
/*@ requires rate_ok(*r) && \valid_read(r) && \valid_read(m0) && \valid_read(m1);
    requires \valid(d) && \separated(d, r) && \separated(d, m0) && \separated(d, m1);
    requires *m0 <= *m1 && (sign == 1 || sign == -1);
    assigns *d;
    ensures 0 <= *d <= 4777000000000000000;
    ensures sign == -1 ==> *d * 1000000000 <= least_true(*m0, *m1, *r);
    ensures sign == 1 && *d <= NTSGW_TIME_MAX - NTSGW_TIME_MIN ==> *d * 1000000000 >= most_true(*m0, *m1, *r);
*/
static void elapsed(const uint64_t *m0, const uint64_t *m1, const ntsgw_config *r, int sign, int64_t *d) {
  uint64_t n = ntsgw_since(m0, m1);
  uint32_t high = NTSGW_ELAPSED_HIGH / r->count_ns;
  //@ ghost uint32_t unit = r->count_ns;
  //@ ghost uint32_t tick = r->tick;
  //@ ghost uint32_t rho = r->rho_ppb;
  //@ ghost uint64_t all = n;
  //@ ghost uint64_t limit = high * 4294967296;
  //@ assert high * unit <= NTSGW_ELAPSED_HIGH < high * unit + unit;
  //@ assert NTSGW_TIME_MAX - NTSGW_TIME_MIN < limit * unit <= NTSGW_ELAPSED_MAX;
  if (n / 4294967296 >= high) n = high * (uint64_t)4294967296;
  //@ assert n <= all && n <= limit && (all > limit ==> n == limit) && (all <= limit ==> n == all);
  //@ ghost uint64_t some = n;
  *d = (int64_t)n;
  ntsgw_add(d, sign, r->tick);
  if (*d < 0) *d = 0;
  //@ ghost uint64_t few = all > tick ? all - tick : 0;
  //@ ghost uint64_t many = some + tick;
  //@ ghost int64_t counts = *d;
  //@ assert few == fewest(*m0, *m1, *r);
  //@ assert sign == -1 ==> counts <= few && counts <= limit;
  //@ assert sign == 1 ==> counts == many;
  //@ ghost product(tick, NTSGW_UNIT_MAX, unit);
  //@ ghost product(unit, NTSGW_UNIT_MAX, NTSGW_UNIT_MAX);
  //@ ghost product(0, tick, unit);
  //@ ghost product(0, counts, unit);
  //@ ghost product(some, limit, unit);
  //@ ghost product(counts, many, unit);
  //@ assert 0 <= counts * unit <= NTSGW_ELAPSED_MAX + 1000000000000;
  //@ ghost product(some, many, unit);
  //@ ghost if (sign < 0) product(counts, few, unit);
  *d *= r->count_ns;
  //@ ghost int64_t ns = *d;
  //@ assert ns == counts * unit;
  //@ assert sign == -1 ==> ns <= few * unit;
  //@ assert sign == 1 && all > limit ==> ns >= limit * unit;
  //@ assert sign == 1 && all <= limit ==> ns == most_counts(*m0, *m1, *r) * unit;
  drift(d, r->rho_ppb, sign);
  //@ assert sign == 1 ==> *d * 1000000000 >= ns * (1000000000 + rho);
  //@ assert sign == 1 && all > limit ==> *d > NTSGW_TIME_MAX - NTSGW_TIME_MIN;
  //@ assert sign == 1 && all <= limit ==> *d * 1000000000 >= most_true(*m0, *m1, *r);
  //@ assert sign == -1 ==> *d * 1000000000 <= ns * (1000000000 - rho);
  //@ assert sign == -1 ==> (few * unit - ns) * (1000000000 - rho) >= 0;
}

/* carry puts an end at reading *m into *out; unknown when *m lies before the end's own. The
 * sign is 1 for an upper end, else -1. */
/*@ requires \valid_read(e) && \valid_read(m) && \valid_read(r) && rate_ok(*r) && (sign == 1 || sign == -1);
    requires \valid(out) && \separated(out, e) && \separated(out, m) && \separated(out, r);
    requires sign == 1 ? hi_range(e->tai) : lo_range(e->tai);
    assigns *out;
    ensures sign == 1 ? hi_range(*out) : lo_range(*out);
    ensures \forall real t; sign == -1 && clock_ok(*r) && shown(t) == *m && lo_sound(e->tai, e->at, t) ==> below(*out, t);
    ensures \forall real t; sign == 1 && clock_ok(*r) && shown(t) == *m && hi_sound(e->tai, e->at, t) ==> above(*out, t);
*/
static APART void carry(const ntsgw_end *e, const uint64_t *m, const ntsgw_config *r, int sign, int64_t *out) {
  int64_t unknown = sign > 0 ? NTSGW_HI_UNKNOWN : NTSGW_LO_UNKNOWN;
  if (e->tai == unknown || *m < e->at) {
    *out = unknown;
    return;
  }
  elapsed(&e->at, m, r, sign, out);
  /*@ assert low: sign == -1 ==> \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == *m && shown(a) == e->at
        ==> *out * 1000000000 <= (t - a) * 1000000000.0; */
  /*@ assert high: sign == 1 && *out <= NTSGW_TIME_MAX - NTSGW_TIME_MIN ==> \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == *m && shown(a) == e->at
        ==> (t - a) * 1000000000.0 <= *out * 1000000000; */
  *out += e->tai;
  /*@ assert \forall real a, real t; sign == -1 && clock_ok(*r) && a <= t && shown(t) == *m && shown(a) == e->at && e->tai <= a
        ==> *out <= t; */
  /*@ assert \forall real a, real t; sign == 1 && *out <= NTSGW_TIME_MAX && clock_ok(*r) && a <= t && shown(t) == *m && shown(a) == e->at && a <= e->tai
        ==> t <= *out; */
  if (*out > NTSGW_TIME_MAX) *out = sign > 0 ? NTSGW_HI_UNKNOWN : NTSGW_TIME_MAX;
}

void ntsgw_at(const ntsgw_interval *v, const uint64_t *m, const ntsgw_config *r, ntsgw_bounds *out) {
  carry(&v->lo, m, r, -1, &out->lo);
  carry(&v->hi, m, r, 1, &out->hi);
}

int ntsgw_intersect(ntsgw_interval *v, const ntsgw_interval *e, const uint64_t *m, const ntsgw_config *r, ntsgw_bounds *own) {
  ntsgw_bounds old;
  int done;
  ntsgw_at(v, m, r, &old);
  ntsgw_at(e, m, r, own);
  if (ntsgw_less(&own->hi, &own->lo)) return NTSGW_EMPTY | NTSGW_LO | NTSGW_HI;
  if (ntsgw_less(&old.hi, &own->lo)) return NTSGW_EMPTY | NTSGW_LO;
  if (ntsgw_less(&own->hi, &old.lo)) return NTSGW_EMPTY | NTSGW_HI;
  done = ntsgw_less(&old.lo, &own->lo); /* 1 is NTSGW_LO */
  if (done) v->lo = e->lo;
  if (ntsgw_less(&own->hi, &old.hi)) {
    v->hi = e->hi;
    done += NTSGW_HI;
  }
  return done;
}

/* cover counts the intervals that cover a point. */
/*@ requires 1 <= n <= NTSGW_GATEWAYS_MAX && \valid_read(b + (0 .. n - 1));
    assigns \nothing;
    ensures 0 <= \result <= n;
    ensures (\forall integer j; 0 <= j < n && covers(b, j) ==> b[j].lo <= point <= b[j].hi) ==> covering(b, n) <= \result;
*/
static int cover(const ntsgw_bounds *b, int n, int64_t point) {
  int j, count = 0;
  /*@ loop invariant 0 <= j <= n && 0 <= count <= j;
      loop invariant (\forall integer k; 0 <= k < n && covers(b, k) ==> b[k].lo <= point <= b[k].hi) ==> covering(b, j) <= count;
      loop assigns j, count;
      loop variant n - j;
  */
  for (j = 0; j < n; j++) {
    //@ assert \forall integer a; 0 <= a < 8 && a != j ==> hit(b, j + 1, a) == hit(b, j, a);
    //@ assert hit(b, j, j) == 0 && (covers(b, j) ? hit(b, j + 1, j) == 1 : hit(b, j + 1, j) == 0);
    //@ assert covers(b, j) ? covering(b, j + 1) == covering(b, j) + 1 : covering(b, j + 1) == covering(b, j);
    if (b[j].lo <= point && point <= b[j].hi) count++;
  }
  return count;
}

int ntsgw_hull(const ntsgw_bounds *b, int n, int need, ntsgw_bounds *out) {
  int i, found = 0;
  int64_t lo = NTSGW_HI_UNKNOWN, hi = NTSGW_LO_UNKNOWN;
  /* Where need intervals cover t, the highest of the lower ends that are not above t
   * is covered by the same ones: so the ends themselves are all the points to try. */
  /*@ ghost
      int k = 0;
      /@ loop invariant 0 <= k <= n;
         loop invariant covering(b, k) >= 1 ==> \exists integer a; 0 <= a < k && covers(b, a);
         loop invariant \forall integer a; 0 <= a < k && below(b[a].lo, moment) ==> \exists integer c; last_lo(b, k, c);
         loop invariant \forall integer a; 0 <= a < k && above(b[a].hi, moment) ==> \exists integer c; first_hi(b, k, c);
         loop assigns k;
         loop variant n - k;
      @/
      while (k < n) {
        /@ assert \forall integer a; 0 <= a < 8 && a != k ==> hit(b, k + 1, a) == hit(b, k, a); @/
        /@ assert hit(b, k, k) == 0 && (hit(b, k + 1, k) == 1 ==> covers(b, k)); @/
        /@ assert covering(b, k + 1) >= 1 ==> covering(b, k) >= 1 || covers(b, k); @/
        /@ assert \forall integer c; last_lo(b, k, c) ==> last_lo(b, k + 1, c) || last_lo(b, k + 1, k); @/
        /@ assert \forall integer c; first_hi(b, k, c) ==> first_hi(b, k + 1, c) || first_hi(b, k + 1, k); @/
        /@ assert (\exists integer c; last_lo(b, k, c)) ==> \exists integer c; last_lo(b, k + 1, c); @/
        /@ assert (\exists integer c; first_hi(b, k, c)) ==> \exists integer c; first_hi(b, k + 1, c); @/
        /@ assert below(b[k].lo, moment) && (\forall integer a; 0 <= a < k ==> !below(b[a].lo, moment)) ==> last_lo(b, k + 1, k); @/
        /@ assert above(b[k].hi, moment) && (\forall integer a; 0 <= a < k ==> !above(b[a].hi, moment)) ==> first_hi(b, k + 1, k); @/
        k++;
      }
  */
  //@ assert covering(b, n) >= 1 ==> \exists integer a; 0 <= a < n && covers(b, a);
  //@ assert covering(b, n) >= need ==> \exists integer c; last_lo(b, n, c);
  //@ assert covering(b, n) >= need ==> \exists integer c; first_hi(b, n, c);
  /*@ loop invariant -1 <= i < 2 * n;
      loop invariant \forall integer k; i < 2 * k && last_lo(b, n, k) && covering(b, n) >= need ==> lo <= b[k].lo && found == 1;
      loop invariant \forall integer k; i < 2 * k + 1 && first_hi(b, n, k) && covering(b, n) >= need ==> b[k].hi <= hi;
      loop invariant found == 0 || found == 1;
      loop assigns i, lo, hi, found;
      loop variant i;
  */
  for (i = 2 * n - 1; i >= 0; i--) {
    int64_t point = i % 2 ? b[i / 2].hi : b[i / 2].lo;
    //@ assert last_lo(b, n, i / 2) ==> \forall integer j; 0 <= j < n && covers(b, j) ==> b[j].lo <= b[i / 2].lo <= b[j].hi;
    //@ assert first_hi(b, n, i / 2) ==> \forall integer j; 0 <= j < n && covers(b, j) ==> b[j].lo <= b[i / 2].hi <= b[j].hi;
    if (cover(b, n, point) < need) continue;
    found = 1;
    if (point < lo) lo = point;
    if (point > hi) hi = point;
  }
  //@ assert covering(b, n) >= need ==> below(lo, moment) && above(hi, moment);
  out->lo = lo;
  out->hi = hi;
  if (found) return 1;
  /* No point is covered: the ends are still those that are farthest inside out. */
  out->lo = hi;
  out->hi = lo;
  return 0;
}

#define DAY_NS 86400000000000
#define DAYS_TO_1970 671 /* from 1968-03-01 */
#define MARCH_2100 48212u /* its first day, from there */

/* Years begin in March, so that a leap day is the last one; 2100, which has none,
 * counts as if it had. */
APART int32_t ntsgw_month(const int64_t *t, int32_t s) {
  int64_t utc = *t;
  uint32_t day, year;
  ntsgw_add(&utc, s + DAYS_TO_1970 * 86400, NTSGW_NS);
  day = (uint32_t)((uint64_t)utc / DAY_NS);
  if (day >= MARCH_2100) day++;
  year = (4u * day + 3u) / 1461u;
  //@ assert 1461 * year <= 4 * day + 3 < 1461 * year + 1461;
  day -= 1461u * year / 4u;
  return (int32_t)(12u * year + (5u * day + 2u) / 153u + 2u);
}

/* halves counts the ends of June and December between the time s seconds after *t
 * and a half of a year, counted from 1968. */
/*@ requires \valid_read(t) && 0 <= half <= 300;
    requires -1500000000000000 <= *t + s * 1000000000 <= 4600000000000000000 && -100000 <= s <= 100000;
    assigns \nothing;
    ensures 0 <= \result <= 300;
*/
static int32_t halves(const int64_t *t, int32_t s, int32_t half) {
  int32_t n = ntsgw_month(t, s) / 6 - half;
  return n < 0 ? -n : n;
}

void ntsgw_utc(int64_t *end, int sign, const ntsgw_leaps *r) {
  int64_t unknown = sign > 0 ? NTSGW_HI_UNKNOWN : NTSGW_LO_UNKNOWN;
  int32_t leap = r->leap, outward = 0, half, n, s = -r->tai_utc, own = 0, moved = 0;
  int late;
  if (r->month == 0 || *end == unknown) {
    *end = unknown;
    return;
  }
  if (leap == 2) {
    leap = 0;
    own = r->error_s > 1 ? r->error_s : 1;
  }
  /* An inserted second belongs to the old month for hi and to the new one for lo. */
  n = s;
  if (leap <= sign) n -= leap;
  late = ntsgw_month(end, n) > r->month;
  if (late) s -= leap;
  if (late || ntsgw_month(end, s) < r->month) {
    half = r->month / 6;
    /*@ loop invariant 0 <= outward <= 300 && (moved == 0 || 1 <= sign * moved <= 301);
        loop assigns n, outward, moved;
        loop variant moved == 0 ? 1 : 0;
    */
    do {
      n = halves(end, s + moved, half);
      if (n > outward) outward = n; /* moving the end outward carries it past one more */
      moved = moved ? 0 : sign * (n + 1);
    } while (moved != 0);
    /* The month's own end is accounted for by the leap, where that is known. */
    if (late && own == 0 && r->month == 6 * half + 5 && outward > 0) outward--;
  }
  ntsgw_add(end, s + sign * (outward + own), NTSGW_NS);
}
