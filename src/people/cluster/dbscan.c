/* DBSCAN from the spanning tree of the mutual reachability distance: its edges up to eps join cores.
 *
 * Ester, Kriegel, Sander, Xu: A Density-Based Algorithm for Discovering Clusters (1996). That the cores' clusters are a
 * cut of the tree: Campello, Moulavi, Sander (2013), DBSCAN*.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/labels.h"

#include "base/mem.h"

static int32_t find(int32_t *parent, int32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static bool is_within(float similarity, double eps)
{
    return 1 - (double)similarity <= eps;
}

/* The smaller place becomes the root: a cluster is named by its first core. */
static void join_cores(int32_t *parent, const struct ims_tree_edge *tree, size_t n_edges, double eps)
{
    for (size_t e = 0; e < n_edges && is_within(tree[e].similarity, eps); e++) {
        int32_t a = find(parent, (int32_t)tree[e].a), b = find(parent, (int32_t)tree[e].b);

        if (a < b)
            parent[b] = a;
        else
            parent[a] = b;
    }
}

/* A face that is no core has fewer than min_samples faces within eps, so the list has all of them. */
static int32_t border_of(const struct ims_graph *g, size_t i, double eps, size_t n_others, int32_t *parent)
{
    int32_t best = IMS_NOISE;

    for (size_t p = 0; p < g->k && is_within(g->similarities[i * g->k + p], eps); p++) {
        uint32_t j = g->neighbours[i * g->k + p];
        int32_t root;

        if (!is_within(ims__graph_core(g, j, n_others), eps))
            continue;
        root = find(parent, (int32_t)j);
        if (best == IMS_NOISE || root < best)
            best = root;
    }
    return best;
}

ims_status ims__dbscan(const struct ims_graph *g, double eps, unsigned min_samples, struct ims_labels *out, ims_err *err)
{
    size_t n_others = min_samples ? min_samples - 1 : 0;
    struct ims_tree_edge *tree = NULL;
    struct ims_labels l = { 0 };
    int32_t *parent = NULL;
    ims_status st;

    if (!(eps >= 0 && eps <= 2) || min_samples == 0)
        return ims_fail(err, IMS_E_INVALID, "cluster", 0,
                        "eps is a cosine distance, 0 to 2, and min_samples at least 1; not %g and %u", eps, min_samples);
    st = ims__labels_init(&l, g->n, err);
    if (st)
        return st;
    parent = ims__alloc(g->n, sizeof(*parent));
    if (!parent) {
        st = ims_fail(err, IMS_E_NOMEM, "cluster", 0, "clusters of %zu faces", g->n);
        goto out;
    }
    for (size_t i = 0; i < g->n; i++)
        parent[i] = (int32_t)i;
    if (n_others < g->n) { /* else nothing has so many others */
        st = ims__graph_tree(g, (unsigned)n_others, &tree, err);
        if (st)
            goto out;
        join_cores(parent, tree, g->n ? g->n - 1 : 0, eps);
        for (size_t i = 0; i < g->n; i++) {
            bool is_core = is_within(ims__graph_core(g, i, n_others), eps);

            l.labels[i] = is_core ? find(parent, (int32_t)i) : border_of(g, i, eps, n_others, parent);
            l.probabilities[i] = l.labels[i] == IMS_NOISE ? 0 : 1;
        }
    }
    st = ims__labels_number(&l, err);
    for (size_t c = 0; c < l.n_clusters; c++)
        l.reaches[c] = (float)(1 - eps);
    if (!st) {
        *out = l;
        l = (struct ims_labels){ 0 };
    }
out:
    ims__free(tree);
    ims__free(parent);
    ims__labels_release(&l);
    return st;
}
