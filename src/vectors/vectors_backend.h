/* Nearest neighbours: what a backend provides. Arguments are checked by vectors.c before a slot is called.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_VECTORS_BACKEND_H
#define IMS_VECTORS_VECTORS_BACKEND_H

#include "vectors/vectors.h"

#include <pthread.h>

#define IMS_VECTORS_ABI 3

/* vectors_filter.c: ids for many queries; what a backend makes of them is kept in `state`. */
struct ims_vectors_filter {
    int64_t *ids;
    size_t n;
    pthread_mutex_t lock; /* of state */
    const void *owner;    /* the backend's context that made state */
    void *state;
    void (*free_state)(void *state);
};

struct ims_vectors_ops {
    uint32_t abi; /* IMS_VECTORS_ABI */
    const char *name;
    size_t ctx_size; /* the registry allocates this many zeroed bytes */
    uint32_t caps;   /* none defined yet */

    /* Prepares ctx. After a failure close is called all the same. */
    ims_status (*open)(void *ctx, const struct ims_vectors_options *options, ims_err *err);
    /* Must accept a context that open left half done. */
    void (*close)(void *ctx);
    /* rows are finite and not zero; they may be of any length. All or nothing. */
    ims_status (*add)(void *ctx, const int64_t *ids, const float *rows, size_t n, ims_err *err);
    ims_status (*remove)(void *ctx, const int64_t *ids, size_t n, ims_err *err);
    size_t (*count)(void *ctx);
    ims_status (*get)(void *ctx, int64_t id, float *out, ims_err *err);
    /* Every query's vector is finite and of unit length. Any number of threads. */
    ims_status (*search)(void *ctx, const struct ims_vectors_query *queries, size_t n,
                         struct ims_vectors_result *results, ims_err *err);

    /* (optional, all or none) An index that has a folder. As in vectors.h. */
    int64_t (*seq)(void *ctx);
    ims_status (*save)(void *ctx, int64_t seq, ims_err *err);
    ims_status (*verify)(void *ctx, ims_err *err);
    ims_status (*clear)(void *ctx, ims_err *err);
    void (*warm)(void *ctx);
    void (*info)(void *ctx, struct ims_vectors_info *out); /* *out is zero */
    void (*audit)(void *ctx, struct ims_vectors_audit *out);

    /* (optional, both or none) A rebuild beside searches, as in vectors.h. stage prepares the zeroed context of another
     * index in place of open; after a failure close is called all the same. */
    ims_status (*stage)(void *ctx, void *staged, ims_err *err);
    ims_status (*adopt)(void *ctx, void *staged, ims_err *err);
};

/* vectors.c. A row may be indexed when its length is a number above zero. */
bool ims__vectors_is_usable(const float *row, uint32_t dim);
ims_status ims__vectors_check_query(uint32_t dim, const struct ims_vectors_query *q, ims_err *err) IMS_MUST_CHECK;

extern const struct ims_vectors_ops ims__vectors_embedded, ims__vectors_exact;

#endif
