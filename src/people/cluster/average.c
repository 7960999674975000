/* Average linkage with a threshold, by the nearest-neighbour chain.
 *
 * Two clusters whose mean distance is below the threshold have a pair of faces below it, so each component of single
 * linkage at the threshold is a problem of its own. Within one, a matrix of mean distances is updated as clusters join
 * (Lance, Williams 1967); the chain finds pairs that are nearest to each other (Murtagh 1983, Muellner 2011).
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/labels.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

#define GONE 0xffffffffu /* no cluster */

struct part {
    const struct ims_points *points;
    const uint32_t *places; /* its faces */
    size_t n;
    double threshold;
    float *distances; /* n x n, mean over pairs */
    uint32_t *sizes;  /* 0: joined another one */
    uint32_t *into;
    uint32_t *chain;
};

static uint32_t find(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* The nearest live cluster; on equal distances prefer, then the first. */
static uint32_t nearest(const struct part *p, uint32_t i, uint32_t prefer)
{
    const float *row = p->distances + (size_t)i * p->n;
    uint32_t best = prefer;

    for (uint32_t j = 0; j < p->n; j++) {
        if (p->sizes[j] && j != i && (best == GONE || row[j] < row[best]))
            best = j;
    }
    return best;
}

/* b becomes part of a. */
static void join(struct part *p, uint32_t a, uint32_t b)
{
    float wa = (float)p->sizes[a] / (float)(p->sizes[a] + p->sizes[b]), wb = 1 - wa;
    float *ra = p->distances + (size_t)a * p->n;
    const float *rb = p->distances + (size_t)b * p->n;

    for (size_t j = 0; j < p->n; j++) {
        ra[j] = wa * ra[j] + wb * rb[j];
        p->distances[j * p->n + a] = ra[j];
    }
    p->sizes[a] += p->sizes[b];
    p->sizes[b] = 0;
    p->into[b] = a;
}

/* A cluster whose nearest is too far stays as it is, whatever joins later: it is taken out. */
static void run_chain(struct part *p)
{
    size_t length = 0;
    uint32_t first = 0;

    for (;;) {
        uint32_t top, next;

        while (first < p->n && !p->sizes[first])
            first++;
        if (length == 0 && first == p->n)
            return;
        if (length == 0)
            p->chain[length++] = first;
        top = p->chain[length - 1];
        next = nearest(p, top, length > 1 ? p->chain[length - 2] : GONE);
        if (next == GONE || !((double)p->distances[(size_t)top * p->n + next] < p->threshold)) {
            p->sizes[top] = 0;
            length--;
        } else if (length > 1 && next == p->chain[length - 2]) {
            length -= 2;
            join(p, top < next ? top : next, top < next ? next : top);
        } else {
            p->chain[length++] = next;
        }
    }
}

/* Both halves are the same bits, or the chain could run in circles. */
static void fill_distances(struct part *p, float *gathered)
{
    const struct ims_kernels *k = ims__kernels();
    size_t dim = p->points->dim;

    for (size_t i = 0; i < p->n; i++) {
        memcpy(gathered + i * dim, p->points->vectors + (size_t)p->places[i] * dim, dim * sizeof(*gathered));
        k->normalise_f32(gathered + i * dim, dim);
    }
    for (size_t i = 0; i < p->n; i++) {
        float *row = p->distances + i * p->n;

        k->dot_f32_rows(gathered + i * dim, gathered + i * dim, dim, p->n - i, dim, row + i);
        for (size_t j = i; j < p->n; j++)
            row[j] = p->distances[j * p->n + i] = 1 - row[j];
    }
}

static ims_status cluster_part(struct part *p, int32_t *labels, ims_err *err)
{
    float *gathered = ims__alloc(p->n, p->points->dim * sizeof(*gathered));
    ims_status st = IMS_OK;

    p->distances = ims__alloc(p->n, p->n * sizeof(*p->distances));
    p->sizes = ims__alloc(p->n, sizeof(*p->sizes));
    p->into = ims__alloc(p->n, sizeof(*p->into));
    p->chain = ims__alloc(p->n, sizeof(*p->chain));
    if (!gathered || !p->distances || !p->sizes || !p->into || !p->chain) {
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "mean distances of %zu faces", p->n);
        goto out;
    }
    for (size_t i = 0; i < p->n; i++) {
        p->sizes[i] = 1;
        p->into[i] = (uint32_t)i;
    }
    fill_distances(p, gathered);
    run_chain(p);
    for (size_t i = 0; i < p->n; i++)
        labels[p->places[i]] = (int32_t)p->places[find(p->into, (uint32_t)i)];
out:
    ims__free(gathered);
    ims__free(p->distances);
    ims__free(p->sizes);
    ims__free(p->into);
    ims__free(p->chain);
    return st;
}

