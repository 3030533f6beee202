#include "ntsgw_interval.h"

uint64_t ntsgw_rate_limit(uint32_t unit_ns) { return (uint64_t)NTSGW_ELAPSED_MAX / unit_ns; }

/* A product's order, for the prover alone: it needs to be told where that is used. */
/*@ ghost
    /@ requires a <= b;
       assigns \nothing;
       ensures a * c <= b * c;
    @/
    void product(uint64_t a, uint64_t b, uint64_t c) {}
*/

/* drift is ceil(d * rho / 1e9), without the product's overflow. */
/*@ requires d <= NTSGW_ELAPSED_MAX && rho <= NTSGW_RHO_MAX;
    assigns \nothing;
    ensures d * rho <= \result * 1000000000 < d * rho + 1000000000;
    ensures \result <= d && \result <= 400000000100000000;
*/
static uint64_t drift(uint64_t d, uint32_t rho) {
  uint64_t q = d / NTSGW_NS;
  uint64_t s = d % NTSGW_NS;
  //@ assert d == q * 1000000000 + s && 0 <= s < 1000000000;
  //@ ghost product(rho, NTSGW_RHO_MAX, q);
  //@ ghost product(rho, NTSGW_RHO_MAX, s);
  //@ ghost product(0, rho, s);
  //@ assert q * rho <= q * 100000000;
  //@ assert 0 <= s * rho <= s * 100000000;
  uint64_t part = (s * rho + (NTSGW_NS - 1)) / NTSGW_NS;
  //@ assert s * rho <= part * 1000000000 < s * rho + 1000000000;
  //@ assert d * rho == (q * rho) * 1000000000 + s * rho;
  //@ assert 0 <= part <= s && part <= 100000000;
  return q * rho + part;
}

int64_t ntsgw_elapsed(uint64_t m0, uint64_t m1, const ntsgw_rate *r, int most) {
  uint64_t n = m1 - m0, d;
  if (most) {
    if (n > r->limit - r->tick) return NTSGW_HI_UNKNOWN;
    n += r->tick;
    //@ assert n == most_counts(m0, m1, *r) && n <= r->limit;
    //@ ghost product(n, r->limit, r->unit_ns);
    //@ assert n * r->unit_ns <= r->limit * r->unit_ns;
    d = n * r->unit_ns;
    //@ assert d == most_counts(m0, m1, *r) * r->unit_ns;
    n = drift(d, r->rho_ppb);
    //@ assert (d + n) * 1000000000 >= d * (1000000000 + r->rho_ppb);
    return (int64_t)(d + n);
  }
  n = n > r->tick ? n - r->tick : 0;
  if (n > r->limit) n = r->limit;
  //@ assert n <= fewest(m0, m1, *r) && n <= r->limit;
  //@ ghost product(n, r->limit, r->unit_ns);
  //@ ghost uint64_t all = m1 - m0 > r->tick ? m1 - m0 - r->tick : 0;
  //@ assert all == fewest(m0, m1, *r) && n <= all;
  //@ ghost product(n, all, r->unit_ns);
  //@ assert n * r->unit_ns <= all * r->unit_ns;
  d = n * r->unit_ns;
  n = drift(d, r->rho_ppb);
  //@ assert (d - n) * 1000000000 <= d * (1000000000 - r->rho_ppb);
  //@ assert d <= all * r->unit_ns && 0 <= 1000000000 - r->rho_ppb;
  //@ assert (all * r->unit_ns - d) * (1000000000 - r->rho_ppb) >= 0;
  return (int64_t)(d - n);
}

int64_t ntsgw_lo(const ntsgw_interval *v, uint64_t m, const ntsgw_rate *r) {
  int64_t x;
  if (v->lo == NTSGW_LO_UNKNOWN || m < v->lo_at) return NTSGW_LO_UNKNOWN;
  x = v->lo + ntsgw_elapsed(v->lo_at, m, r, 0);
  /*@ assert keeps: \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == m && shown(a) == v->lo_at
        ==> (x - v->lo) * 1000000000 <= (t - a) * 1000000000.0; */
  /*@ assert holds: \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == m && shown(a) == v->lo_at && v->lo <= a
        ==> x <= t; */
  //@ assert \forall real t; clock_ok(*r) && shown(t) == m && lo_sound(v->lo, v->lo_at, t) ==> x <= t;
  return x > NTSGW_TIME_MAX ? NTSGW_TIME_MAX : x;
}

