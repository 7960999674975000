/* Boruvka's rounds over the neighbour lists: components grow along edges that are certainly in the tree.
 *
 * A component's best edge is certain when no unlisted pair can beat it: an unlisted pair of a member i links at most
 * min(core of i, bound of i). Among equal edges any may be taken: with edges that would close a cycle left out, the
 * result is a minimum spanning tree all the same (docs/notes/clustering.md).
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct best {
    float similarity;
    uint32_t a, b; /* a == b: none yet */
};

ims_status ims__forest_init(struct forest *f, const struct ims_graph *g, unsigned min_samples, ims_err *err)
{
    *f = (struct forest){ .g = g, .n = g->n, .n_components = g->n };
    f->parent = ims__alloc(g->n, sizeof(*f->parent));
    f->comp = ims__alloc(g->n, sizeof(*f->comp));
    f->core = ims__alloc(g->n, sizeof(*f->core));
    f->edges = ims__alloc(g->n, sizeof(*f->edges));
    if (!f->parent || !f->comp || !f->core || !f->edges) {
        ims__forest_release(f);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "the spanning tree of %zu faces", g->n);
    }
    for (size_t i = 0; i < g->n; i++) {
        f->parent[i] = f->comp[i] = (uint32_t)i;
        f->core[i] = ims__graph_core(g, i, min_samples);
    }
    return IMS_OK;
}

void ims__forest_release(struct forest *f)
{
    ims__free(f->parent);
    ims__free(f->comp);
    ims__free(f->core);
    ims__free(f->edges);
    f->parent = f->comp = NULL;
    f->core = NULL;
    f->edges = NULL;
}

uint32_t ims__forest_find(struct forest *f, uint32_t i)
{
    while (f->parent[i] != i) {
        f->parent[i] = f->parent[f->parent[i]];
        i = f->parent[i];
    }
    return i;
}

void ims__forest_flatten(struct forest *f)
{
    for (size_t i = 0; i < f->n; i++)
        f->comp[i] = ims__forest_find(f, (uint32_t)i);
}

static void offer(struct best *best, float similarity, uint32_t a, uint32_t b)
{
    if (best->a == best->b || similarity > best->similarity)
        *best = (struct best){ similarity, a, b };
}

/* The best listed edges that leave the component of face i. Lists are sorted, so the first entries decide; those that
 * have become internal at the front are passed over for good (start). */
static void look_at(const struct forest *f, size_t i, uint32_t *start, struct best *best)
{
    const struct ims_graph *g = f->g;
    uint32_t own = f->comp[i];

    for (size_t p = start[i]; p < g->k; p++) {
        uint32_t j = g->neighbours[i * g->k + p], other = f->comp[j];
        float cap = fminf(g->similarities[i * g->k + p], f->core[i]);

        if (other == own) {
            start[i] += p == start[i];
            continue;
        }
        if (best[own].a != best[own].b && cap <= best[own].similarity)
            return;
        cap = fminf(cap, f->core[j]);
        offer(&best[own], cap, (uint32_t)i, j);
        offer(&best[other], cap, (uint32_t)i, j);
    }
}

static bool unite(struct forest *f, uint32_t a, uint32_t b)
{
    uint32_t x = ims__forest_find(f, a), y = ims__forest_find(f, b);

    if (x == y)
        return false;
    if (x < y)
        f->parent[y] = x;
    else
        f->parent[x] = y;
    f->n_components--;
    return true;
}

/* One round; returns how many components were joined. */
static size_t grow_once(struct forest *f, bool is_certified, uint32_t *start, struct best *best, float *reach)
{
    size_t before = f->n_edges;

    for (size_t i = 0; i < f->n; i++) {
        best[i] = (struct best){ 0 };
        reach[i] = EVERYTHING_LISTED;
    }
    for (size_t i = 0; i < f->n; i++) {
        float bound = fminf(f->core[i], f->g->bounds[i]);

        reach[f->comp[i]] = fmaxf(reach[f->comp[i]], bound);
        look_at(f, i, start, best);
    }
    for (size_t i = 0; i < f->n; i++) {
        if (best[i].a == best[i].b || (is_certified && best[i].similarity < reach[i]))
            continue;
        if (unite(f, best[i].a, best[i].b))
            f->edges[f->n_edges++] = (struct ims_tree_edge){ best[i].a, best[i].b, best[i].similarity };
    }
    ims__forest_flatten(f);
    return f->n_edges - before;
}

ims_status ims__forest_grow(struct forest *f, bool is_certified, ims_err *err)
{
    uint32_t *start = ims__zalloc(f->n, sizeof(*start));
    struct best *best = ims__alloc(f->n, sizeof(*best));
    float *reach = ims__alloc(f->n, sizeof(*reach));
    ims_status st = IMS_OK;

    if (!start || !best || !reach)
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "growing the tree of %zu faces", f->n);
    while (!st && f->n_components > 1 && grow_once(f, is_certified, start, best, reach) > 0)
        ;
    ims__free(start);
    ims__free(best);
    ims__free(reach);
    return st;
}
