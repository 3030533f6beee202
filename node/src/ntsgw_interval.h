/* Interval arithmetic on TAI nanoseconds; private to the library.
 *
 * An end that is not known is INT64_MIN (lo) or INT64_MAX (hi). Every known
 * end lies in [NTSGW_TIME_MIN, NTSGW_TIME_MAX]: 1969 to 2107. All rounding is
 * outward. The contracts are those that `make prove` checks; what they assume
 * of the world is the predicate clock_ok and nothing else. */
#ifndef NTSGW_INTERVAL_H
#define NTSGW_INTERVAL_H

#include "ntsgw_node.h"

/* A function that is smaller when called, on cores of few registers, and one that is smaller in its place. */
#if defined(__GNUC__)
#define APART __attribute__((noinline))
#define WITHIN inline __attribute__((always_inline))
#else
#define APART
#define WITHIN inline
#endif

#define NTSGW_LO_UNKNOWN INT64_MIN
#define NTSGW_HI_UNKNOWN INT64_MAX
#define NTSGW_TIME_MIN (-1000000000000000)
#define NTSGW_TIME_MAX 0x3bffffffffffffff
#define NTSGW_ELAPSED_HIGH 0x3c400000 /* in 2^32 ns more than lies between these two, less 1,000,000 as well */
#define NTSGW_ELAPSED_MAX 0x3c40000000000000
#define NTSGW_RHO_MAX 100000000
#define NTSGW_UNIT_MAX 1000000
#define NTSGW_NS 1000000000

/* What a piece of evidence did: the ends that it bettered, a bit each; or, with
 * NTSGW_EMPTY, the ends of the evidence that contradict: the intersection is empty,
 * and the interval was left as it was. */
enum { NTSGW_LO = 1, NTSGW_HI = 2, NTSGW_EMPTY = 4 };

/*@ predicate rate_ok(ntsgw_config r) =
      1 <= r.count_ns <= NTSGW_UNIT_MAX && 1 <= r.tick <= NTSGW_UNIT_MAX && 0 <= r.rho_ppb <= NTSGW_RHO_MAX;

    predicate lo_range(integer x) = x == NTSGW_LO_UNKNOWN || NTSGW_TIME_MIN <= x <= NTSGW_TIME_MAX;
    predicate hi_range(integer x) = x == NTSGW_HI_UNKNOWN || NTSGW_TIME_MIN <= x <= NTSGW_TIME_MAX;
    predicate iv_ok{L}(ntsgw_interval *v) = lo_range(v->lo.tai) && hi_range(v->hi.tai);

    // Counts that certainly (fewest) and at most (most) passed between two readings.
    logic integer fewest(integer m0, integer m1, ntsgw_config r) = m1 - m0 > r.tick ? m1 - m0 - r.tick : 0;
    logic integer most_counts(integer m0, integer m1, ntsgw_config r) = m1 - m0 + r.tick;

    // Nanoseconds of true time times 1e9 for those counts, at the rate's two edges.
    logic integer least_true(integer m0, integer m1, ntsgw_config r) = (fewest(m0, m1, r) * r.count_ns) * (1000000000 - r.rho_ppb);
    logic integer most_true(integer m0, integer m1, ntsgw_config r) = (most_counts(m0, m1, r) * r.count_ns) * (1000000000 + r.rho_ppb);

    // What the clock shows at a true time: any function at all...
    axiomatic World { logic integer shown(real t); }

    // ...that keeps its stated rate. The one assumption about the world.
    predicate clock_ok(ntsgw_config r) = \forall real a, real b; a <= b ==>
      shown(a) <= shown(b) &&
      least_true(shown(a), shown(b), r) <= (b - a) * 1000000000.0 <= most_true(shown(a), shown(b), r);

    predicate below(integer lo, real t) = lo == NTSGW_LO_UNKNOWN || lo <= t;
    predicate above(integer hi, real t) = hi == NTSGW_HI_UNKNOWN || t <= hi;

    // An end is sound at true time t when it was true at the instant of its reading, not after t.
    predicate lo_sound(integer lo, integer at, real t) = lo == NTSGW_LO_UNKNOWN ||
      (\exists real a; a <= t && shown(a) == at && lo <= a);
    predicate hi_sound(integer hi, integer at, real t) = hi == NTSGW_HI_UNKNOWN ||
      (\exists real a; a <= t && shown(a) == at && a <= hi);
    predicate sound{L}(ntsgw_interval *v, real t) = lo_sound(v->lo.tai, v->lo.at, t) && hi_sound(v->hi.tai, v->hi.at, t);
*/

/* ntsgw_less compares two times. */
/*@ requires \valid_read(a) && \valid_read(b);
    assigns \nothing;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 <==> *a < *b;
*/
int ntsgw_less(const int64_t *a, const int64_t *b);

/* ntsgw_since gives the counts from reading *a to *b. */
/*@ requires \valid_read(a) && \valid_read(b);
    assigns \nothing;
    ensures *a <= *b ==> \result == *b - *a;
*/
uint64_t ntsgw_since(const uint64_t *a, const uint64_t *b);

/* ntsgw_add moves a time by a times b ns. */
/*@ requires \valid(t) && -9000000000000000000 <= *t + a * b <= 9000000000000000000;
    assigns *t;
    ensures *t == \old(*t) + a * b;
*/
void ntsgw_add(int64_t *t, int32_t a, uint32_t b);

/* ntsgw_at carries both ends to reading *m; an end is unknown when *m lies before
 * the end's own reading. */
