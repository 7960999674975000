/* In which order a query reads units, and which cells of segments in order of likeness it passes over.
 *
 * A cell's rows lie around their mean, so their scores lie around the mean's score s; z of a score x in it is (x - s) /
 * (d spread). d is learned from the query itself: the scores of a thousand drawn rows, less s, in units of their cell's
 * spread; the larger one of their root mean square and of what their best 1 in 512 say, as if they were normal. The most
 * promising units are read first, then the others as they lie, and a cell is passed over when two things hold:
 *
 * - its z of the floor is so large that by the tail of the normal distribution all cells as far as it, or farther, together are
 *   expected to hold fewer rows above the floor than IMS_SKIP_SHARE times the stated probability of a miss, for each hit
 *   wanted; how many cells that are, the drawn ones tell;
 * - that z is larger by a margin than that of any hit found so far. Nearest neighbours are no normal draw: they belong to the few
 *   rows that are like the query, wherever these lie. If such rows are strays in their cells, the hits that were found
 *   say so. The margin is that of the stated probability: each tenth part of it adds as much again.
 *
 * Both are asked of a bound of s first, from a code of the mean (cells.h), and of s itself only where that does not settle it. Codes
 * err where a cell lies within a few of their deviations of the edge; hits lie farther inside, by the margin.
 *
 * Units are not skipped as such: their rows are less like each other, and with them hits were missed more often than was stated.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_PROBE_H
#define IMS_VECTORS_EMBEDDED_PROBE_H

#include "vectors/embedded/collector.h"

#define IMS_SKIP_SHARE 0.25 /* of the probability to miss a hit that codes allow for: what skipping adds */

#define IMS_PROBE_PLACES 256 /* where rows are drawn whose scores tell the deviations, */
#define IMS_PLACE_ROWS 4     /* so many neighbours at each */

struct ims_job;
struct ims_view;

struct ims_probed {
    float promise; /* what its best row may score */
    uint32_t at;   /* IMS_AT(view, unit) */
};

/* What a view has of the units, and of its cells. */
struct ims_probed_view {
    size_t first_unit, n_units; /* among those listed */
    float *bounds; /* of each cell's mean; NULL: none is passed over */
};

/* Some neighbouring rows of a cell. */
struct ims_drawn {
    uint32_t view, slot; /* the first of them; IMS_NO_SLOT: none */
    float score, spread; /* of the cell's mean; once it was learned, spread is d times that */
    uint32_t n_z;
    float z[IMS_PLACE_ROWS]; /* (x - score) / spread */
};

struct ims_probe {
    struct ims_probed *listed, *units; /* as they lie; in the order in which they are read, once it was learned */
    size_t n, n_rows;         /* units; rows in them that are allowed */
    struct ims_probed_view *views;
    size_t n_views;
    float *bounds;            /* of the cells of all views */
    bool may_skip;   /* once it was learned */
    double budget;   /* rows that may be lost */
    float margin;    /* of z, above the farthest hit's */
    float deviation; /* d */
    _Alignas(IMS_CACHE_LINE) _Atomic size_t next;
    _Alignas(IMS_CACHE_LINE) struct ims_floor farthest; /* the largest z of a hit so far */
    _Atomic float least_z;      /* what a cell's z must reach to be passed over, */
    struct ims_floor floor_seen; /* when that was worked out */
    struct ims_drawn drawn[IMS_PROBE_PLACES];
    size_t n_drawn; /* that have a z: the first ones, once it was learned */
    _Alignas(IMS_CACHE_LINE) _Atomic size_t next_turn; /* of learning: one per view, then some for the places */
    size_t n_turns;
    _Atomic size_t n_turns_done;
    _Atomic bool is_learned;
};

/* Whether there are cells that may be passed over. */
bool ims__probe_may_skip(const struct ims_job *j);
/* Leaves the probe empty where units are read as they lie. false: memory is short. */
bool ims__probe_prepare(struct ims_job *j);
void ims__probe_release(struct ims_probe *p);
/* Looks at cells and drawn rows together with the other threads; returns when all were seen. Each thread, before it reads a
 * unit. */
void ims__probe_learn(struct ims_job *j);
/* The next n units; returns how many there are, 0 when all are begun. Any thread. */
size_t ims__probe_next(struct ims_probe *p, size_t n, const struct ims_probed **out);
/* After a thread scored candidates: what can be passed over now. Any thread. */
void ims__probe_narrow(struct ims_job *j, unsigned thread);
/* Cells of a view are passed over whose mean's score is farther below the floor than this times their spread; it
 * changes as hits are found. INFINITY: none are. Any thread. */
float ims__probe_reach(struct ims_job *j, const struct ims_view *v);

#endif
