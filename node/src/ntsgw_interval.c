#include "ntsgw_interval.h"

/* drift is ceil(d * rho / 1e9) without the product's overflow. */
/*@ requires 0 <= d <= NTSGW_ELAPSED_MAX && 0 <= rho <= NTSGW_RHO_MAX;
    assigns \nothing;
    ensures d * rho <= \result * 1000000000 < d * rho + 1000000000;
    ensures 0 <= \result <= d;
*/
static int64_t drift(int64_t d, uint32_t rho) {
  int64_t q = d / NTSGW_NS;
  int64_t s = d % NTSGW_NS;
  int64_t part = (s * (int64_t)rho + (NTSGW_NS - 1)) / NTSGW_NS;
  //@ assert d == q * 1000000000 + s && 0 <= s < 1000000000;
  //@ assert s * rho <= part * 1000000000 < s * rho + 1000000000;
  //@ assert d * rho == (q * rho) * 1000000000 + s * rho;
  //@ assert 0 <= q * rho <= q * 100000000;
  //@ assert 0 <= s * rho <= s * 100000000;
  //@ assert 0 <= part <= s;
  return q * (int64_t)rho + part;
}

int64_t ntsgw_elapsed_least(uint64_t m0, uint64_t m1, const ntsgw_rate *r) {
  uint64_t most_counts = (uint64_t)(NTSGW_ELAPSED_MAX / (int64_t)r->unit_ns);
  uint64_t n;
  int64_t d;
  if (m1 <= m0 || m1 - m0 <= r->tick) return 0;
  n = m1 - m0 - r->tick;
  if (n > most_counts) n = most_counts;
  d = (int64_t)n * (int64_t)r->unit_ns;
  //@ assert 0 <= d <= NTSGW_ELAPSED_MAX;
  //@ assert d <= fewest(m0, m1, *r) * r->unit_ns;
  //@ assert d * (1000000000 - r->rho_ppb) <= least_true(m0, m1, *r);
  return d - drift(d, r->rho_ppb);
}

int64_t ntsgw_elapsed_most(uint64_t m0, uint64_t m1, const ntsgw_rate *r) {
  uint64_t most_counts = (uint64_t)(NTSGW_ELAPSED_MAX / (int64_t)r->unit_ns);
  uint64_t n = m1 - m0;
  int64_t d;
  //@ assert most_counts * r->unit_ns <= NTSGW_ELAPSED_MAX && most_counts >= 4000000000000;
  if (n > most_counts - r->tick) return NTSGW_HI_UNKNOWN;
  n += r->tick;
  //@ assert n == most(m0, m1, *r) && n <= most_counts;
  //@ assert n * r->unit_ns <= most_counts * r->unit_ns;
  d = (int64_t)n * (int64_t)r->unit_ns;
  //@ assert 0 <= d <= NTSGW_ELAPSED_MAX;
  //@ assert d == most(m0, m1, *r) * r->unit_ns;
  return d + drift(d, r->rho_ppb);
}

int64_t ntsgw_lo(const ntsgw_interval *v, uint64_t m, const ntsgw_rate *r) {
  int64_t x;
  if (v->lo == NTSGW_LO_UNKNOWN || m < v->lo_at) return NTSGW_LO_UNKNOWN;
  x = v->lo + ntsgw_elapsed_least(v->lo_at, m, r);
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
  e = ntsgw_elapsed_most(v->hi_at, m, r);
  if (e == NTSGW_HI_UNKNOWN) return NTSGW_HI_UNKNOWN;
  /*@ assert keeps: \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == m && shown(a) == v->hi_at
        ==> (t - a) * 1000000000.0 <= e * 1000000000; */
  e += v->hi;
  /*@ assert holds: \forall real a, real t; clock_ok(*r) && a <= t && shown(t) == m && shown(a) == v->hi_at && a <= v->hi
        ==> t <= e; */
  //@ assert \forall real t; clock_ok(*r) && shown(t) == m && hi_sound(v->hi, v->hi_at, t) ==> t <= e;
  return e > NTSGW_TIME_MAX ? NTSGW_HI_UNKNOWN : e;
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
  int64_t top = ntsgw_elapsed_most(m1, m4, r);
  int done = 0;
  if (top == NTSGW_HI_UNKNOWN || top > NTSGW_TIME_MAX - upper) {
    top = NTSGW_HI_UNKNOWN;
  } else {
    top += upper;
  }
  if (lower > top) return -(NTSGW_LO | NTSGW_HI);
  if (lower > hi) return -NTSGW_LO;
  if (lo > top) return -NTSGW_HI;
  if (lower > lo) {
    v->lo = lower;
    v->lo_at = m4;
    done |= NTSGW_LO;
  }
  if (top < hi) {
    v->hi = upper;
    v->hi_at = m1;
    done |= NTSGW_HI;
  }
  return done;
}