/*@ requires \valid_read(v) && \valid_read(m) && \valid_read(r) && \valid(out) && \separated(out, v) && \separated(out, r) && \separated(out, m);
    requires rate_ok(*r) && iv_ok(v);
    assigns *out;
    ensures lo_range(out->lo) && hi_range(out->hi);
    ensures \forall real t; clock_ok(*r) && shown(t) == *m && lo_sound(v->lo.tai, v->lo.at, t) ==> below(out->lo, t);
    ensures \forall real t; clock_ok(*r) && shown(t) == *m && hi_sound(v->hi.tai, v->hi.at, t) ==> above(out->hi, t);
*/
void ntsgw_at(const ntsgw_interval *v, const uint64_t *m, const ntsgw_config *r, ntsgw_bounds *out);

/* ntsgw_intersect applies evidence at reading *m: a beacon is an interval without
 * an upper end, an answer to a request has the two of its two readings. What the
 * evidence alone gives at *m comes back in own. */
/*@ requires \valid(v) && \valid_read(e) && \valid_read(m) && \valid_read(r) && \valid(own) && \separated(v, r, e, m, own);
    requires rate_ok(*r) && iv_ok(v) && iv_ok(e);
    assigns *v, *own;
    ensures iv_ok(v);
    ensures 0 <= \result <= 7;
    ensures \result == 0 || \result >= NTSGW_EMPTY ==> v->lo.tai == \old(v->lo.tai) && v->lo.at == \old(v->lo.at) && v->hi.tai == \old(v->hi.tai) && v->hi.at == \old(v->hi.at);
    ensures \forall real t; clock_ok(*r) && shown(t) == *m && \old(sound(v, t)) && sound(e, t)
      ==> \result < NTSGW_EMPTY && sound(v, t);
*/
int ntsgw_intersect(ntsgw_interval *v, const ntsgw_interval *e, const uint64_t *m, const ntsgw_config *r, ntsgw_bounds *own);

/* ntsgw_hull gives the smallest and the largest point that at least need of n
 * intervals cover; 0, and an interval without ends, when no point is. Unknown ends
 * cover all on their side. */
/*@ axiomatic Moment { logic real moment; } // any time at all: what holds of it holds of every one

    predicate covers{L}(ntsgw_bounds *b, integer k) = below(b[k].lo, moment) && above(b[k].hi, moment);
    logic integer hit{L}(ntsgw_bounds *b, integer n, integer k) = k < n &&
      (b[k].lo == NTSGW_LO_UNKNOWN || b[k].lo <= moment) && (b[k].hi == NTSGW_HI_UNKNOWN || moment <= b[k].hi) ? 1 : 0;
    // How many of the first n intervals cover the moment; NTSGW_GATEWAYS_MAX terms.
    logic integer covering{L}(ntsgw_bounds *b, integer n) =
      hit(b, n, 0) + hit(b, n, 1) + hit(b, n, 2) + hit(b, n, 3) + hit(b, n, 4) + hit(b, n, 5) + hit(b, n, 6) + hit(b, n, 7);

    // The highest lower end that is not above the moment, and the lowest upper end that is not below it.
    predicate last_lo{L}(ntsgw_bounds *b, integer n, integer k) = 0 <= k < n && below(b[k].lo, moment) &&
      (\forall integer j; 0 <= j < n && below(b[j].lo, moment) ==> b[j].lo <= b[k].lo);
    predicate first_hi{L}(ntsgw_bounds *b, integer n, integer k) = 0 <= k < n && above(b[k].hi, moment) &&
      (\forall integer j; 0 <= j < n && above(b[j].hi, moment) ==> b[k].hi <= b[j].hi);
*/
/*@ requires 1 <= need <= n <= NTSGW_GATEWAYS_MAX;
    requires \valid_read(b + (0 .. n - 1)) && \valid(out) && \separated(out, b + (0 .. n - 1));
    assigns *out;
    ensures \result == 0 || \result == 1;
    ensures \old(covering(b, n)) >= need ==> \result == 1 && below(out->lo, moment) && above(out->hi, moment);
*/
int ntsgw_hull(const ntsgw_bounds *b, int n, int need, ntsgw_bounds *out);

/* ntsgw_month gives the month, counted from January 1968, of the time s seconds after *t. */
/*@ requires \valid_read(t) && -1500000000000000 <= *t + s * 1000000000 <= 4600000000000000000 && -100000 <= s <= 100000;
    assigns \nothing;
    ensures 1 <= \result <= 1800;
*/
int32_t ntsgw_month(const int64_t *t, int32_t s);

/* ntsgw_utc converts one end of an interval, the upper one with a sign of 1, TAI to UTC, by a gateway's latest
 * record: outward wherever the record does not say which second it is. Unknown
 * ends stay so, and without a record all are. */
/*@ requires \valid_read(r) && 0 <= r->month <= 1800 && -1 <= r->leap <= 2 && 0 <= r->tai_utc <= 255 && 0 <= r->error_s <= 65535;
    requires \valid(end) && \separated(end, r);
    requires (sign == 1 && hi_range(*end)) || (sign == -1 && lo_range(*end));
    assigns *end;
    ensures *end == NTSGW_LO_UNKNOWN || *end == NTSGW_HI_UNKNOWN || 2 * NTSGW_TIME_MIN <= *end <= NTSGW_TIME_MAX - 2 * NTSGW_TIME_MIN;
*/
void ntsgw_utc(int64_t *end, int sign, const ntsgw_leaps *r);

#endif
