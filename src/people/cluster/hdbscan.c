/* HDBSCAN from a spanning tree: hierarchy, condensed tree, selection, probabilities, outlier scores.
 *
 * Campello, Moulavi, Sander: Density-Based Clustering Based on Hierarchical Density Estimates (2013);
 * Campello et al.: Hierarchical Density Estimates for Data Clustering, Visualization, and Outlier Detection (2015);
 * McInnes, Healy: Accelerated Hierarchical Density Based Clustering (2017); for epsilon Malzer, Baum (2019).
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/labels.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define NOBODY 0xffffffffu
#define SMALLEST_DISTANCE 0x1p-25 /* below what floats near 1 can show: stands for 0 */

/* A node of the single-linkage hierarchy: 0 .. n - 1 are faces, the rest two nodes joined. */
struct hierarchy {
    size_t n;
    uint32_t (*children)[2]; /* of node n + i */
    uint32_t *sizes;
    float *similarities;
};

/* A cluster of the condensed tree. */
struct cluster {
    uint32_t parent; /* NOBODY: the root, cluster 0 */
    double birth;    /* lambda = 1 / distance at which it split off */
    double death;    /* largest lambda at which something left it */
    double stability;
    double deepest;  /* largest death in its subtree */
    bool is_selected, is_leaf;
};

struct condensed {
    const struct hierarchy *h;
    size_t n_clusters;
    struct cluster *clusters;
    uint32_t *owner; /* of each face the cluster it left last */
    double *lambda;  /* at which it left */
    uint32_t *stack; /* scratch: nodes, and their clusters */
    uint32_t *parts;
};

static double lambda_of(float similarity)
{
    return 1 / fmax(1 - (double)similarity, SMALLEST_DISTANCE);
}

static uint32_t size_of(const struct hierarchy *h, uint32_t node)
{
    return node < h->n ? 1 : h->sizes[node - h->n];
}

static uint32_t find(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void hierarchy_release(struct hierarchy *h)
{
    ims__free(h->children);
    ims__free(h->sizes);
    ims__free(h->similarities);
}

static ims_status hierarchy_init(struct hierarchy *h, size_t n, const struct ims_tree_edge *tree, ims_err *err)
{
    uint32_t *parent = ims__alloc(n, sizeof(*parent)), *node = ims__alloc(n, sizeof(*node));

    *h = (struct hierarchy){ .n = n };
    h->children = ims__alloc(n, sizeof(*h->children));
    h->sizes = ims__alloc(n, sizeof(*h->sizes));
    h->similarities = ims__alloc(n, sizeof(*h->similarities));
    if (!parent || !node || !h->children || !h->sizes || !h->similarities) {
        ims__free(parent);
        ims__free(node);
        hierarchy_release(h);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "the hierarchy of %zu faces", n);
    }
    for (size_t i = 0; i < n; i++)
        parent[i] = node[i] = (uint32_t)i;
    for (size_t e = 0; e + 1 < n; e++) {
        uint32_t a = find(parent, tree[e].a), b = find(parent, tree[e].b);

        h->children[e][0] = node[a];
        h->children[e][1] = node[b];
        h->sizes[e] = size_of(h, node[a]) + size_of(h, node[b]);
        h->similarities[e] = tree[e].similarity;
        parent[b] = a;
        node[a] = (uint32_t)(n + e);
    }
    ims__free(parent);
    ims__free(node);
    return IMS_OK;
}

/* Writes the nodes that joined at once to become this one: equal similarities below it are looked through. */
static size_t parts_of(const struct hierarchy *h, uint32_t node, uint32_t *out)
{
    float similarity = h->similarities[node - h->n];
    size_t n = 1, i = 0;

    out[0] = node;
    while (i < n) {
        uint32_t part = out[i];

        if (part < h->n || h->similarities[part - h->n] != similarity) {
            i++;
            continue;
        }
        out[i] = h->children[part - h->n][0];
        out[n++] = h->children[part - h->n][1];
    }
    return n;
}

static uint32_t new_cluster(struct condensed *c, uint32_t parent, double birth)
{
    c->clusters[c->n_clusters] =
        (struct cluster){ .parent = parent, .birth = birth, .is_leaf = true };
    if (parent != NOBODY)
        c->clusters[parent].is_leaf = false;
    return (uint32_t)c->n_clusters++;
}

/* n faces, or a child cluster of that many, leave a cluster. */
static void leave(struct cluster *c, double lambda, size_t n)
{
    c->stability += (lambda - c->birth) * (double)n;
    c->death = fmax(c->death, lambda);
}

