/* Interval arithmetic on TAI nanoseconds; private to the library.
 *
 * An end that is not known is INT64_MIN (lo) or INT64_MAX (hi). Every known
 * end lies in [NTSGW_TIME_MIN, NTSGW_TIME_MAX]: 1969 to 2112. All rounding is
 * outward. The contracts are those that `make prove` checks; what they assume
 * of the world is the predicate clock_ok and nothing else. */
#ifndef NTSGW_INTERVAL_H
#define NTSGW_INTERVAL_H

#include "ntsgw_node.h"

#define NTSGW_LO_UNKNOWN INT64_MIN
#define NTSGW_HI_UNKNOWN INT64_MAX
#define NTSGW_TIME_MIN (-1000000000000000)
#define NTSGW_TIME_MAX 4500000000000000000
#define NTSGW_ELAPSED_MAX 4000000000000000000
#define NTSGW_RHO_MAX 100000000
#define NTSGW_UNIT_MAX 1000000
#define NTSGW_NS 1000000000

/* What a piece of evidence did: the ends that it bettered, a bit each; or, negated,
 * the ends of the evidence that contradict: the intersection is empty, and the
 * interval was left as it was. */
enum { NTSGW_LO = 1, NTSGW_HI = 2 };

/*@ predicate rate_ok(ntsgw_rate r) =
      1 <= r.unit_ns <= NTSGW_UNIT_MAX && 1 <= r.tick <= NTSGW_UNIT_MAX && 0 <= r.rho_ppb <= NTSGW_RHO_MAX &&
      r.tick <= r.limit && r.limit * r.unit_ns <= NTSGW_ELAPSED_MAX;

    predicate lo_range(integer x) = x == NTSGW_LO_UNKNOWN || NTSGW_TIME_MIN <= x <= NTSGW_TIME_MAX;
    predicate hi_range(integer x) = x == NTSGW_HI_UNKNOWN || NTSGW_TIME_MIN <= x <= NTSGW_TIME_MAX;
    predicate iv_ok{L}(ntsgw_interval *v) = lo_range(v->lo) && hi_range(v->hi);

    // Counts that certainly (fewest) and at most (most) passed between two readings.
    logic integer fewest(integer m0, integer m1, ntsgw_rate r) = m1 - m0 > r.tick ? m1 - m0 - r.tick : 0;
    logic integer most_counts(integer m0, integer m1, ntsgw_rate r) = m1 - m0 + r.tick;

    // Nanoseconds of true time times 1e9 for those counts, at the rate's two edges.
    logic integer least_true(integer m0, integer m1, ntsgw_rate r) = (fewest(m0, m1, r) * r.unit_ns) * (1000000000 - r.rho_ppb);
    logic integer most_true(integer m0, integer m1, ntsgw_rate r) = (most_counts(m0, m1, r) * r.unit_ns) * (1000000000 + r.rho_ppb);

    // What the clock shows at a true time: any function at all...
    axiomatic World { logic integer shown(real t); }

    // ...that keeps its stated rate. The one assumption about the world.
    predicate clock_ok(ntsgw_rate r) = \forall real a, real b; a <= b ==>
      shown(a) <= shown(b) &&
      least_true(shown(a), shown(b), r) <= (b - a) * 1000000000.0 <= most_true(shown(a), shown(b), r);

    predicate below(integer lo, real t) = lo == NTSGW_LO_UNKNOWN || lo <= t;
    predicate above(integer hi, real t) = hi == NTSGW_HI_UNKNOWN || t <= hi;

    // An end is sound at true time t when it was true at the instant of its reading, not after t.
    predicate lo_sound(integer lo, integer at, real t) = lo == NTSGW_LO_UNKNOWN ||
      (\exists real a; a <= t && shown(a) == at && lo <= a);
    predicate hi_sound(integer hi, integer at, real t) = hi == NTSGW_HI_UNKNOWN ||
      (\exists real a; a <= t && shown(a) == at && a <= hi);
    predicate sound{L}(ntsgw_interval *v, real t) = lo_sound(v->lo, v->lo_at, t) && hi_sound(v->hi, v->hi_at, t);
*/

