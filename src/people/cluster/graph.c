/* Builds a neighbour graph, and reads spanning trees off it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/graph.h"

#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REDO_SHARE 4 /* more than one face in this many uncertain: bytes are too coarse for these vectors */

void ims__graph_free(struct ims_graph *g)
{
    if (!g)
        return;
    ims__free(g->ids);
    ims__free(g->neighbours);
    ims__free(g->similarities);
    ims__free(g->bounds);
    ims__free(g->bridges);
    ims__free(g);
}

ims_status ims__graph_new(struct ims_graph **out, size_t n, size_t dim, size_t k, size_t max_samples, ims_err *err)
{
    struct ims_graph *g = ims__zalloc(1, sizeof(*g));

    if (g) {
        *g = (struct ims_graph){ .n = n, .dim = dim, .k = k, .max_samples = max_samples };
        g->ids = ims__alloc(n, sizeof(*g->ids));
        g->neighbours = ims__alloc(n, k * sizeof(*g->neighbours));
        g->similarities = ims__alloc(n, k * sizeof(*g->similarities));
        g->bounds = ims__alloc(n, sizeof(*g->bounds));
    }
    if (!g || !g->ids || !g->neighbours || !g->similarities || !g->bounds) {
        ims__graph_free(g);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "a neighbour graph of %zu faces", n);
    }
    *out = g;
    return IMS_OK;
}

float ims__graph_core(const struct ims_graph *g, size_t i, size_t m)
{
    if (m == 0 || g->k == 0)
        return 1;
    return g->similarities[i * g->k + (m < g->k ? m : g->k) - 1];
}

/* What the passes need beside the vectors; the graph itself included. */
static ims_status check_memory(const struct run *r, size_t k, ims_err *err)
{
    size_t n = r->points->n, dim = (r->points->dim + 63) / 64 * 64;
    double bytes = (double)n * ((double)(3 * k * 8 + k * 8) + (double)dim + 96);

    if (bytes <= (double)r->options.max_bytes)
        return IMS_OK;
    return ims_fail(err, IMS_E_LIMIT, "cluster", 0,
                    "clustering %zu faces needs %.0f MiB of memory beside their vectors, and %.0f MiB are allowed: raise "
                    "the limit or leave out faces of low quality",
                    n, ceil(bytes / 0x1p20), (double)r->options.max_bytes / 0x1p20);
}

/* Faces whose core similarity the lists do not settle: something unlisted might be nearer. */
static size_t list_uncertain(const struct ims_graph *g, uint32_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n; i++) {
        if (ims__graph_core(g, i, g->max_samples) < g->bounds[i])
            out[n++] = (uint32_t)i;
    }
    return n;
}

static ims_status make_lists(struct ims_graph *g, struct run *r, struct filter *f, ims_err *err)
{
    bool may_use_u8 = r->options.filter != IMS_GRAPH_FILTER_F32;
    uint32_t *uncertain = ims__alloc(g->n, sizeof(*uncertain));
    size_t n = 0;
    ims_status st;

    if (!uncertain)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "lists of %zu faces", g->n);
    st = ims__filter_init(f, r, may_use_u8, err);
    if (!st)
        st = ims__lists_build(g, r, f, err);
    if (!st)
        n = list_uncertain(g, uncertain);
    if (!st && f->is_u8 && n > g->n / REDO_SHARE && r->options.filter == IMS_GRAPH_FILTER_AUTO) {
        ims__filter_release(f);
        st = ims__filter_init(f, r, false, err);
        if (!st)
            st = ims__lists_build(g, r, f, err);
        if (!st)
            n = list_uncertain(g, uncertain);
    }
    if (!st)
        if (!st && n)
        st = ims__lists_refine(g, r, f, uncertain, n, err);
    ims__free(uncertain);
    return st;
}

/* Cosines of what the tree for max_samples has between the components that the lists certify. They serve for every
 * smaller min_samples too. */
static ims_status keep_bridges(struct ims_graph *g, struct run *r, const struct bridges *b, ims_err *err)
{
    struct ims_graph_edge *edges = ims__alloc(b->n_edges, sizeof(*edges));

    if (!edges)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "%zu edges between components", b->n_edges);
    for (size_t e = 0; e < b->n_edges; e++) {
        edges[e] = b->edges[e];
        edges[e].similarity = ims__run_cosine(r, edges[e].a, edges[e].b);
    }
    ims__free(g->bridges);
    g->bridges = edges;
    g->n_bridges = b->n_edges;
    return IMS_OK;
}

