/* The pictures that a filter leaves, kept for as long as the library does not change.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_SEARCH_CANDIDATES_H
#define IMS_ENGINE_SEARCH_CANDIDATES_H

#include "store/store.h"
#include "vectors/vectors.h"

#define IMS_CANDIDATE_SETS 8 /* filters that are remembered */

struct ims_candidates {
    struct ims_store_pair *pairs; /* by content, then asset */
    size_t n;
    int64_t *contents; /* the distinct contents, ascending */
    size_t n_contents;
    struct ims_vectors_filter *filter; /* of these contents */
};

/* One engine's memory of filters. One thread at a time. */
struct ims_candidate_sets {
    uint64_t clock;
    struct {
        char *key;
        size_t key_bytes;
        int64_t epoch;
        uint64_t used;
        struct ims_candidates c;
    } at[IMS_CANDIDATE_SETS];
};

/* The candidates of a filter, a loan until the next call. */
ims_status ims__candidates_get(struct ims_candidate_sets *sets, struct ims_store *store, int64_t model_id,
                               const struct ims_store_filter *filter, const struct ims_candidates **out,
                               ims_err *err) IMS_MUST_CHECK;
void ims__candidates_release(struct ims_candidate_sets *sets);
/* The first pair of a content, or where it would be. */
size_t ims__candidates_find(const struct ims_candidates *c, int64_t content_id);

#endif
