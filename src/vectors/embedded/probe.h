/* Which units of the ordered segments a query reads, and in which order, when they are too many to read them all.
 *
 * A unit's rows lie around their mean, so their scores lie around the mean's score s; z of a score x in it is (x - s) /
 * (d spread). d is learned from the query itself: the scores of some thousand drawn rows, less s, in units of the unit's
 * spread; the larger one of their root mean square and of what their best 1 in 500 say, as if they were normal. Units are
 * read from the most promising on. The rest is skipped when two things hold:
 *
 * - by the tail of the normal distribution all the others together are expected to hold fewer rows above the floor
 *   than IMS_SKIP_SHARE times the stated probability of a miss, for each hit wanted;
 * - in each of them a row above the floor would have a z larger by a margin than that of any hit found so far. Nearest
 *   neighbours are no normal draw: they belong to the few rows that are like the query, wherever these lie. If such
 *   rows are strays in their units, the hits that were found say so.
 *
 * Units of segments that are not in order, or that have no mean, are always read. Where there are too few rows to skip
 * any, a query that has a pass to itself still reads the promising units first: the floor is then high early, and fewer
 * bytes are read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_PROBE_H
#define IMS_VECTORS_EMBEDDED_PROBE_H

#include "vectors/embedded/collector.h"

#define IMS_SKIP_SHARE 0.25 /* of the probability to miss a hit that codes allow for: what skipping adds */

struct ims_job;

struct ims_probed {
    float score, per_deviation; /* of the mean; 1 / (d spread), 0 = always read */
    uint32_t at, n_rows;        /* IMS_AT(view, unit) */
};

struct ims_probe {
    struct ims_probed *units; /* from the most promising on */
    size_t n;
    size_t n_rows; /* of all units */
    bool may_skip;
    double budget; /* rows that may be lost */
    _Atomic size_t next, until; /* the next one to read; what lies from here on is skipped */
    _Atomic size_t n_rows_read;
    struct ims_floor farthest;  /* the largest z of a hit so far */
    float deviation;            /* d */
};

/* Leaves the probe empty where everything is to be read. false: memory is short. */
bool ims__probe_prepare(struct ims_job *j);
/* The next unit's place, or false when the rest is skipped. Any thread. */
bool ims__probe_next(struct ims_probe *p, uint32_t *out_at);
bool ims__probe_has_next(struct ims_probe *p);
/* After a thread drained: what can be skipped now. Any thread. */
void ims__probe_narrow(struct ims_job *j, unsigned thread);
/* Afterwards: rows in the units that were skipped. */
size_t ims__probe_skipped(struct ims_probe *p);

#endif