int64_t ntsgw_hi(const ntsgw_interval *v, uint64_t m, const ntsgw_rate *r) {
  int64_t e;
  if (v->hi == NTSGW_HI_UNKNOWN || m < v->hi_at) return NTSGW_HI_UNKNOWN;
  e = ntsgw_elapsed(v->hi_at, m, r, 1);
  if (e > NTSGW_TIME_MAX - v->hi) return NTSGW_HI_UNKNOWN;
  //@ assert e * 1000000000 >= most_true(v->hi_at, m, *r);
  /*@ assert keeps: \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == m && shown(a) == v->hi_at
        ==> (t - a) * 1000000000.0 <= e * 1000000000; */
  e += v->hi;
  /*@ assert holds: \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == m && shown(a) == v->hi_at && a <= v->hi
        ==> t <= e; */
  //@ assert \forall real t; clock_ok(*r) && shown(t) == m && hi_sound(v->hi, v->hi_at, t) ==> t <= e;
  return e;
}

int ntsgw_raise(ntsgw_interval *v, uint64_t m, int64_t lower, const ntsgw_rate *r) {
  if (lower <= ntsgw_lo(v, m, r)) return 0;
  if (lower > ntsgw_hi(v, m, r)) return -NTSGW_LO;
  v->lo = lower;
  v->lo_at = m;
  return NTSGW_LO;
}

int ntsgw_exchange(ntsgw_interval *v, uint64_t m1, int64_t upper, uint64_t m4, int64_t lower, const ntsgw_rate *r) {
  int64_t lo = ntsgw_lo(v, m4, r);
  int64_t hi = ntsgw_hi(v, m4, r);
  int64_t top = ntsgw_elapsed(m1, m4, r, 1);
  int done = 0;
  top = top > NTSGW_TIME_MAX - upper ? NTSGW_HI_UNKNOWN : top + upper;
  if (lower > top) return -(NTSGW_LO | NTSGW_HI);
  if (lower > hi) return -NTSGW_LO;
  if (lo > top) return -NTSGW_HI;
  if (lower > lo) {
    v->lo = lower;
    v->lo_at = m4;
    done += NTSGW_LO;
  }
  if (top < hi) {
    v->hi = upper;
    v->hi_at = m1;
    done += NTSGW_HI;
  }
  return done;
}