int ntsgw_hull(const int64_t *lo, const int64_t *hi, int n, int need, ntsgw_bounds *out) {
  int found_lo = 0, found_hi = 0;
  int i, j;
  out->lo = NTSGW_LO_UNKNOWN;
  out->hi = NTSGW_HI_UNKNOWN;
  /* Where need intervals cover t, the highest of the lower ends that are not above t
   * is covered by the same ones: so the ends themselves are all the points to try. */
  /*@ ghost
      int k = 0;
      /@ loop invariant 0 <= k <= n;
         loop invariant \forall real t; covering(lo, hi, k, t) >= 1 ==> \exists integer a; 0 <= a < k && covers(lo, hi, a, t);
         loop invariant \forall real t; (\exists integer a; 0 <= a < k && below(lo[a], t)) ==>
           \exists integer b; 0 <= b < k && last_lo(lo, k, b, t);
         loop invariant \forall real t; (\exists integer a; 0 <= a < k && above(hi[a], t)) ==>
           \exists integer b; 0 <= b < k && first_hi(hi, k, b, t);
         loop assigns k;
         loop variant n - k;
      @/
      while (k < n) { k++; }
  */
  /*@ loop invariant 0 <= i <= n;
      loop invariant lo_range(out->lo) && hi_range(out->hi);
      loop invariant (found_lo == 0 || found_lo == 1) && (found_hi == 0 || found_hi == 1);
      loop invariant found_lo == 0 ==> out->lo == NTSGW_LO_UNKNOWN;
      loop invariant found_hi == 0 ==> out->hi == NTSGW_HI_UNKNOWN;
      loop invariant \forall integer k, real t; 0 <= k < i && last_lo(lo, n, k, t) && covering(lo, hi, n, t) >= need ==>
        found_lo == 1 && out->lo <= lo[k];
      loop invariant \forall integer k, real t; 0 <= k < i && first_hi(hi, n, k, t) && covering(lo, hi, n, t) >= need ==>
        found_hi == 1 && hi[k] <= out->hi;
      loop assigns i, j, found_lo, found_hi, *out;
      loop variant n - i;
  */
  for (i = 0; i < n; i++) {
    int at_lo = 0, at_hi = 0;
    /*@ loop invariant 0 <= j <= n && 0 <= at_lo <= j && 0 <= at_hi <= j;
        loop invariant \forall real t; last_lo(lo, n, i, t) ==> covering(lo, hi, j, t) <= at_lo;
        loop invariant \forall real t; first_hi(hi, n, i, t) ==> covering(lo, hi, j, t) <= at_hi;
        loop assigns j, at_lo, at_hi;
        loop variant n - j;
    */
    for (j = 0; j < n; j++) {
      if (lo[j] <= lo[i] && lo[i] <= hi[j]) at_lo++;
      if (lo[j] <= hi[i] && hi[i] <= hi[j]) at_hi++;
    }
    if (at_lo >= need && (!found_lo || lo[i] < out->lo)) {
      out->lo = lo[i];
      found_lo = 1;
    }
    if (at_hi >= need && (!found_hi || hi[i] > out->hi)) {
      out->hi = hi[i];
      found_hi = 1;
    }
  }
  return found_lo;
}

/* Days to months and back after Hinnant's civil calendar algorithms: years begin
 * in March, eras of 400 years. */
#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

int32_t ntsgw_month(int32_t day) {
  uint32_t z = (uint32_t)(day + EPOCH_DAYS);
  uint32_t era = z / ERA_DAYS;
  uint32_t doe = z % ERA_DAYS;
  uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  uint32_t march = (5 * doy + 2) / 153;
  return (int32_t)((era * 400 + yoe) * 12 + march + 2);
}

int32_t ntsgw_month_start(int32_t month) {
  uint32_t from_march = (uint32_t)month - 2;
  uint32_t y = from_march / 12;
  uint32_t march = from_march % 12;
  uint32_t era = y / 400;
  uint32_t yoe = y % 400;
  uint32_t doy = (153 * march + 2) / 5;
  return (int32_t)(era * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy) - EPOCH_DAYS;
}

#define DAY 86400

/* month_of is the month of a UTC second. */
static int32_t month_of(int64_t s) {
  return ntsgw_month((int32_t)((s + (int64_t)60000 * DAY) / DAY) - 60000);
}

/* ends counts the ends of June and December from month a (its own included) to
 * the beginning of month b. */
static int32_t ends(int32_t a, int32_t b) { return b / 6 - a / 6; }

int64_t ntsgw_utc(int64_t tai, int upper, const ntsgw_leaps *r) {
  int64_t sign = upper ? 1 : -1;
  int64_t begin = (int64_t)ntsgw_month_start(r->month) * DAY;
  int64_t end = (int64_t)ntsgw_month_start(r->month + 1) * DAY;
  int64_t s, frac, after;
  int32_t leap = r->leap == 2 ? 0 : r->leap;
  int32_t outward = 0;
  if (tai == NTSGW_LO_UNKNOWN || tai == NTSGW_HI_UNKNOWN) return tai;
  s = tai / NTSGW_NS;
  frac = tai % NTSGW_NS;
  if (frac < 0) {
    frac += NTSGW_NS;
    s--;
  }
  s -= r->tai_utc;
  /* An inserted second belongs to the old month for hi and to the new one for lo. */
  after = s - (leap > 0 && !upper ? 0 : leap);
  if (after >= end) {
    s -= leap;
    outward = ends(r->month, month_of(s));
    outward = ends(r->month, month_of(s + sign * (outward + 1)));
    if (outward > 0 && r->month % 6 == 5 && r->leap != 2) outward--;
  } else if (s < begin) {
    outward = ends(month_of(s), r->month);
    outward = ends(month_of(s + sign * (outward + 1)), r->month);
  }
  if (r->leap == 2) outward += r->error_s > 1 ? r->error_s : 1;
  s += sign * outward;
  if (s > NTSGW_TIME_MAX / NTSGW_NS - 1) return upper ? NTSGW_HI_UNKNOWN : NTSGW_TIME_MAX;
  if (s < -(NTSGW_TIME_MAX / NTSGW_NS)) return upper ? -NTSGW_TIME_MAX : NTSGW_LO_UNKNOWN;
  return s * NTSGW_NS + frac;
}