/* All faces below a node leave cluster. scratch: room for all nodes below. */
static void drop(struct condensed *c, uint32_t node, uint32_t cluster, double lambda, uint32_t *scratch)
{
    size_t n = 0;

    scratch[n++] = node;
    while (n > 0) {
        node = scratch[--n];
        if (node >= c->h->n) {
            scratch[n++] = c->h->children[node - c->h->n][0];
            scratch[n++] = c->h->children[node - c->h->n][1];
            continue;
        }
        c->owner[node] = cluster;
        c->lambda[node] = lambda;
    }
}

/* From the root down: parts smaller than min_size leave, two or more large ones are a split. */
static void condense(struct condensed *c, size_t min_size)
{
    const struct hierarchy *h = c->h;
    size_t depth = 0;

    c->stack[depth++] = (uint32_t)(2 * h->n - 2);
    c->stack[depth++] = new_cluster(c, NOBODY, 0);
    while (depth > 0) {
        uint32_t cluster = c->stack[--depth], node = c->stack[--depth];
        double lambda = lambda_of(h->similarities[node - h->n]);
        size_t n_parts = parts_of(h, node, c->parts), n_large = 0;

        for (size_t i = 0; i < n_parts; i++)
            n_large += size_of(h, c->parts[i]) >= min_size;
        for (size_t i = 0; i < n_parts; i++) {
            uint32_t part = c->parts[i], size = size_of(h, part);

            if (size < min_size) {
                drop(c, part, cluster, lambda, c->parts + n_parts);
                leave(&c->clusters[cluster], lambda, size);
                continue;
            }
            if (n_large > 1)
                leave(&c->clusters[cluster], lambda, size);
            c->stack[depth++] = part;
            c->stack[depth++] = n_large > 1 ? new_cluster(c, cluster, lambda) : cluster;
        }
    }
}

static void condensed_release(struct condensed *c)
{
    ims__free(c->clusters);
    ims__free(c->owner);
    ims__free(c->lambda);
    ims__free(c->stack);
    ims__free(c->parts);
}

static ims_status condensed_init(struct condensed *c, const struct hierarchy *h, ims_err *err)
{
    *c = (struct condensed){ .h = h };
    c->clusters = ims__alloc(h->n, sizeof(*c->clusters)); /* splits need at least two faces on each side */
    c->owner = ims__alloc(h->n, sizeof(*c->owner));
    c->lambda = ims__alloc(h->n, sizeof(*c->lambda));
    c->stack = ims__alloc(h->n, 4 * sizeof(*c->stack));
    c->parts = ims__alloc(h->n, 4 * sizeof(*c->parts));
    if (c->clusters && c->owner && c->lambda && c->stack && c->parts)
        return IMS_OK;
    condensed_release(c);
    return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "the condensed tree of %zu faces", h->n);
}

/* --- selection --- */

/* Children have larger numbers than their parents, so backwards is bottom up. Sums of children are float as in the
 * package, whose choices they decide. */
static ims_status select_by_mass(struct condensed *c, bool allow_single, ims_err *err)
{
    float *below = ims__zalloc(c->n_clusters, sizeof(*below));

    if (!below)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "selecting among %zu clusters", c->n_clusters);
    for (size_t i = c->n_clusters; i-- > (allow_single ? 0 : 1);) {
        struct cluster *own = &c->clusters[i];

        own->is_selected = !((double)below[i] > own->stability);
        if (!own->is_selected)
            own->stability = (double)below[i];
        if (own->parent != NOBODY)
            below[own->parent] = (float)((double)below[own->parent] + own->stability);
    }
    ims__free(below);
    return IMS_OK;
}

/* What lies below a selected cluster is not selected. */
static void keep_topmost(struct condensed *c)
{
    bool *is_below = (bool *)c->stack; /* the scratch is large enough */

    for (size_t i = 0; i < c->n_clusters; i++) {
        uint32_t parent = c->clusters[i].parent;

        is_below[i] = parent != NOBODY && (is_below[parent] || c->clusters[parent].is_selected);
        if (is_below[i])
            c->clusters[i].is_selected = false;
    }
}

/* The ancestor that a cluster born below epsilon belongs to. A chosen one may lie inside another: faces belong to the
 * innermost, as in the package. */
static uint32_t climb(const struct condensed *c, uint32_t i, double epsilon, bool allow_single)
{
    for (;;) {
        uint32_t parent = c->clusters[i].parent;

        if (parent == 0)
            return allow_single ? 0 : i;
        if (1 / c->clusters[parent].birth > epsilon)
            return parent;
        i = parent;
    }
}

