/* Byte-pair merges of a word as a linked list of symbols, the ranked pairs waiting in a heap of
 * (rank, position): O(n log n) where the references' descriptions are quadratic.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_bpe_merge.h"

#include "base/mem.h"

#include <string.h>

#define DEAD IMS__BPE_DEAD

void ims__bpe_scratch_release(struct ims__bpe_scratch *w)
{
    ims__free(w->symbols);
    ims__free(w->heap);
    ims__free(w->touched);
}

ims_status ims__bpe_scratch_reserve(struct ims__bpe_scratch *w, size_t n)
{
    if (n <= w->cap)
        return IMS_OK;
    n = n < 64 ? 64 : n;
    ims__bpe_scratch_release(w);
    memset(w, 0, sizeof(*w));
    w->symbols = ims__alloc(n, sizeof(*w->symbols));
    /* n - 1 pairs at first; each of at most n - 1 merges adds two. */
    w->heap = ims__alloc(3 * n, sizeof(*w->heap));
    w->touched = ims__alloc(2 * n, sizeof(*w->touched));
    if (!w->symbols || !w->heap || !w->touched)
        return IMS_E_NOMEM;
    w->cap = n;
    return IMS_OK;
}

static void heap_push(struct ims__bpe_scratch *w, uint64_t key)
{
    size_t i = w->n_heap++;

    while (i > 0 && w->heap[(i - 1) / 2] > key) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = key;
}

static uint64_t heap_pop(struct ims__bpe_scratch *w)
{
    uint64_t top = w->heap[0];
    uint64_t key = w->heap[--w->n_heap];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= w->n_heap)
            break;
        if (child + 1 < w->n_heap && w->heap[child + 1] < w->heap[child])
            child++;
        if (w->heap[child] >= key)
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = key;
    return top;
}

static void push_pair(const struct ims__bpe *b, struct ims__bpe_scratch *w, int32_t pos)
{
    const struct ims__bpe_symbol *s = &w->symbols[pos];
    uint32_t rank;

    if (s->id == DEAD || s->next < 0)
        return;
    rank = ims__bpe_rank(b, s->id, w->symbols[s->next].id);
    if (rank != IMS__BPE_NO_RANK)
        heap_push(w, (uint64_t)rank << 32 | (uint32_t)pos);
}

static void join(struct ims__bpe_scratch *w, int32_t pos, int32_t result)
{
    struct ims__bpe_symbol *s = &w->symbols[pos];
    struct ims__bpe_symbol *next = &w->symbols[s->next];

    s->id = result;
    s->next = next->next;
    next->id = DEAD;
    if (s->next >= 0)
        w->symbols[s->next].prev = pos;
}

/* Merges the pair at pos if it is still the one of this rank. */
static void merge_at(const struct ims__bpe *b, struct ims__bpe_scratch *w, uint32_t rank,
                     int32_t pos)
{
    const struct ims__bpe_merge *m = &b->merges[rank];
    const struct ims__bpe_symbol *s = &w->symbols[pos];

    if (s->id != m->left || s->next < 0 || w->symbols[s->next].id != m->right)
        return;
    join(w, pos, m->result);
    w->touched[w->n_touched++] = pos;
    if (s->prev >= 0)
        w->touched[w->n_touched++] = s->prev;
}

void ims__bpe_merge_by_rank(const struct ims__bpe *b, struct ims__bpe_scratch *w, size_t n)
{
    w->n_heap = 0;
    for (size_t i = 0; i + 1 < n; i++)
        push_pair(b, w, (int32_t)i);
    while (w->n_heap) {
        uint32_t rank = (uint32_t)(w->heap[0] >> 32);

        w->n_touched = 0;
        while (w->n_heap && (uint32_t)(w->heap[0] >> 32) == rank)
            merge_at(b, w, rank, (int32_t)(uint32_t)heap_pop(w));
        for (size_t i = 0; i < w->n_touched; i++)
            push_pair(b, w, w->touched[i]);
    }
}

/* Is what stands at pos now still worth the merge that was queued? The reference asks only whether
 * it makes the same token. */
static bool is_current(const struct ims__bpe *b, const struct ims__bpe_scratch *w, uint32_t rank,
                       int32_t pos)
{
    const struct ims__bpe_symbol *s = &w->symbols[pos];
    uint32_t now;

    if (s->id == DEAD || s->next < 0)
        return false;
    now = ims__bpe_rank(b, s->id, w->symbols[s->next].id);
    return now != IMS__BPE_NO_RANK && b->merges[now].result == b->merges[rank].result;
}

void ims__bpe_merge_at_once(const struct ims__bpe *b, struct ims__bpe_scratch *w, size_t n)
{
    w->n_heap = 0;
    for (size_t i = 0; i + 1 < n; i++)
        push_pair(b, w, (int32_t)i);
    while (w->n_heap) {
        uint64_t top = heap_pop(w);
        uint32_t rank = (uint32_t)(top >> 32);
        int32_t pos = (int32_t)(uint32_t)top;

        if (!is_current(b, w, rank, pos))
            continue;
        join(w, pos, b->merges[rank].result);
        if (w->symbols[pos].prev >= 0)
            push_pair(b, w, w->symbols[pos].prev);
        push_pair(b, w, pos);
    }
}
