/* The plain scan over rows that come one at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/vectors.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "vectors/embedded/top_k.h"
#include "vectors/vectors_backend.h"

#include <string.h>

struct ims_vectors_scan {
    uint32_t dim;
    const int64_t *ids; /* NULL = all */
    size_t n_ids;
    size_t n_seen;
    struct ims_top_k best;
    float *query, *row; /* of unit length */
};

ims_status ims_vectors_scan_open(struct ims_vectors_scan **out, uint32_t dim, const struct ims_vectors_query *q,
                                 ims_err *err)
{
    struct ims_vectors_scan *s;
    ims_status st = ims__vectors_check_query(dim, q, err);

    if (st)
        return st;
    s = ims__zalloc(1, sizeof(*s));
    if (s) {
        s->dim = dim;
        s->ids = q->filter ? q->filter->ids : q->only_ids;
        s->n_ids = q->filter ? q->filter->n : q->n_only_ids;
        s->best.k = q->k;
        s->best.hits = ims__alloc(q->k, sizeof(*s->best.hits));
        s->query = ims__memdup(q->vector, dim * sizeof(float));
        s->row = ims__alloc(dim, sizeof(float));
    }
    if (!s || !s->best.hits || !s->query || !s->row) {
        ims_vectors_scan_close(s);
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "searching");
    }
    ims__kernels()->normalise_f32(s->query, dim);
    *out = s;
    return IMS_OK;
}

static bool is_allowed(const struct ims_vectors_scan *s, int64_t id)
{
    size_t low = 0, high = s->n_ids;

    if (!s->ids)
        return true;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (s->ids[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->n_ids && s->ids[low] == id;
}

void ims_vectors_scan_row(struct ims_vectors_scan *s, int64_t id, const float *row)
{
    const struct ims_kernels *k = ims__kernels();

    if (!is_allowed(s, id) || !ims__vectors_is_usable(row, s->dim))
        return;
    memcpy(s->row, row, s->dim * sizeof(float));
    k->normalise_f32(s->row, s->dim);
    ims__top_k_offer(&s->best, id, k->dot_f32(s->query, s->row, s->dim));
    s->n_seen++;
}

void ims_vectors_scan_finish(struct ims_vectors_scan *s, struct ims_vectors_result *out)
{
    ims__top_k_sort(&s->best);
    memcpy(out->hits, s->best.hits, s->best.n * sizeof(*out->hits));
    out->n = s->best.n;
    out->answer = (struct ims_vectors_answer){ .plan = IMS_VECTORS_FLOATS,
                                               .n_candidates = s->n_seen,
                                               .n_floats = s->n_seen,
                                               .n_shared = 1 };
}

void ims_vectors_scan_close(struct ims_vectors_scan *s)
{
    if (!s)
        return;
    ims__free(s->best.hits);
    ims__free(s->query);
    ims__free(s->row);
    ims__free(s);
}