ims_status ims__graph_bridge(struct ims_graph *g, struct run *r, struct filter *f, const uint32_t *rows, size_t n_rows,
                             ims_err *err)
{
    struct forest certified = { 0 };
    struct bridges b = { 0 };
    ims_status st = ims__forest_init(&certified, g, (unsigned)g->max_samples, err);

    if (!st)
        st = ims__forest_grow(&certified, true, err);
    if (!st && certified.n_components > 1) {
        st = ims__bridges_init(&b, &certified, r, err);
        if (!st)
            st = ims__bridges_add_known(&b, g, err);
        if (!st)
            st = ims__bridges_search(&b, r, f, rows, n_rows, err);
        if (!st)
            st = keep_bridges(g, r, &b, err);
    }
    ims__bridges_release(&b);
    ims__forest_release(&certified);
    return st;
}

ims_status ims__graph_build(struct ims_graph **out, const struct ims_points *points,
                            const struct ims_graph_options *options, ims_err *err)
{
    struct ims_graph *g = NULL;
    struct filter f = { 0 };
    struct run r;
    size_t k, m;
    ims_status st = ims__run_init(&r, points, options, err);

    if (st)
        return st;
    k = points->n > r.options.n_neighbours ? r.options.n_neighbours : points->n ? points->n - 1 : 0;
    m = r.options.max_samples < k ? r.options.max_samples : k;
    st = check_memory(&r, k, err);
    if (st)
        goto out;
    st = ims__graph_new(&g, points->n, points->dim, k, m, err);
    if (st)
        goto out;
    memcpy(g->ids, points->ids, points->n * sizeof(*g->ids));
    if (k > 0) {
        st = make_lists(g, &r, &f, err);
        if (!st)
            st = ims__graph_bridge(g, &r, &f, NULL, 0, err);
        if (st)
            goto out;
    }
    *out = g;
    g = NULL;
out:
    ims__graph_free(g);
    ims__filter_release(&f);
    ims__run_release(&r);
    return st;
}

static int by_similarity(const void *x, const void *y)
{
    const struct ims_tree_edge *a = x, *b = y;

    if (a->similarity != b->similarity)
        return a->similarity > b->similarity ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return a->b < b->b ? -1 : a->b > b->b;
}

static ims_status join_components(struct forest *f, const struct ims_graph *g, ims_err *err)
{
    struct bridges b = { 0 };
    ims_status st = ims__bridges_init(&b, f, NULL, err);

    if (st)
        return st;
    st = ims__bridges_add_known(&b, g, err);
    if (!st && b.n_edges != f->n_components - 1)
        st = ims_fail(err, IMS_E_CORRUPT, "cluster", 0, "the neighbour graph does not hold together; build it again");
    for (size_t e = 0; e < b.n_edges && !st; e++)
        f->edges[f->n_edges++] = (struct ims_tree_edge){ b.edges[e].a, b.edges[e].b, b.edges[e].similarity };
    ims__bridges_release(&b);
    return st;
}

ims_status ims__graph_tree(const struct ims_graph *g, unsigned min_samples, struct ims_tree_edge **out, ims_err *err)
{
    struct forest f = { 0 };
    ims_status st;

    if (min_samples > g->max_samples && g->max_samples < g->n - 1 && g->n > 1)
        return ims_fail(err, IMS_E_LIMIT, "cluster", 0, "min_samples %u: this neighbour graph serves up to %zu",
                        min_samples, g->max_samples);
    if (g->n < 2) {
        *out = NULL;
        return IMS_OK;
    }
    st = ims__forest_init(&f, g, min_samples, err);
    if (!st)
        st = ims__forest_grow(&f, true, err);
    if (!st && f.n_components > 1)
        st = join_components(&f, g, err);
    if (!st) {
        qsort(f.edges, f.n_edges, sizeof(*f.edges), by_similarity);
        *out = f.edges;
        f.edges = NULL;
    }
    ims__forest_release(&f);
    return st;
}
