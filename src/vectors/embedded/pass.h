/* Passes over the index: the threads that search, and the queries that read together.
 *
 * One pass runs at a time, on at most n_threads threads: that of a caller and helpers of the pool. Queries
 * that arrive meanwhile wait and go through the index together in the next pass, so that a unit of codes
 * comes from memory once for all of them. Queries with few rows to look at pass by on their own thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_PASS_H
#define IMS_VECTORS_EMBEDDED_PASS_H

#include "base/thread.h"
#include "vectors/embedded/job.h"

#define IMS_PASS_JOBS 16

struct ims_pass; /* one that is running */

struct ims_passes {
    struct ims_snapshots *snapshots;
    const struct ims_job_rules *rules;
    unsigned n_threads;
    struct ims_lock lock; /* of all below */
    struct ims_cond changed, work_comes; /* for callers; for helpers */
    bool has_lock, has_cond, has_work_cond;
    bool is_stopping;
    bool is_running; /* a caller leads a pass */
    struct ims_ticket *first, *last; /* waiting */
    struct ims_pass *pass;           /* helpers may join; NULL = none */
    _Atomic bool is_coming;          /* one is being prepared: helpers wake meanwhile */
    struct ims_thread helpers[IMS_MAX_SEARCH_THREADS];
    unsigned n_helpers;
};

/* Starts the helpers. What was opened before a failure is closed by ims__passes_close. */
ims_status ims__passes_open(struct ims_passes *p, struct ims_snapshots *snapshots,
                            const struct ims_job_rules *rules, unsigned n_threads, ims_err *err) IMS_MUST_CHECK;
void ims__passes_close(struct ims_passes *p);
/* Answers n queries of unit length. Any number of threads. */
ims_status ims__passes_search(struct ims_passes *p, const struct ims_vectors_query *queries, size_t n,
                              struct ims_vectors_result *results, ims_err *err) IMS_MUST_CHECK;

#endif
