/* Nearest neighbours by cosine over unit vectors: what callers see.
 *
 * An index holds rows of `dim` floats under 64-bit ids. It is derived data: whoever owns it fills it
 * from the store and may throw it away at any time. Searching is exact.
 *
 * Threads: any number of searches at once, or one writer (add, remove); the handle does the locking.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_VECTORS_H
#define IMS_VECTORS_VECTORS_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_vectors;

struct ims_vectors_options {
    uint32_t dim;       /* 1..IMS_MAX_EMBEDDING_DIM */
    unsigned n_threads; /* for one search; 0 = 1 */
};

struct ims_vectors_hit {
    int64_t id;
    float score; /* cosine, -1..1 up to rounding */
};

struct ims_vectors_query {
    const float *vector; /* dim floats; need not be of unit length, must be finite and not zero */
    size_t k;            /* how many hits at most; 1..IMS_MAX_SEARCH_WINDOW */
    /* Only these ids may be found: ascending, without repeats. NULL = all. Ids that the index does not
     * hold are passed over. */
    const int64_t *only_ids;
    size_t n_only_ids;
};

#define IMS_MAX_SEARCH_WINDOW ((size_t)1 << 20)

/* name: "embedded". IMS_E_UNSUPPORTED names what is built in. */
ims_status ims_vectors_open(struct ims_vectors **out, const char *name,
                            const struct ims_vectors_options *options, ims_err *err) IMS_MUST_CHECK;
void ims_vectors_close(struct ims_vectors *v);

/* Adds n rows; a row whose id is there already replaces it. rows: n x dim floats, finite; they are
 * brought to unit length. IMS_E_INVALID for a row that is zero or not finite: then nothing is added. */
ims_status ims_vectors_add(struct ims_vectors *v, const int64_t *ids, const float *rows, size_t n,
                           ims_err *err) IMS_MUST_CHECK;
/* Unknown ids are passed over. */
ims_status ims_vectors_remove(struct ims_vectors *v, const int64_t *ids, size_t n, ims_err *err)
    IMS_MUST_CHECK;
size_t ims_vectors_count(struct ims_vectors *v);
uint32_t ims_vectors_dim(const struct ims_vectors *v);
/* The row of one id into out (dim floats); IMS_E_NOT_FOUND. */
ims_status ims_vectors_get(struct ims_vectors *v, int64_t id, float *out, ims_err *err) IMS_MUST_CHECK;

/* The min(k, candidates) best rows: score descending, equal scores by ascending id, so that pages cut
 * from longer lists agree. out_hits has room for k. out_candidates (may be NULL): rows looked at. */
ims_status ims_vectors_search(struct ims_vectors *v, const struct ims_vectors_query *query,
                              struct ims_vectors_hit *out_hits, size_t *out_n, size_t *out_candidates,
                              ims_err *err) IMS_MUST_CHECK;

#endif
