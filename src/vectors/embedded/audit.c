/* Comparing searches with the full scan.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/audit.h"

#include "base/clock.h"
#include "base/mem.h"

#define WAIT_MS 1000

/* The unit vector's best n by the full scan against those that were found. */
static ims_status compare(struct ims_audit *a, const struct ims_vectors_query *asked, const int64_t *found,
                          size_t n, ims_err *err)
{
    struct ims_vectors_hit hits[IMS_AUDIT_HITS];
    struct ims_vectors_result truth = { .hits = hits };
    struct ims_vectors_query q = *asked;
    size_t n_found = 0;
    ims_status st;

    q.k = n;
    q.is_exact = true;
    st = n ? ims__passes_search(a->passes, &q, 1, &truth, err) : IMS_OK;
    if (st || !n)
        return st;
    for (size_t i = 0; i < truth.n; i++) {
        for (size_t k = 0; k < n; k++)
            n_found += hits[i].id == found[k];
    }
    ims__lock(&a->lock);
    a->counts.n_audited++;
    a->counts.n_hits += truth.n;
    a->counts.n_found += n_found;
    a->counts.last_us = ims__now_us();
    ims__unlock(&a->lock);
    return IMS_OK;
}

static void watch(void *arg)
{
    struct ims_audit *a = arg;
    struct ims_vectors_query q = { .vector = a->vector };
    int64_t hits[IMS_AUDIT_HITS];

    ims__lock(&a->lock);
    while (!a->is_stopping) {
        size_t n = a->n_hits;

        if (!a->has_sample) {
            (void)ims__cond_wait(&a->changed, &a->lock, WAIT_MS);
            continue;
        }
        memcpy(hits, a->hits, n * sizeof(*hits));
        ims__unlock(&a->lock);
        (void)compare(a, &q, hits, n, NULL); /* short of memory: another sample will come */
        ims__lock(&a->lock);
        a->has_sample = false; /* from now on the vector may be another */
    }
    ims__unlock(&a->lock);
}

ims_status ims__audit_open(struct ims_audit *a, struct ims_passes *passes, uint32_t dim, unsigned every,
                           ims_err *err)
{
    a->passes = passes;
    a->dim = dim;
    a->every = every;
    a->has_lock = ims__lock_init(&a->lock) == IMS_OK;
    a->has_cond = a->has_lock && ims__cond_init(&a->changed) == IMS_OK;
    a->vector = ims__alloc(dim, sizeof(float));
    if (!a->has_cond || !a->vector)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "opening an index");
    return every ? ims__thread_start(&a->thread, "ims-audit", watch, a, err) : IMS_OK;
}

void ims__audit_close(struct ims_audit *a)
{
    if (a->has_cond) {
        ims__lock(&a->lock);
        a->is_stopping = true;
        ims__cond_broadcast(&a->changed);
        ims__unlock(&a->lock);
    }
    ims__thread_join(&a->thread);
    if (a->has_cond)
        ims__cond_release(&a->changed);
    if (a->has_lock)
        ims__lock_release(&a->lock);
    ims__free(a->vector);
}

static size_t copy_ids(const struct ims_vectors_result *r, int64_t *out)
{
    size_t n = r->n < IMS_AUDIT_HITS ? r->n : IMS_AUDIT_HITS;

    for (size_t i = 0; i < n; i++)
        out[i] = r->hits[i].id;
    return n;
}

ims_status ims__audit_note(struct ims_audit *a, const struct ims_vectors_query *q,
                           const struct ims_vectors_result *r, ims_err *err)
{
    bool is_filtered = q->only_ids || q->filter;
    int64_t ids[IMS_AUDIT_HITS];

    if (r->answer.plan == IMS_VECTORS_FLOATS)
        return IMS_OK;
    if (q->is_audited)
        return compare(a, q, ids, copy_ids(r, ids), err);
    ims__lock(&a->lock);
    a->counts.n_searches += r->answer.plan == IMS_VECTORS_CODES;
    if (a->every && r->answer.plan == IMS_VECTORS_CODES && a->counts.n_searches % a->every == 0 && !is_filtered &&
        !a->has_sample) { /* a sample while one is looked at is let go */
        memcpy(a->vector, q->vector, a->dim * sizeof(float));
        a->n_hits = copy_ids(r, a->hits);
        a->has_sample = true;
        ims__cond_signal(&a->changed);
    }
    ims__unlock(&a->lock);
    return IMS_OK;
}

void ims__audit_counts(struct ims_audit *a, struct ims_vectors_audit *out)
{
    ims__lock(&a->lock);
    *out = a->counts;
    ims__unlock(&a->lock);
}
