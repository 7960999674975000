/* Dynamic batching: many threads hand in one item each, workers run them in batches.
 *
 * A worker takes what is waiting as soon as there are max_batch items, or the oldest has waited
 * max_wait_ms, or someone asked for a flush. Items keep their order. When a batch runs out of
 * memory (IMS_E_NOMEM), it is halved and tried again, and later batches stay at the smaller size; a
 * single item that fails so gets the error. Any other error goes to every caller of that batch.
 *
 * Memory: the queue holds at most queue_capacity tickets (pointers into the callers' memory), each
 * worker one buffer of max_batch items and one of max_batch results.
 *
 * Thread-safe, except new and free.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_BATCHER_H
#define IMS_COMPUTE_BATCHER_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

struct ims_batcher;

struct ims_batcher_options {
    const char *name; /* of the worker threads, at most 12 characters */
    size_t max_batch;
    unsigned max_wait_ms;
    size_t queue_capacity; /* submit blocks above it; at least max_batch, 0 = 4 * max_batch */
    unsigned n_workers;    /* 0 = 1; one per session that run uses */
    size_t item_bytes;
    size_t result_bytes;
    /* n items, one after another, in; n results, one after another, out. worker is 0 ..
     * n_workers-1; one call at a time per worker. */
    ims_status (*run)(void *arg, unsigned worker, const void *items, size_t n, void *results,
                      ims_err *err);
    void *arg;
};
ims_status ims_batcher_new(struct ims_batcher **out, const struct ims_batcher_options *options,
                           ims_err *err) IMS_MUST_CHECK;
/* Finishes what was submitted, then ends the workers. Every ticket must have been waited for, and
 * nobody may be inside another call. */
void ims_batcher_free(struct ims_batcher *b);

/* A place in the queue, in the caller's memory, from submit until wait returned. */
struct ims_batch_ticket {
    const void *item;
    void *result;
    ims_status status;
    ims_err err;
    uint64_t submitted_ns;
    struct ims_batch_ticket *next;
    int state; /* private */
};
/* item and result stay the caller's and must live until the wait returned. Blocks while the queue
 * is full. IMS_E_CANCELLED after ims_batcher_stop. */
ims_status ims_batcher_submit(struct ims_batcher *b, struct ims_batch_ticket *ticket,
                              const void *item, void *result, ims_err *err) IMS_MUST_CHECK;
/* Blocks until the item was run. result is written on success only. Call once per submitted ticket.
 */
ims_status ims_batcher_wait(struct ims_batcher *b, struct ims_batch_ticket *ticket,
                            ims_err *err) IMS_MUST_CHECK;
/* submit and wait in one. */
ims_status ims_batcher_do(struct ims_batcher *b, const void *item, void *result,
                          ims_err *err) IMS_MUST_CHECK;
/* What is waiting now need not wait for more. */
void ims_batcher_flush(struct ims_batcher *b);
/* Refuses new items from now on; what was submitted is still run. */
void ims_batcher_stop(struct ims_batcher *b);

struct ims_batcher_stats {
    uint64_t n_items;
    uint64_t n_batches;
    uint64_t n_failed_items;
    uint64_t n_halvings;
    size_t max_batch_now; /* after halvings */
    size_t most_waiting;  /* the longest the queue ever was */
    uint64_t busy_ns;     /* inside run, summed over workers */
    uint64_t blocked_ns;  /* callers blocked in submit because the queue was full */
};
void ims_batcher_stats(struct ims_batcher *b, struct ims_batcher_stats *out);

#endif
