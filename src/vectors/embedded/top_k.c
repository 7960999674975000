/* The k best hits, by a binary heap.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/top_k.h"

bool ims__hit_is_better(const struct ims_vectors_hit *a, const struct ims_vectors_hit *b)
{
    if (a->score > b->score)
        return true;
    if (a->score < b->score)
        return false;
    return a->id < b->id;
}

static void swap(struct ims_vectors_hit *a, struct ims_vectors_hit *b)
{
    struct ims_vectors_hit t = *a;

    *a = *b;
    *b = t;
}

/* Restores "a parent is worse than its children" below i, among the first n. */
static void sift_down(struct ims_vectors_hit *h, size_t n, size_t i)
{
    for (;;) {
        size_t worst = i, left = 2 * i + 1, right = left + 1;

        if (left < n && ims__hit_is_better(&h[worst], &h[left]))
            worst = left;
        if (right < n && ims__hit_is_better(&h[worst], &h[right]))
            worst = right;
        if (worst == i)
            return;
        swap(&h[i], &h[worst]);
        i = worst;
    }
}

void ims__top_k_offer(struct ims_top_k *t, int64_t id, float score)
{
    struct ims_vectors_hit hit = { .id = id, .score = score };
    size_t i;

    if (t->n == t->k) {
        if (!ims__hit_is_better(&hit, &t->hits[0]))
            return;
        t->hits[0] = hit;
        sift_down(t->hits, t->n, 0);
        return;
    }
    i = t->n++;
    t->hits[i] = hit;
    while (i > 0 && ims__hit_is_better(&t->hits[(i - 1) / 2], &t->hits[i])) {
        swap(&t->hits[i], &t->hits[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

void ims__top_k_sort(struct ims_top_k *t)
{
    for (size_t n = t->n; n > 1; n--) {
        swap(&t->hits[0], &t->hits[n - 1]); /* the worst of what is left goes to the end */
        sift_down(t->hits, n - 1, 0);
    }
}
