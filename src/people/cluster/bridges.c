/* The second pass: the edges that join what the neighbour lists could not.
 *
 * A spanning tree of the components from known edges gives each of them a reach: the weakest edge on its way to the
 * largest component. A pair that is not more similar than the lower reach of its two components cannot be needed,
 * because the way over the known edges is at least as good. Reaches rise as better edges are found.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY 0xffffffffu
#define MIN_CAPACITY ((size_t)8192)

void ims__bridges_release(struct bridges *b)
{
    ims__free(b->index);
    ims__free(b->reach);
    ims__free(b->first);
    ims__free(b->next);
    ims__free(b->edges);
    *b = (struct bridges){ 0 };
}

/* Numbers components by size, the largest first; equal ones by their first face. */
static ims_status number_components(struct bridges *b, ims_err *err)
{
    const struct forest *f = b->base;
    uint64_t *keys = ims__alloc(b->n_components, sizeof(*keys));
    uint32_t *sizes = ims__zalloc(f->n, sizeof(*sizes));
    size_t n = 0;

    if (!keys || !sizes) {
        ims__free(keys);
        ims__free(sizes);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "components");
    }
    for (size_t i = 0; i < f->n; i++)
        sizes[f->comp[i]]++;
    for (size_t i = 0; i < f->n; i++) {
        if (sizes[i])
            keys[n++] = (uint64_t)sizes[i] << 32 | (NOBODY - (uint32_t)i);
    }
    ims__rank_sort(keys, n);
    for (size_t i = 0; i < n; i++)
        sizes[ims__rank_place(keys[i])] = (uint32_t)i;
    for (size_t i = 0; i < f->n; i++)
        b->index[i] = sizes[f->comp[i]];
    ims__free(keys);
    ims__free(sizes);
    return IMS_OK;
}

/* Any edge between the densest face of a component and that of the largest one: a start that is certainly a tree. */
static ims_status link_to_largest(struct bridges *b, struct run *r, ims_err *err)
{
    const struct forest *f = b->base;
    uint32_t *densest = ims__alloc(b->n_components, sizeof(*densest));
    ims_status st = IMS_OK;

    if (!densest)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "components");
    for (size_t c = 0; c < b->n_components; c++)
        densest[c] = NOBODY;
    for (size_t i = 0; i < f->n; i++) {
        uint32_t *d = &densest[b->index[i]];

        if (*d == NOBODY || f->core[i] > f->core[*d])
            *d = (uint32_t)i;
    }
    for (size_t c = 1; c < b->n_components && !st; c++) {
        float s = ims__run_cosine(r, densest[0], densest[c]);

        st = ims__bridges_add(b, densest[0], densest[c], fminf(s, fminf(f->core[densest[0]], f->core[densest[c]])));
    }
    ims__free(densest);
    return st ? ims_fail(err, st, "cluster", 0, "linking components") : IMS_OK;
}

ims_status ims__bridges_init(struct bridges *b, const struct forest *certified, struct run *r, ims_err *err)
{
    ims_status st;

    *b = (struct bridges){ .base = certified, .n_components = certified->n_components };
    b->capacity = 4 * b->n_components;
    if (b->capacity < MIN_CAPACITY)
        b->capacity = MIN_CAPACITY;
    b->index = ims__alloc(certified->n, sizeof(*b->index));
    b->reach = ims__alloc(b->n_components, sizeof(*b->reach));
    b->first = ims__alloc(b->n_components, sizeof(*b->first));
    b->next = ims__alloc(b->capacity, 2 * sizeof(*b->next));
    b->edges = ims__alloc(b->capacity, sizeof(*b->edges));
    if (!b->index || !b->reach || !b->first || !b->next || !b->edges) {
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "%zu components", b->n_components);
        goto fail;
    }
    for (size_t c = 0; c < b->n_components; c++)
        b->reach[c] = EVERYTHING_LISTED;
    st = number_components(b, err);
    if (!st && r)
        st = link_to_largest(b, r, err);
    if (!st)
        return IMS_OK;
fail:
    ims__bridges_release(b);
    return st;
}

static int most_similar_first(const void *x, const void *y)
{
    const struct ims_graph_edge *a = x, *b = y;

    if (a->similarity != b->similarity)
        return a->similarity > b->similarity ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return a->b < b->b ? -1 : a->b > b->b;
}