/* Places by component, and where each component ends. */
static ims_status split(const struct ims_graph *g, double threshold, uint32_t *order, size_t *ends, size_t *out_n,
                        ims_err *err)
{
    struct ims_tree_edge *tree = NULL;
    uint32_t *parent = ims__alloc(g->n, sizeof(*parent)), *starts = ims__zalloc(g->n + 1, sizeof(*starts));
    ims_status st = parent && starts ? ims__graph_tree(g, 1, &tree, err)
                                     : ims_fail(err, IMS_E_NOMEM, "cluster", 0, "components of %zu faces", g->n);

    for (size_t i = 0; i < g->n && !st; i++)
        parent[i] = (uint32_t)i;
    for (size_t e = 0; e + 1 < g->n && !st && 1 - (double)tree[e].similarity < threshold; e++) {
        uint32_t a = find(parent, tree[e].a), b = find(parent, tree[e].b);

        parent[a < b ? b : a] = a < b ? a : b;
    }
    for (size_t i = 0; i < g->n && !st; i++)
        starts[find(parent, (uint32_t)i) + 1]++;
    *out_n = 0;
    for (size_t i = 0; i < g->n && !st; i++) {
        size_t size = starts[i + 1];

        starts[i + 1] += starts[i];
        if (size)
            ends[(*out_n)++] = starts[i + 1];
    }
    for (size_t i = 0; i < g->n && !st; i++)
        order[starts[find(parent, (uint32_t)i)]++] = (uint32_t)i;
    ims__free(tree);
    ims__free(parent);
    ims__free(starts);
    return st;
}

static ims_status check_largest(const size_t *ends, size_t n_parts, size_t max_bytes, ims_err *err)
{
    size_t largest = 0, begin = 0;
    double bytes;

    for (size_t i = 0; i < n_parts; i++) {
        largest = ends[i] - begin > largest ? ends[i] - begin : largest;
        begin = ends[i];
    }
    bytes = (double)largest * (double)largest * 4;
    if (bytes <= (double)max_bytes)
        return IMS_OK;
    return ims_fail(err, IMS_E_LIMIT, "cluster", 0,
                    "average linkage of %zu faces that hang together at this threshold needs %.0f MiB of memory, and %.0f "
                    "MiB are allowed: lower the threshold or use hdbscan",
                    largest, ceil(bytes / 0x1p20), (double)max_bytes / 0x1p20);
}

ims_status ims__average_linkage(const struct ims_graph *g, const struct ims_points *points, double threshold,
                                const struct ims_graph_options *options, struct ims_labels *out, ims_err *err)
{
    struct ims_labels l = { 0 };
    uint32_t *order = NULL;
    size_t *ends = NULL, n_parts = 0, begin = 0;
    ims_status st;

    if (!(threshold >= 0 && threshold <= 2))
        return ims_fail(err, IMS_E_INVALID, "cluster", 0, "the threshold is a cosine distance, 0 to 2, not %g", threshold);
    st = ims__labels_init(&l, g->n, err);
    if (st)
        return st;
    order = ims__alloc(g->n, sizeof(*order));
    ends = ims__alloc(g->n, sizeof(*ends));
    st = order && ends ? split(g, threshold, order, ends, &n_parts, err)
                       : ims_fail(err, IMS_E_NOMEM, "cluster", 0, "components of %zu faces", g->n);
    if (!st)
        st = check_largest(ends, n_parts, options->max_bytes ? options->max_bytes : IMS_GRAPH_DEFAULT_BYTES, err);
    for (size_t i = 0; i < n_parts && !st; begin = ends[i], i++) {
        struct part p = { .points = points, .places = order + begin, .n = ends[i] - begin, .threshold = threshold };

        st = cluster_part(&p, l.labels, err);
        if (!st && options->on_progress && !options->on_progress(options->arg, "joining", (double)ends[i] / (double)g->n))
            st = ims_fail(err, IMS_E_CANCELLED, "cluster", 0, "the clustering was cancelled");
    }
    for (size_t i = 0; i < g->n && !st; i++)
        l.probabilities[i] = 1;
    if (!st)
        st = ims__labels_number(&l, err);
    for (size_t c = 0; c < l.n_clusters; c++)
        l.reaches[c] = (float)(1 - threshold);
    ims__free(order);
    ims__free(ends);
    if (st)
        ims__labels_release(&l);
    else
        *out = l;
    return st;
}