int ntsgw_hull(const int64_t *lo, const int64_t *hi, int n, int need, ntsgw_bounds *out) {
  int found_lo = 0, found_hi = 0;
  int i, j;
  int64_t best_lo = NTSGW_LO_UNKNOWN, best_hi = NTSGW_HI_UNKNOWN;
  /* Where need intervals cover t, the highest of the lower ends that are not above t
   * is covered by the same ones: so the ends themselves are all the points to try. */
  /*@ ghost
      int k = 0;
      /@ loop invariant 0 <= k <= n;
         loop invariant covering(lo, hi, k) >= 1 ==> \exists integer a; 0 <= a < k && covers(lo, hi, a);
         loop invariant \forall integer a; 0 <= a < k && below(lo[a], moment) ==> \exists integer b; last_lo(lo, k, b);
         loop invariant \forall integer a; 0 <= a < k && above(hi[a], moment) ==> \exists integer b; first_hi(hi, k, b);
         loop assigns k;
         loop variant n - k;
      @/
      while (k < n) {
        /@ assert \forall integer a; 0 <= a < 8 && a != k ==> hit(lo, hi, k + 1, a) == hit(lo, hi, k, a); @/
        /@ assert hit(lo, hi, k, k) == 0 && (hit(lo, hi, k + 1, k) == 1 ==> covers(lo, hi, k)); @/
        /@ assert covering(lo, hi, k + 1) >= 1 ==> covering(lo, hi, k) >= 1 || covers(lo, hi, k); @/
        /@ assert \forall integer b; last_lo(lo, k, b) ==> last_lo(lo, k + 1, b) || last_lo(lo, k + 1, k); @/
        /@ assert \forall integer b; first_hi(hi, k, b) ==> first_hi(hi, k + 1, b) || first_hi(hi, k + 1, k); @/
        /@ assert (\exists integer b; last_lo(lo, k, b)) ==> \exists integer b; last_lo(lo, k + 1, b); @/
        /@ assert (\exists integer b; first_hi(hi, k, b)) ==> \exists integer b; first_hi(hi, k + 1, b); @/
        /@ assert below(lo[k], moment) && (\forall integer a; 0 <= a < k ==> !below(lo[a], moment)) ==> last_lo(lo, k + 1, k); @/
        /@ assert above(hi[k], moment) && (\forall integer a; 0 <= a < k ==> !above(hi[a], moment)) ==> first_hi(hi, k + 1, k); @/
        k++;
      }
  */
  //@ assert covering(lo, hi, n) >= 1 ==> \exists integer a; 0 <= a < n && covers(lo, hi, a);
  //@ assert covering(lo, hi, n) >= need ==> \exists integer b; last_lo(lo, n, b);
  //@ assert covering(lo, hi, n) >= need ==> \exists integer b; first_hi(hi, n, b);
  /*@ loop invariant 0 <= i <= n;
      loop invariant (found_lo == 0 || found_lo == 1) && (found_hi == 0 || found_hi == 1);
      loop invariant found_lo == 0 ==> best_lo == NTSGW_LO_UNKNOWN;
      loop invariant found_hi == 0 ==> best_hi == NTSGW_HI_UNKNOWN;
      loop invariant \forall integer k; 0 <= k < i && last_lo(lo, n, k) && covering(lo, hi, n) >= need ==> found_lo == 1 && best_lo <= lo[k];
      loop invariant \forall integer k; 0 <= k < i && first_hi(hi, n, k) && covering(lo, hi, n) >= need ==> found_hi == 1 && hi[k] <= best_hi;
      loop assigns i, j, found_lo, found_hi, best_lo, best_hi;
      loop variant n - i;
  */
  for (i = 0; i < n; i++) {
    int at_lo = 0, at_hi = 0;
    /*@ loop invariant 0 <= j <= n && 0 <= at_lo <= j && 0 <= at_hi <= j;
        loop invariant last_lo(lo, n, i) ==> covering(lo, hi, j) <= at_lo;
        loop invariant first_hi(hi, n, i) ==> covering(lo, hi, j) <= at_hi;
        loop assigns j, at_lo, at_hi;
        loop variant n - j;
    */
    for (j = 0; j < n; j++) {
      //@ assert \forall integer a; 0 <= a < 8 && a != j ==> hit(lo, hi, j + 1, a) == hit(lo, hi, j, a);
      //@ assert hit(lo, hi, j, j) == 0 && (covers(lo, hi, j) ? hit(lo, hi, j + 1, j) == 1 : hit(lo, hi, j + 1, j) == 0);
      //@ assert covers(lo, hi, j) ? covering(lo, hi, j + 1) == covering(lo, hi, j) + 1 : covering(lo, hi, j + 1) == covering(lo, hi, j);
      //@ assert last_lo(lo, n, i) && covers(lo, hi, j) ==> lo[j] <= lo[i] <= hi[j];
      //@ assert first_hi(hi, n, i) && covers(lo, hi, j) ==> lo[j] <= hi[i] <= hi[j];
      if (lo[j] <= lo[i] && lo[i] <= hi[j]) at_lo++;
      if (lo[j] <= hi[i] && hi[i] <= hi[j]) at_hi++;
    }
    //@ assert last_lo(lo, n, i) && covering(lo, hi, n) >= need ==> at_lo >= need;
    //@ assert first_hi(hi, n, i) && covering(lo, hi, n) >= need ==> at_hi >= need;
    if (at_lo >= need && (!found_lo || lo[i] < best_lo)) {
      best_lo = lo[i];
      found_lo = 1;
    }
    if (at_hi >= need && (!found_hi || hi[i] > best_hi)) {
      best_hi = hi[i];
      found_hi = 1;
    }
    //@ assert last_lo(lo, n, i) && covering(lo, hi, n) >= need ==> found_lo == 1 && best_lo <= lo[i];
    //@ assert first_hi(hi, n, i) && covering(lo, hi, n) >= need ==> found_hi == 1 && hi[i] <= best_hi;
  }
  //@ assert covering(lo, hi, n) >= need ==> found_lo == 1 && below(best_lo, moment) && above(best_hi, moment);
  out->lo = best_lo;
  out->hi = best_hi;
  return found_lo;
}

