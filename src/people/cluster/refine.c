/* Settles what the first pass left open: faces whose nearest neighbours lie closer together than the filter is exact.
 *
 * The listed max_samples-th neighbour is a floor for the true one. Comparing these faces with everything once more,
 * looking only for what may be above the floor, leaves nothing unknown above it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct refine {
    struct ims_graph *g;
    struct run *run;
    const struct filter *filter;
    uint32_t *order; /* the faces in question, then the others */
    size_t n_rows;
    size_t capacity;
    float *floors;   /* of each row */
    uint64_t *found; /* n_rows x capacity */
    uint32_t *counts;
    bool *is_cut; /* something found was dropped again for better ones */
    struct ims_lock lock;
};

static void take_bounds(void *arg, size_t first, size_t n, float *out)
{
    const struct refine *x = arg;

    for (size_t i = 0; i < n; i++) {
        size_t row = first + i;
        double margin = row < x->n_rows ? (double)x->filter->margins[x->order[row]] : 0;

        out[i] = row < x->n_rows ? nextafterf((float)(((double)x->floors[row] - margin) / x->filter->unit), -INFINITY)
                                 : INFINITY;
    }
}

static void note(struct refine *x, size_t row, uint32_t other, float similarity)
{
    uint64_t *mine = x->found + row * x->capacity;

    if (row >= x->n_rows || similarity <= x->floors[row])
        return;
    mine[x->counts[row]++] = ims__rank_key(similarity, other);
    if (x->counts[row] < x->capacity)
        return;
    ims__rank_select(mine, x->capacity, x->g->k);
    x->counts[row] = (uint32_t)x->g->k;
    x->is_cut[row] = true;
}

static ims_status take_hits(void *arg, const struct hit *hits, size_t n)
{
    struct refine *x = arg;

    for (size_t h = 0; h < n; h++) {
        uint32_t i = x->order[hits[h].row], j = x->order[hits[h].col];
        float similarity = ims__run_cosine(x->run, i, j);

        ims__lock(&x->lock);
        note(x, hits[h].row, j, similarity);
        note(x, hits[h].col, i, similarity);
        ims__unlock(&x->lock);
    }
    return IMS_OK;
}

/* List and finds become the new list. keys: room for both. */
static void merge(struct refine *x, size_t row, uint64_t *keys)
{
    struct ims_graph *g = x->g;
    size_t i = x->order[row], n = g->k, n_different = 0;
    float bound = x->floors[row];

    for (size_t p = 0; p < g->k; p++)
        keys[p] = ims__rank_key(g->similarities[i * g->k + p], g->neighbours[i * g->k + p]);
    memcpy(keys + n, x->found + row * x->capacity, x->counts[row] * sizeof(*keys));
    n += x->counts[row];
    ims__rank_sort(keys, n);
    for (size_t p = 0; p < n; p++) {
        if (p == 0 || keys[p] != keys[p - 1])
            keys[n_different++] = keys[p];
    }
    if (n_different > g->k)
        bound = fmaxf(bound, ims__rank_score(keys[g->k]));
    if (x->is_cut[row])
        bound = fmaxf(bound, ims__rank_score(keys[g->k - 1]));
    ims__lists_store(g, i, keys);
    g->bounds[i] = fminf(g->bounds[i], bound);
}

static ims_status refine_init(struct refine *x, const uint32_t *places, size_t n, ims_err *err)
{
    struct ims_graph *g = x->g;
    bool *is_row = ims__zalloc(g->n, sizeof(*is_row));

    x->n_rows = n;
    x->capacity = 3 * g->k;
    x->order = ims__alloc(g->n, sizeof(*x->order));
    x->floors = ims__alloc(n, sizeof(*x->floors));
    x->found = ims__alloc(n, x->capacity * sizeof(*x->found));
    x->counts = ims__zalloc(n, sizeof(*x->counts));
    x->is_cut = ims__zalloc(n, sizeof(*x->is_cut));
    if (!is_row || !x->order || !x->floors || !x->found || !x->counts || !x->is_cut) {
        ims__free(is_row);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "refining the lists of %zu faces", n);
    }
    for (size_t row = 0; row < n; row++) {
        x->order[row] = places[row];
        x->floors[row] = ims__graph_core(g, places[row], g->max_samples);
        is_row[places[row]] = true;
    }
    for (size_t i = 0, at = n; i < g->n; i++) {
        if (!is_row[i])
            x->order[at++] = (uint32_t)i;
    }
    ims__free(is_row);
    return IMS_OK;
}

static void refine_release(struct refine *x)
{
    ims__free(x->order);
    ims__free(x->floors);
    ims__free(x->found);
    ims__free(x->counts);
    ims__free(x->is_cut);
}

ims_status ims__lists_refine(struct ims_graph *g, struct run *r, struct filter *f, const uint32_t *places, size_t n,
                             ims_err *err)
{
    struct refine x = { .g = g, .run = r, .filter = f };
    struct sweep s = { .run = r, .filter = f, .n = g->n, .n_rows = n, .phase = "refining",
                       .bounds = take_bounds, .take = take_hits, .arg = &x };
    uint64_t *keys = NULL;
    ims_status st = ims__lock_init(&x.lock);

    if (st)
        return ims_fail(err, st, "cluster", 0, "a lock");
    st = refine_init(&x, places, n, err);
    if (!st) {
        keys = ims__alloc(g->k + x.capacity, sizeof(*keys));
        if (!keys)
            st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "refining lists");
    }
    if (!st) {
        ims__filter_order(f, r, x.order);
        s.order = x.order;
        st = ims__sweep(&s, err);
    }
    for (size_t row = 0; row < n && !st; row++)
        merge(&x, row, keys);
    ims__free(keys);
    refine_release(&x);
    ims__lock_release(&x.lock);
    return st;
}