static void apply_epsilon(struct condensed *c, double epsilon, bool allow_single)
{
    bool *is_chosen = (bool *)c->stack;

    if (c->clusters[0].is_selected)
        return;
    memset(is_chosen, 0, c->n_clusters * sizeof(*is_chosen));
    for (size_t i = 1; i < c->n_clusters; i++) {
        if (!c->clusters[i].is_selected)
            continue;
        if (1 / c->clusters[i].birth < epsilon)
            is_chosen[climb(c, (uint32_t)i, epsilon, allow_single)] = true;
        else
            is_chosen[i] = true;
    }
    for (size_t i = 0; i < c->n_clusters; i++)
        c->clusters[i].is_selected = is_chosen[i];
}

static ims_status select_clusters(struct condensed *c, const struct ims_hdbscan_options *o, ims_err *err)
{
    if (o->use_leaves) {
        for (size_t i = 1; i < c->n_clusters; i++)
            c->clusters[i].is_selected = c->clusters[i].is_leaf;
    } else {
        ims_status st = select_by_mass(c, o->allow_single, err);

        if (st)
            return st;
        keep_topmost(c);
    }
    if (o->epsilon > 0)
        apply_epsilon(c, o->epsilon, o->allow_single);
    return IMS_OK;
}

/* --- what each face gets --- */

static uint32_t selected_above(const struct condensed *c, uint32_t cluster)
{
    while (cluster != NOBODY && !c->clusters[cluster].is_selected)
        cluster = c->clusters[cluster].parent;
    return cluster;
}

static void label_face(const struct condensed *c, size_t i, double epsilon, struct ims_labels *out)
{
    uint32_t cluster = selected_above(c, c->owner[i]);
    const struct cluster *own = &c->clusters[cluster == NOBODY ? 0 : cluster];
    double deepest = c->clusters[c->owner[i]].deepest;

    out->outlier_scores[i] = deepest > 0 ? (float)((deepest - c->lambda[i]) / deepest) : 0;
    if (cluster == NOBODY)
        return;
    if (cluster == 0 && c->lambda[i] < (epsilon > 0 ? 1 / epsilon : own->death))
        return; /* everything is one cluster: only its dense part counts */
    out->labels[i] = (int32_t)cluster;
    out->probabilities[i] = own->death > 0 ? (float)(fmin(c->lambda[i], own->death) / own->death) : 1;
}

static ims_status label_faces(struct condensed *c, double epsilon, struct ims_labels *out, ims_err *err)
{
    ims_status st = ims__labels_init(out, c->h->n, err);

    if (st)
        return st;
    for (size_t i = c->n_clusters; i-- > 0;) {
        struct cluster *own = &c->clusters[i];

        own->deepest = fmax(own->deepest, own->death);
        if (own->parent != NOBODY)
            c->clusters[own->parent].deepest = fmax(c->clusters[own->parent].deepest, own->deepest);
    }
    for (size_t i = 0; i < out->n; i++)
        label_face(c, i, epsilon, out);
    st = ims__labels_number(out, err);
    for (size_t i = 0; i < out->n; i++)
        out->reaches[i] = 1;
    for (size_t i = 0; i < out->n; i++) {
        if (out->labels[i] != IMS_NOISE)
            out->reaches[out->labels[i]] = fminf(out->reaches[out->labels[i]], (float)(1 - 1 / c->lambda[i]));
    }
    if (st)
        ims__labels_release(out);
    return st;
}

ims_status ims__hdbscan(const struct ims_graph *g, const struct ims_hdbscan_options *options, struct ims_labels *out,
                        ims_err *err)
{
    unsigned min_samples = options->min_samples ? options->min_samples : options->min_cluster_size;
    struct ims_tree_edge *tree = NULL;
    struct hierarchy h = { 0 };
    struct condensed c = { 0 };
    ims_status st;

    if (options->min_cluster_size < 2)
        return ims_fail(err, IMS_E_INVALID, "cluster", 0, "a cluster has at least 2 faces, not %u",
                        options->min_cluster_size);
    if (!(options->epsilon >= 0 && options->epsilon <= 2))
        return ims_fail(err, IMS_E_INVALID, "cluster", 0, "epsilon is a cosine distance, 0 to 2, not %g",
                        options->epsilon);
    if (g->n < 2)
        return ims__labels_init(out, g->n, err);
    st = ims__graph_tree(g, min_samples, &tree, err);
    if (!st)
        st = hierarchy_init(&h, g->n, tree, err);
    ims__free(tree);
    if (st)
        return st;
    st = condensed_init(&c, &h, err);
    if (!st) {
        condense(&c, options->min_cluster_size);
        st = select_clusters(&c, options, err);
        if (!st)
            st = label_faces(&c, options->epsilon, out, err);
        condensed_release(&c);
    }
    hierarchy_release(&h);
    return st;
}
