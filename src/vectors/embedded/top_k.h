/* The k best hits seen so far, as a heap with the worst on top.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_TOP_K_H
#define IMS_VECTORS_EMBEDDED_TOP_K_H

#include "vectors/vectors.h"

struct ims_top_k {
    struct ims_vectors_hit *hits; /* room for k, given by the caller */
    size_t k;
    size_t n;
};

/* Higher score first, then lower id: a total order, so results do not depend on the order of arrival. */
bool ims__hit_is_better(const struct ims_vectors_hit *a, const struct ims_vectors_hit *b);
void ims__top_k_offer(struct ims_top_k *t, int64_t id, float score);
/* Best first. The heap is used up. */
void ims__top_k_sort(struct ims_top_k *t);

#endif
