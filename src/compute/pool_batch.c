/* The search for a device's batch size.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_batch.h"

#define N_TRIES 3   /* batches of a size; the best one counts */
#define GAIN 1.05   /* what a larger batch must be worth: it takes memory, and others wait for it */
#define PATIENCE 2  /* sizes: rates need not rise at every doubling to rise in the end */
#define FAR_BELOW 0.7
#define FAR_ABOVE 1.4
#define N_ODD 16 /* batches far off before a device is measured again */

void ims__batch_begin(struct ims_batch_plan *p, size_t limit)
{
    *p = (struct ims_batch_plan){ .rows = 1, .limit = limit };
    if (limit == 1) { /* nothing to look for */
        p->is_settled = true;
        p->best = 1;
    }
}

void ims__batch_fix(struct ims_batch_plan *p, size_t limit)
{
    *p = (struct ims_batch_plan){
        .rows = limit, .limit = limit, .best = limit, .is_settled = true, .is_fixed = true
    };
}

void ims__batch_resume(struct ims_batch_plan *p, size_t best, double best_rate)
{
    if (p->is_fixed || best == 0)
        return;
    if (best > p->limit) { /* nothing between was better; how fast the limit is will be seen */
        best = p->limit;
        best_rate = 0;
    }
    *p = (struct ims_batch_plan){
        .rows = best, .limit = p->limit, .best = best, .best_rate = best_rate, .is_settled = true
    };
}

void ims__batch_limit(struct ims_batch_plan *p, size_t limit)
{
    if (p->is_fixed)
        ims__batch_fix(p, limit);
    else if (p->is_settled && p->best && p->best <= limit)
        p->limit = limit;
    else
        ims__batch_begin(p, limit);
}

static void settle(struct ims_batch_plan *p)
{
    p->is_settled = true;
    p->rows = p->best;
    p->n_odd = 0;
}

/* The size that was tried often enough is judged, and the next one chosen. */
static bool judge(struct ims_batch_plan *p)
{
    size_t next = p->limit / 2 < p->rows ? p->limit : p->rows * 2;

    if (!p->best || p->tried_rate > p->best_rate * GAIN) {
        p->best = p->rows;
        p->best_rate = p->tried_rate;
        p->n_worse = 0;
    } else {
        p->n_worse++;
    }
    if (p->rows == p->limit || p->n_worse >= PATIENCE) {
        settle(p);
        return true;
    }
    p->rows = next;
    p->n_tried = 0;
    p->tried_rate = 0;
    return false;
}

static void watch(struct ims_batch_plan *p, double rate)
{
    if (p->is_fixed || p->limit == 1)
        return;
    if (p->best_rate == 0) { /* chosen by memory, unmeasured */
        p->best_rate = rate;
        return;
    }
    p->n_odd = rate < p->best_rate * FAR_BELOW || rate > p->best_rate * FAR_ABOVE ? p->n_odd + 1 : 0;
    if (p->n_odd >= N_ODD)
        ims__batch_begin(p, p->limit);
}

bool ims__batch_note(struct ims_batch_plan *p, size_t rows, uint64_t ns)
{
    double rate = ns ? (double)rows * 1e9 / (double)ns : 0;

    if (rows != p->rows || rate == 0)
        return false;
    if (p->is_settled) {
        watch(p, rate);
        return false;
    }
    if (rate > p->tried_rate)
        p->tried_rate = rate;
    return ++p->n_tried >= N_TRIES && judge(p);
}

bool ims__batch_halve(struct ims_batch_plan *p, size_t rows)
{
    size_t fits = rows > 1 ? rows / 2 : 1;

    if (p->best_rate > 0 && p->best < rows && p->best > fits)
        fits = p->best; /* it did, when it was measured */
    if (fits >= p->limit)
        return false;
    p->limit = fits;
    if (p->is_fixed) {
        ims__batch_fix(p, fits);
        return false;
    }
    if (p->rows <= fits)
        return false;
    if (!p->best || p->best > fits) { /* what had won does not fit any more */
        p->best = fits;
        p->best_rate = 0;
    }
    settle(p);
    return true;
}
