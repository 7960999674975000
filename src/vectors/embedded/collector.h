/* What one thread found for one query: candidates by their bound, scores, and how good the k-th best is.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_COLLECTOR_H
#define IMS_VECTORS_EMBEDDED_COLLECTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_LISTED 1024
#define IMS_AT(view, slot) ((uint32_t)(view) << 16 | (slot))

/* A lower bound of the true k-th best score, known to all threads of a query. It only rises. */
#define IMS_CACHE_LINE 64 /* what one thread writes often shares none with what another one reads */

struct ims_floor {
    _Atomic int32_t ordered;
};
void ims__floor_init(struct ims_floor *f);
float ims__floor_get(struct ims_floor *f);
void ims__floor_raise(struct ims_floor *f, float value);

struct ims_candidate {
    float bound; /* no better score than this, but for the stated probability */
    uint32_t at; /* IMS_AT */
};

struct ims_scored {
    float score;
    uint32_t at;
};

/* One thread's; in cache lines of its own. */
struct ims_collector {
    _Alignas(IMS_CACHE_LINE) size_t k;
    float margin; /* a score is off the true one by no more */
    struct ims_floor *floor;
    struct ims_candidate *pending, *sorted; /* both of pending_cap */
    size_t n_pending, n_deferred, pending_cap; /* the first n_deferred were looked at and left for later */
    uint32_t listed[IMS_LISTED]; /* rows whose bytes are to be scored */
    uint32_t n_listed;
    float step; /* of the last sorting: a bound is at most this much above those before it */
    struct ims_scored *kept; /* all that may be among the k best */
    size_t n_kept, kept_cap;
    float *best; /* a heap of the k best scores, the worst on top */
    size_t n_best;
    bool is_short; /* of memory: what it holds is incomplete */
    size_t n_coded, n_bytes, n_exact; /* rows bounded by codes, scored by bytes, scored by floats; */
    size_t n_skipped;                 /* not read, as their cell is too far */
};

bool ims__collector_init(struct ims_collector *c, size_t k, float margin, struct ims_floor *floor);
void ims__collector_release(struct ims_collector *c);
/* Room for n more candidates; false (and is_short) when there is none. */
bool ims__collector_reserve(struct ims_collector *c, size_t n);
void ims__collector_score(struct ims_collector *c, float score, uint32_t at);
/* Moves the pending candidates, but for the deferred ones, to `sorted`, the highest bounds first in 256 steps;
 * returns how many reach the floor. */
size_t ims__collector_sort(struct ims_collector *c);
/* Puts sorted candidates from `from` up to n among the deferred ones. */
void ims__collector_defer(struct ims_collector *c, size_t from, size_t n);
/* The k-th largest of n scores (n >= k > 0); reorders them. */
float ims__kth_score(struct ims_scored *s, size_t n, size_t k);

#endif