/* Days are counted from 1968-01-01, which begins a cycle of four years with its
 * leap year; 2100, which is none, counts as one and is put right. */
#define CYCLE 1461u
#define DAYS_TO_1970 731u
#define MARCH_2100 47541u /* its first day, from 1970 */

/*@ requires day <= 60000 + 731;
    assigns \nothing;
    ensures \result == (day >= MARCH_2100 + DAYS_TO_1970 ? day + 1 : day);
*/
static uint32_t julian(uint32_t day) { return day >= MARCH_2100 + DAYS_TO_1970 ? day + 1 : day; }

void ntsgw_month(uint32_t day, ntsgw_leaps *r) {
  uint32_t of_cycle = julian(day + DAYS_TO_1970) % CYCLE;
  uint32_t leap_year = of_cycle < 366;
  uint32_t left = leap_year ? of_cycle : (of_cycle - 1) % 365;
  uint32_t month = 0, days = 31;
  //@ assert left <= day;
  /*@ loop invariant month <= 11 && 28 <= days <= 31 && left <= day;
      loop assigns left, month, days;
      loop variant 11 - month;
  */
  while (left >= days && month < 11) {
    left -= days;
    month++;
    days = month == 1 ? 28 + leap_year : 31 - month % 7 % 2;
  }
  r->begin = (uint16_t)(day - left);
  r->end = (uint16_t)(r->begin + days);
  if (r->end == MARCH_2100 + 1) r->end--;
}

#define DAY_NS 86400000000000

/* half_year counts the halves of years to the one that a UTC time lies in, so
 * that the ends of June and December between two times are a difference. */
/*@ requires -1500000000000000 <= utc <= 4600000000000000000;
    assigns \nothing;
    ensures 0 <= \result <= 400;
*/
static int32_t half_year(int64_t utc) {
  uint32_t day = julian((uint32_t)((utc + (int64_t)DAYS_TO_1970 * DAY_NS) / DAY_NS));
  uint32_t of_cycle = day % CYCLE;
  if (of_cycle > 0) of_cycle--;
  return (int32_t)(day / CYCLE * 8 + of_cycle / 365 * 2 + (of_cycle % 365 >= 181));
}

int64_t ntsgw_utc(int64_t tai, int upper, const ntsgw_leaps *r) {
  int64_t sign = upper ? NTSGW_NS : -NTSGW_NS;
  int64_t end = r->end * DAY_NS;
  int64_t leap = r->leap == 2 ? 0 : r->leap * (int64_t)NTSGW_NS;
  int64_t s, try;
  int32_t outward = 0, month, i;
  int late;
  if (tai == NTSGW_LO_UNKNOWN || tai == NTSGW_HI_UNKNOWN) return tai;
  if (r->end == 0) return upper ? NTSGW_HI_UNKNOWN : NTSGW_LO_UNKNOWN;
  s = tai - (int64_t)r->tai_utc * NTSGW_NS;
  /* An inserted second belongs to the old month for hi and to the new one for lo. */
  late = s - (leap > 0 && !upper ? 0 : leap) >= end;
  if (late) s -= leap;
  if (late || s < r->begin * DAY_NS) {
    month = half_year(end - 1);
    try = s;
    /* Twice: moving the end outward may carry it past one more. */
    /*@ loop invariant 0 <= i <= 2 && 0 <= outward <= 400;
        loop invariant s - 401 * NTSGW_NS <= try <= s + 401 * NTSGW_NS;
        loop assigns i, outward, try;
        loop variant 2 - i;
    */
    for (i = 0; i < 2; i++) {
      int32_t n = half_year(try) - month;
      if (n < 0) n = -n;
      if (n > outward) outward = n;
      try = s + sign * (outward + 1);
    }
    /* The month's own end is accounted for by the leap, where that is known. */
    if (late && outward > 0 && r->leap != 2 && half_year(end) != month) outward--;
  }
  if (r->leap == 2) outward += r->error_s > 1 ? r->error_s : 1;
  s += sign * outward;
  return s <= NTSGW_TIME_MAX ? s : upper ? NTSGW_HI_UNKNOWN : NTSGW_TIME_MAX;
}
