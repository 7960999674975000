/* Collecting candidates and scores.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/collector.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define N_STEPS 256
#define FIRST_KEPT 1024

/* Floats as integers of the same order. */
static int32_t to_ordered(float f)
{
    int32_t i;

    memcpy(&i, &f, sizeof(i));
    return i < 0 ? i ^ INT32_MAX : i;
}

static float from_ordered(int32_t i)
{
    float f;

    i = i < 0 ? i ^ INT32_MAX : i;
    memcpy(&f, &i, sizeof(f));
    return f;
}

void ims__floor_init(struct ims_floor *f)
{
    atomic_init(&f->ordered, to_ordered(-INFINITY));
}

float ims__floor_get(struct ims_floor *f)
{
    return from_ordered(atomic_load_explicit(&f->ordered, memory_order_relaxed));
}

void ims__floor_raise(struct ims_floor *f, float value)
{
    int32_t wanted = to_ordered(value);
    int32_t seen = atomic_load_explicit(&f->ordered, memory_order_relaxed);

    while (seen < wanted && !atomic_compare_exchange_weak_explicit(&f->ordered, &seen, wanted,
                                                                   memory_order_relaxed,
                                                                   memory_order_relaxed))
        ;
}

bool ims__collector_init(struct ims_collector *c, size_t k, float margin, struct ims_floor *floor)
{
    *c = (struct ims_collector){ .k = k, .margin = margin, .floor = floor };
    c->kept_cap = 2 * k + FIRST_KEPT;
    c->kept = ims__alloc(c->kept_cap, sizeof(*c->kept));
    c->best = ims__alloc(k, sizeof(*c->best));
    c->is_short = !c->kept || !c->best;
    return !c->is_short;
}

void ims__collector_release(struct ims_collector *c)
{
    ims__free(c->pending);
    ims__free(c->sorted);
    ims__free(c->kept);
    ims__free(c->best);
    *c = (struct ims_collector){ 0 };
}

bool ims__collector_reserve(struct ims_collector *c, size_t n)
{
    size_t cap = c->pending_cap ? c->pending_cap : 4096;
    struct ims_candidate *pending, *sorted;

    while (cap < c->n_pending + n)
        cap *= 2;
    if (cap == c->pending_cap)
        return true;
    pending = ims__realloc(c->pending, cap, sizeof(*pending));
    if (pending)
        c->pending = pending;
    sorted = ims__realloc(c->sorted, cap, sizeof(*sorted));
    if (sorted)
        c->sorted = sorted;
    if (pending && sorted)
        c->pending_cap = cap;
    else
        c->is_short = true;
    return !c->is_short;
}

/* Drops what has fallen below the floor; grows when most is still above. */
static bool make_room(struct ims_collector *c)
{
    float least = ims__floor_get(c->floor) - c->margin;
    struct ims_scored *kept;
    size_t n = 0;

    for (size_t i = 0; i < c->n_kept; i++) {
        if (c->kept[i].score >= least)
            c->kept[n++] = c->kept[i];
    }
    c->n_kept = n;
    if (n < c->kept_cap / 2)
        return true;
    kept = ims__realloc(c->kept, c->kept_cap * 2, sizeof(*kept));
    if (!kept) {
        c->is_short = true;
        return false;
    }
    c->kept = kept;
    c->kept_cap *= 2;
    return true;
}

static void replace_worst(float *heap, size_t n, float score)
{
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= n)
            break;
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (score <= heap[child])
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = score;
}

static void note_best(struct ims_collector *c, float score)
{
    size_t i = c->n_best;

    if (c->n_best == c->k) {
        if (score <= c->best[0])
            return;
        replace_worst(c->best, c->n_best, score);
    } else {
        for (c->n_best++; i > 0 && c->best[(i - 1) / 2] > score; i = (i - 1) / 2)
            c->best[i] = c->best[(i - 1) / 2];
        c->best[i] = score;
    }
    if (c->n_best == c->k)
        ims__floor_raise(c->floor, c->best[0] - c->margin);
}

void ims__collector_score(struct ims_collector *c, float score, uint32_t at)
{
    if (score < ims__floor_get(c->floor) - c->margin || c->is_short)
        return;
    if (c->n_kept == c->kept_cap && !make_room(c))
        return;
    c->kept[c->n_kept++] = (struct ims_scored){ .score = score, .at = at };
    note_best(c, score);
}

size_t ims__collector_sort(struct ims_collector *c)
{
    float least = ims__floor_get(c->floor), low = INFINITY, high = -INFINITY, factor;
    uint32_t starts[N_STEPS + 1] = { 0 };
    struct ims_candidate *fresh = c->pending + c->n_deferred;
    size_t n = 0;

    for (size_t i = 0; i < c->n_pending - c->n_deferred; i++) {
        if (fresh[i].bound < least)
            continue;
        low = fresh[i].bound < low ? fresh[i].bound : low;
        high = fresh[i].bound > high ? fresh[i].bound : high;
        fresh[n++] = fresh[i];
    }
    c->n_pending = c->n_deferred;
    factor = high > low ? (float)(N_STEPS - 1) / (high - low) : 0.0f;
    c->step = high > low ? (high - low) / (float)(N_STEPS - 1) : 0.0f;
    for (size_t i = 0; i < n; i++)
        starts[1 + (size_t)((high - fresh[i].bound) * factor)]++;
    for (size_t i = 0; i < N_STEPS; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < n; i++)
        c->sorted[starts[(size_t)((high - fresh[i].bound) * factor)]++] = fresh[i];
    return n;
}

void ims__collector_defer(struct ims_collector *c, size_t from, size_t n)
{
    memcpy(c->pending + c->n_deferred, c->sorted + from, (n - from) * sizeof(*c->sorted));
    c->n_deferred += n - from;
    c->n_pending = c->n_deferred;
}

/* Hoare's selection (Wirth 1976): better scores move to the front until place k - 1 is settled. */
float ims__kth_score(struct ims_scored *s, size_t n, size_t k)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, at = (ptrdiff_t)k - 1;

    while (low < high) {
        float pivot = s[at].score;
        ptrdiff_t i = low, j = high;

        do {
            while (s[i].score > pivot)
                i++;
            while (pivot > s[j].score)
                j--;
            if (i <= j) {
                struct ims_scored t = s[i];

                s[i++] = s[j];
                s[j--] = t;
            }
        } while (i <= j);
        if (j < at)
            low = i;
        if (at < i)
            high = j;
    }
    return s[at].score;
}