/* ntsgw_rate_limit gives r->limit for a rate whose other fields are set. */
/*@ requires 1 <= unit_ns <= NTSGW_UNIT_MAX;
    assigns \nothing;
    ensures NTSGW_UNIT_MAX <= \result && \result * unit_ns <= NTSGW_ELAPSED_MAX;
*/
uint64_t ntsgw_rate_limit(uint32_t unit_ns);

/* ntsgw_elapsed gives the ns of true time from reading m0 to m1: those that
 * certainly passed, rounded down, or the most that may have passed, rounded up;
 * of these NTSGW_HI_UNKNOWN beyond 126 years. */
/*@ requires rate_ok(*r) && \valid_read(r);
    requires m0 <= m1;
    assigns \nothing;
    ensures \result == NTSGW_HI_UNKNOWN || 0 <= \result <= 4400000000100000000;
    ensures !most ==> \result <= NTSGW_ELAPSED_MAX && \result * 1000000000 <= least_true(m0, m1, *r);
    ensures most && \result != NTSGW_HI_UNKNOWN ==> \result * 1000000000 >= most_true(m0, m1, *r);
*/
int64_t ntsgw_elapsed(uint64_t m0, uint64_t m1, const ntsgw_rate *r, int most);

/* ntsgw_lo and ntsgw_hi carry an end to reading m; unknown when m lies before
 * the end's own reading. */
/*@ requires \valid_read(v) && \valid_read(r) && rate_ok(*r) && iv_ok(v);
    assigns \nothing;
    ensures lo_range(\result);
    ensures \forall real t; clock_ok(*r) && shown(t) == m && lo_sound(v->lo, v->lo_at, t) ==> below(\result, t);
*/
int64_t ntsgw_lo(const ntsgw_interval *v, uint64_t m, const ntsgw_rate *r);

/*@ requires \valid_read(v) && \valid_read(r) && rate_ok(*r) && iv_ok(v);
    assigns \nothing;
    ensures hi_range(\result);
    ensures \forall real t; clock_ok(*r) && shown(t) == m && hi_sound(v->hi, v->hi_at, t) ==> above(\result, t);
*/
int64_t ntsgw_hi(const ntsgw_interval *v, uint64_t m, const ntsgw_rate *r);

/* ntsgw_raise applies "true time is at least lower at reading m" (a beacon). */
/*@ requires \valid(v) && \valid_read(r) && \separated(v, r) && rate_ok(*r) && iv_ok(v);
    requires NTSGW_TIME_MIN <= lower <= NTSGW_TIME_MAX;
    assigns v->lo, v->lo_at;
    ensures iv_ok(v);
    ensures -NTSGW_LO <= \result <= NTSGW_LO;
    ensures \result <= 0 ==> v->lo == \old(v->lo) && v->lo_at == \old(v->lo_at);
    ensures \forall real t; clock_ok(*r) && shown(t) == m && \old(sound(v, t)) && lower <= t
      ==> \result >= 0 && sound(v, t);
*/
int ntsgw_raise(ntsgw_interval *v, uint64_t m, int64_t lower, const ntsgw_rate *r);

/* ntsgw_exchange applies "true time was at most upper at reading m1, and is at
 * least lower at reading m4" (an answered request). */
/*@ requires \valid(v) && \valid_read(r) && \separated(v, r) && rate_ok(*r) && iv_ok(v);
    requires NTSGW_TIME_MIN <= lower <= NTSGW_TIME_MAX && NTSGW_TIME_MIN <= upper <= NTSGW_TIME_MAX;
    requires m1 <= m4;
    assigns *v;
    ensures iv_ok(v);
    ensures -3 <= \result <= 3;
    ensures \result <= 0 ==> v->lo == \old(v->lo) && v->hi == \old(v->hi) && v->lo_at == \old(v->lo_at) && v->hi_at == \old(v->hi_at);
    ensures \forall real a, real t; clock_ok(*r) && a <= t && shown(a) == m1 && shown(t) == m4 &&
      \old(sound(v, t)) && a <= upper && lower <= t
      ==> \result >= 0 && sound(v, t);
*/
int ntsgw_exchange(ntsgw_interval *v, uint64_t m1, int64_t upper, uint64_t m4, int64_t lower, const ntsgw_rate *r);