static uint32_t find(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* Kruskal: leaves a maximum spanning forest in edges. */
static void keep_forest(struct bridges *b, uint32_t *parent)
{
    size_t n = 0;

    for (size_t c = 0; c < b->n_components; c++)
        parent[c] = (uint32_t)c;
    qsort(b->edges, b->n_edges, sizeof(*b->edges), most_similar_first);
    for (size_t e = 0; e < b->n_edges; e++) {
        uint32_t x = find(parent, b->index[b->edges[e].a]), y = find(parent, b->index[b->edges[e].b]);

        if (x == y)
            continue;
        parent[x < y ? y : x] = x < y ? x : y;
        b->edges[n++] = b->edges[e];
    }
    b->n_edges = n;
}

/* Walks from the largest component outwards. queue: n_components of scratch. */
static void measure_reach(struct bridges *b, uint32_t *queue)
{
    size_t head = 0, tail = 0;

    for (size_t c = 0; c < b->n_components; c++) {
        b->first[c] = NOBODY;
        b->reach[c] = EVERYTHING_LISTED;
    }
    for (uint32_t e = 0; e < 2 * b->n_edges; e++) {
        const struct ims_graph_edge *edge = &b->edges[e / 2];
        uint32_t c = b->index[e % 2 ? edge->b : edge->a];

        b->next[e] = b->first[c];
        b->first[c] = e;
    }
    b->reach[0] = INFINITY;
    queue[tail++] = 0;
    while (head < tail) {
        uint32_t c = queue[head++];

        for (uint32_t e = b->first[c]; e != NOBODY; e = b->next[e]) {
            const struct ims_graph_edge *edge = &b->edges[e / 2];
            uint32_t other = b->index[e % 2 ? edge->a : edge->b];

            if (b->reach[other] != EVERYTHING_LISTED)
                continue;
            b->reach[other] = fminf(b->reach[c], edge->similarity);
            queue[tail++] = other;
        }
    }
}

ims_status ims__bridges_reduce(struct bridges *b)
{
    uint32_t *scratch = ims__alloc(b->n_components, sizeof(*scratch));

    if (!scratch)
        return IMS_E_NOMEM;
    keep_forest(b, scratch);
    measure_reach(b, scratch);
    ims__free(scratch);
    return IMS_OK;
}

ims_status ims__bridges_add(struct bridges *b, uint32_t i, uint32_t j, float weight)
{
    b->edges[b->n_edges++] = (struct ims_graph_edge){ i < j ? i : j, i < j ? j : i, weight };
    return b->n_edges == b->capacity ? ims__bridges_reduce(b) : IMS_OK;
}

static bool is_useful(const struct bridges *b, uint32_t i, uint32_t j, float weight)
{
    return b->index[i] != b->index[j] && weight > fminf(b->reach[b->index[i]], b->reach[b->index[j]]);
}

/* The forest that the lists alone give, so that reaches are good from the start. */
static ims_status add_listed_forest(struct bridges *b, const struct ims_graph *g, ims_err *err)
{
    struct forest f = { 0 };
    size_t n_before = b->base->n_edges;
    ims_status st = ims__forest_init(&f, g, 0, err);

    if (st)
        return st;
    memcpy(f.core, b->base->core, f.n * sizeof(*f.core));
    memcpy(f.parent, b->base->comp, f.n * sizeof(*f.parent));
    memcpy(f.comp, b->base->comp, f.n * sizeof(*f.comp));
    f.n_components = b->base->n_components;
    f.n_edges = n_before;
    st = ims__forest_grow(&f, false, err);
    for (size_t e = n_before; e < f.n_edges && !st; e++)
        st = ims__bridges_add(b, f.edges[e].a, f.edges[e].b, f.edges[e].similarity);
    if (!st)
        st = ims__bridges_reduce(b);
    ims__forest_release(&f);
    return st;
}

ims_status ims__bridges_add_known(struct bridges *b, const struct ims_graph *g, ims_err *err)
{
    const float *core = b->base->core;
    ims_status st = add_listed_forest(b, g, err);

    for (size_t e = 0; e < g->n_bridges && !st; e++) {
        const struct ims_graph_edge *edge = &g->bridges[e];
        float weight = fminf(edge->similarity, fminf(core[edge->a], core[edge->b]));

        if (is_useful(b, edge->a, edge->b, weight))
            st = ims__bridges_add(b, edge->a, edge->b, weight);
    }
    if (!st)
        st = ims__bridges_reduce(b);
    for (size_t i = 0; i < g->n && !st; i++) {
        for (size_t p = 0; p < g->k && !st; p++) {
            uint32_t j = g->neighbours[i * g->k + p];
            float weight = fminf(g->similarities[i * g->k + p], fminf(core[i], core[j]));

            if (is_useful(b, (uint32_t)i, j, weight))
                st = ims__bridges_add(b, (uint32_t)i, j, weight);
        }
    }
    if (!st)
        st = ims__bridges_reduce(b);
    return st ? ims_fail(err, st, "cluster", 0, "edges between components") : IMS_OK;
}
