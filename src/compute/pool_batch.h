/* How many rows a device is given at a time: found by trying, with the rows that are to be computed
 * anyway.
 *
 * Sizes are 1, 2, 4 ... up to a limit. At each the best of a few batches counts, since whatever
 * disturbs a batch makes it slower; a larger size is taken when it gives clearly more rows a second
 * than the best so far, and after two sizes without such a gain the best one stays. A size that does
 * not fit into memory ends the search below it. A settled device whose speed then stays far from
 * what was measured, because it is throttled or shared now, or no longer, is measured again.
 *
 * Pure: the caller brings times and holds a lock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_POOL_BATCH_H
#define IMS_COMPUTE_POOL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_batch_plan {
    size_t rows;  /* to give now */
    size_t limit; /* never more; halved where memory is short */
    bool is_settled;
    bool is_fixed;    /* no search: the limit */
    size_t best;      /* the size that won so far; 0 = none */
    double best_rate; /* its rows a second; 0 = not measured */
    unsigned n_tried; /* batches of rows rows, while searching */
    double tried_rate;
    unsigned n_worse; /* sizes in turn without a gain */
    unsigned n_odd;   /* batches in turn far from best_rate, once settled */
};

/* Nothing is known: begins with one row. */
void ims__batch_begin(struct ims_batch_plan *p, size_t limit);
/* No search: always as many as there may be. */
void ims__batch_fix(struct ims_batch_plan *p, size_t limit);
/* What an earlier search found: taken as it is, or the limit where that is less. */
void ims__batch_resume(struct ims_batch_plan *p, size_t best, double best_rate);
/* A smaller or larger limit, before anything ran. */
void ims__batch_limit(struct ims_batch_plan *p, size_t limit);
/* A batch came out. Sizes other than rows say nothing. true: the search ended with it. */
bool ims__batch_note(struct ims_batch_plan *p, size_t rows, uint64_t ns);
/* rows did not fit into memory: half as many at most from now on, or the best so far where that is
 * between. true: that ended the search, or changed what it had found. */
bool ims__batch_halve(struct ims_batch_plan *p, size_t rows);

#endif