/* ntsgw_hull gives the smallest and the largest point that at least need of n
 * intervals cover; 0 when no point is. Unknown ends cover all on their side. */
/*@ axiomatic Moment { logic real moment; } // any time at all: what holds of it holds of every one

    predicate covers{L}(int64_t *lo, int64_t *hi, integer k) = below(lo[k], moment) && above(hi[k], moment);
    logic integer hit{L}(int64_t *lo, int64_t *hi, integer n, integer k) = k < n &&
      (lo[k] == NTSGW_LO_UNKNOWN || lo[k] <= moment) && (hi[k] == NTSGW_HI_UNKNOWN || moment <= hi[k]) ? 1 : 0;
    // How many of the first n intervals cover the moment; NTSGW_GATEWAYS_MAX terms.
    logic integer covering{L}(int64_t *lo, int64_t *hi, integer n) =
      hit(lo, hi, n, 0) + hit(lo, hi, n, 1) + hit(lo, hi, n, 2) + hit(lo, hi, n, 3) +
      hit(lo, hi, n, 4) + hit(lo, hi, n, 5) + hit(lo, hi, n, 6) + hit(lo, hi, n, 7);

    // The highest lower end that is not above the moment, and the lowest upper end that is not below it.
    predicate last_lo{L}(int64_t *lo, integer n, integer k) = 0 <= k < n && below(lo[k], moment) &&
      (\forall integer j; 0 <= j < n && below(lo[j], moment) ==> lo[j] <= lo[k]);
    predicate first_hi{L}(int64_t *hi, integer n, integer k) = 0 <= k < n && above(hi[k], moment) &&
      (\forall integer j; 0 <= j < n && above(hi[j], moment) ==> hi[k] <= hi[j]);
*/
/*@ requires 1 <= need <= n <= NTSGW_GATEWAYS_MAX;
    requires \valid_read(lo + (0 .. n - 1)) && \valid_read(hi + (0 .. n - 1)) && \valid(out);
    requires \separated(out, lo + (0 .. n - 1)) && \separated(out, hi + (0 .. n - 1));
    assigns *out;
    ensures \result == 0 || \result == 1;
    ensures \old(covering(lo, hi, n)) >= need ==> \result == 1 && below(out->lo, moment) && above(out->hi, moment);
*/
int ntsgw_hull(const int64_t *lo, const int64_t *hi, int n, int need, ntsgw_bounds *out);

/* ntsgw_month puts the first day of the month of a day, and of the next one, into
 * r; days are counted from 1970-01-01. */
/*@ requires day <= 49711 && \valid(r);
    assigns r->begin, r->end;
    ensures r->begin <= day && r->end <= day + 31;
*/
void ntsgw_month(uint32_t day, ntsgw_leaps *r);

/* ntsgw_utc converts one end of an interval, TAI to UTC, by a gateway's latest
 * record: outward wherever the record does not say which second it is. Unknown
 * ends stay so, and without a record all are. */
/*@ requires \valid_read(r) && r->end <= 49742 && -1 <= r->leap <= 2;
    requires upper ? hi_range(tai) : lo_range(tai);
    assigns \nothing;
    ensures \result == NTSGW_LO_UNKNOWN || \result == NTSGW_HI_UNKNOWN || 2 * NTSGW_TIME_MIN <= \result <= NTSGW_TIME_MAX;
*/
int64_t ntsgw_utc(int64_t tai, int upper, const ntsgw_leaps *r);

#endif
