/* One query on its way through the index: prepared, scanned unit by unit by some threads, finished.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_JOB_H
#define IMS_VECTORS_EMBEDDED_JOB_H

#include "vectors/embedded/collector.h"
#include "vectors/embedded/filter.h"
#include "vectors/embedded/probe.h"
#include "vectors/vectors.h"

#define IMS_MAX_SEARCH_THREADS 64
#define IMS_SPARSE 16 /* where fewer than 1 in so many rows are allowed, each is read for itself */

/* What a query needs to know of the index. */
struct ims_job_rules {
    const struct ims_rotation *rotation; /* NULL: no row is coded */
    float deviations; /* of the code's error that a bound allows for */
    double miss;      /* the probability that goes with it */
    size_t bytes_rows, skip_rows; /* as struct ims_vectors_tuning has them */
    bool is_trial; /* of an order of likeness that was not yet found good */
};

/* Sets miss, and the deviations that go with it. */
void ims__job_rules_miss(struct ims_job_rules *r, double miss);

struct ims_job {
    const struct ims_vectors_query *query; /* of unit length */
    struct ims_vectors_result *result;
    ims_status status;
    ims_err err;

    const struct ims_snapshot *snapshot;
    const struct ims_filter_bits *filter; /* NULL = all; of this snapshot */
    const struct ims_job_rules *rules;
    enum ims_vectors_plan plan;
    size_t n_candidates;
    size_t k; /* collected; at least query->k */
    float margin;

    size_t n_codes; /* one per epoch of the snapshot */
    struct ims_query_code *codes;
    uint16_t *code_of_view;
    void *memory[4];

    bool has_pass; /* nobody else reads with it: it may choose the order */
    struct ims_probe probe; /* the units in that order; n 0: in any */
    struct ims_floor floor;
    unsigned n_collectors; /* one per thread */
    struct ims_collector *collectors;
};

/* Space of one thread for a unit. */
struct ims_unit_room {
    uint32_t allowed[IMS_UNIT_WORDS], of_cell[IMS_UNIT_WORDS];
    uint32_t cells[IMS_UNIT_SLOTS + 1];
    uint16_t sums[IMS_UNIT_SLOTS];
    float bounds[IMS_UNIT_SLOTS];
    uint32_t at[IMS_UNIT_SLOTS];
    float scores[32];
};

/* query, result and rules are set, filter may be; everything else zero. What is to be read, then the rest: */
void ims__job_plan(struct ims_job *j, const struct ims_snapshot *s);
ims_status ims__job_prepare(struct ims_job *j, unsigned n_threads, ims_err *err);
/* Scans unit `unit` of a view with the collector of one thread. */
void ims__job_scan(struct ims_job *j, unsigned thread, size_t view, uint32_t unit, struct ims_unit_room *room);
/* The score of a row by its bytes. */
float ims__job_score_bytes(const struct ims_job *j, size_t view, uint32_t slot);
void ims__job_ask_for_bytes(const struct ims_job *j, size_t view, uint32_t slot); /* before they are needed */
/* The score of what a unit's or a cell's rows have in common. */
float ims__job_score_part(const struct ims_job *j, size_t view, const struct ims_part *part, const int8_t *bytes);
/* Scores what came since the last time, best bounds first, for as long as that raises the floor; the rest is left for
 * later, when most of it will be below the floor. */
void ims__job_raise_floor(struct ims_job *j, unsigned thread);
/* Scores all that is pending, best bounds first, until the bounds fall below the k-th best. */
void ims__job_drain(struct ims_job *j, unsigned thread);
/* All threads are done: the exact scores of what may be among the best, in order, into the result. */
ims_status ims__job_finish(struct ims_job *j, ims_err *err);
void ims__job_release(struct ims_job *j);

#endif
