/* Clusters of rows by recursive k-means.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/order_tree.h"

#include "base/mem.h"
#include "base/thread.h"
#include "vectors/embedded/cells.h"

#include <math.h>

#define BRANCHES 16
#define SAMPLED 64 /* rows per branch that its place is learned from */
#define ROUNDS 6
#define BEAM 8
#define SETTLINGS 2
#define AHEAD 4 /* rows asked for before they are needed */
#define WORTH_A_THREAD 4096 /* rows */
#define MAX_DEPTH 24
#define LEAF UINT32_C(0x80000000) /* of a child: the rest is a cluster's number */
#define NOTHING UINT32_MAX

/* A place that rows can be near to: |x - m|^2 = |x|^2 - 2 (<x,m> - |m|^2 / 2). */
struct mean {
    float scale, half; /* of its bytes; half its squared length */
    uint32_t child;    /* the node below it, or LEAF | cluster */
};

struct node {
    uint32_t first, n; /* means */
};

struct tree {
    const struct ims_snapshot *of;
    uint32_t dim;
    size_t stride;
    uint64_t state; /* of drawing */
    struct node *nodes;
    struct mean *means;
    int8_t *bytes; /* of means, stride each */
    size_t n_nodes, nodes_cap, n_means, means_cap, bytes_cap;
    uint32_t *starts; /* of clusters */
    uint32_t *mean_of; /* each */
    size_t n_starts, starts_cap, mean_of_cap;
    uint32_t *room;    /* as many as rows: a second copy of them while they are sorted */
    uint32_t *nearest; /* of each row the branch, in the end the cluster */
    float *sums;       /* BRANCHES * dim */
    bool is_short;     /* of memory */
};

/* Rows from .. until - 1 of a level, for one of two threads. */
struct part {
    struct tree *t;
    const uint32_t *rows;
    uint32_t *nearest;
    size_t from, until;
    uint32_t node; /* its means alone, or from here down */
};

static const int8_t *bytes_of(const struct tree *t, uint32_t at)
{
    const struct ims_segment *s = t->of->views[at >> 16].segment;

    return s->bytes + (size_t)(at & 0xffffu) * s->byte_stride;
}

static float scale_of(const struct tree *t, uint32_t at)
{
    return t->of->views[at >> 16].segment->byte_scale[at & 0xffffu];
}

static void ask_for_row(const struct tree *t, uint32_t at)
{
    const int8_t *bytes = bytes_of(t, at);

    for (size_t i = 0; i < t->dim; i += 64)
        __builtin_prefetch(bytes + i, 0, 3);
}

static float score(const struct tree *t, const int8_t *bytes, float scale, size_t mean)
{
    return scale * t->means[mean].scale * (float)ims__kernels()->dot_i8(bytes, t->bytes + mean * t->stride, t->dim) -
           t->means[mean].half;
}

static uint32_t nearest_of_node(const struct tree *t, const struct node *node, uint32_t at)
{
    const int8_t *bytes = bytes_of(t, at);
    float scale = scale_of(t, at), best = -INFINITY;
    uint32_t branch = 0;

    for (uint32_t b = 0; b < node->n; b++) {
        float s = score(t, bytes, scale, node->first + b);

        if (s > best) {
            best = s;
            branch = b;
        }
    }
    return branch;
}

/* ---- learning means ---- */

static void set_mean(struct tree *t, size_t at, const float *mean)
{
    const struct ims_kernels *k = ims__kernels();
    float most = 0;

    for (uint32_t i = 0; i < t->dim; i++)
        most = fmaxf(most, fabsf(mean[i]));
    memset(t->bytes + at * t->stride, 0, t->stride);
    k->quantise_i8(mean, t->dim, most > 0 ? 127.0f / most : 0.0f, t->bytes + at * t->stride);
    t->means[at].scale = most / 127.0f;
    t->means[at].half = 0.5f * k->dot_f32(mean, mean, t->dim);
}

static uint32_t draw(struct tree *t, const uint32_t *rows, size_t n)
{
    t->state = t->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return rows[(size_t)(((t->state >> 32) * (uint64_t)n) >> 32)];
}

static void add_row(const struct tree *t, uint32_t at, float *sum)
{
    ims__kernels()->add_i8(sum, bytes_of(t, at), scale_of(t, at), t->dim);
}

/* Lloyd's k-means over drawn rows; a branch that no row is near to keeps its place. */
static void learn_means(struct tree *t, const struct node *node, const uint32_t *rows, size_t n)
{
    size_t dim = t->dim, n_drawn = (size_t)SAMPLED * node->n;
    uint64_t seed;

    for (uint32_t b = 0; b < node->n; b++) {
        memset(t->sums, 0, dim * sizeof(float));
        add_row(t, draw(t, rows, n), t->sums);
        set_mean(t, node->first + b, t->sums);
    }
    seed = t->state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t counts[BRANCHES] = { 0 };

        memset(t->sums, 0, node->n * dim * sizeof(float));
        t->state = seed; /* the same rows in every round */
        for (size_t i = 0; i < n_drawn; i++) {
            uint32_t at = draw(t, rows, n), b = nearest_of_node(t, node, at);

            add_row(t, at, t->sums + b * dim);
            counts[b]++;
        }
        for (uint32_t b = 0; b < node->n; b++) {
            for (size_t i = 0; counts[b] && i < dim; i++)
                t->sums[b * dim + i] /= (float)counts[b];
            if (counts[b])
                set_mean(t, node->first + b, t->sums + b * dim);
        }
    }
}

/* ---- on two threads ---- */

static void run_halves(struct part *all, void (*fn)(void *))
{
    struct part other = *all;
    struct ims_thread thread = { 0 };
    size_t half = all->from + (all->until - all->from) / 2;

    other.from = half;
    if (all->until - all->from < WORTH_A_THREAD || ims__thread_start(&thread, "ims-order", fn, &other, NULL)) {
        fn(all);
        return;
    }
    all->until = half;
    fn(all);
    ims__thread_join(&thread);
}

static void find_branches(void *arg)
{
    struct part *p = arg;

    for (size_t i = p->from; i < p->until; i++) {
        if (i + AHEAD < p->until)
            ask_for_row(p->t, p->rows[i + AHEAD]);
        p->nearest[i] = nearest_of_node(p->t, &p->t->nodes[p->node], p->rows[i]);
    }
}

struct beam {
    float scores[BEAM];
    uint32_t nodes[BEAM];
    unsigned n;
};

static void widen(struct beam *b, float score, uint32_t node)
{
    unsigned at;

    if (b->n == BEAM && score <= b->scores[BEAM - 1])
        return;
    at = b->n < BEAM ? b->n++ : BEAM - 1;
    for (; at > 0 && b->scores[at - 1] < score; at--) {
        b->scores[at] = b->scores[at - 1];
        b->nodes[at] = b->nodes[at - 1];
    }
    b->scores[at] = score;
    b->nodes[at] = node;
}

static uint32_t nearest_cluster(const struct tree *t, uint32_t at)
{
    const int8_t *bytes = bytes_of(t, at);
    float scale = scale_of(t, at), best = -INFINITY;
    struct beam level = { .nodes = { 0 }, .n = 1 };
    uint32_t cluster = 0;

    while (level.n) {
        struct beam below = { .n = 0 };

        for (unsigned i = 0; i < level.n; i++) {
            const struct node *node = &t->nodes[level.nodes[i]];

            for (uint32_t m = node->first; m < node->first + node->n; m++) {
                float s = score(t, bytes, scale, m);

                if (!(t->means[m].child & LEAF)) {
                    widen(&below, s, t->means[m].child);
                } else if (s > best) {
                    best = s;
                    cluster = t->means[m].child & ~LEAF;
                }
            }
        }
        level = below;
    }
    return cluster;
}

static void find_clusters(void *arg)
{
    struct part *p = arg;

    for (size_t i = p->from; i < p->until; i++) {
        if (i + AHEAD < p->until)
            ask_for_row(p->t, p->rows[i + AHEAD]);
        p->nearest[i] = nearest_cluster(p->t, p->rows[i]);
    }
}

/* ---- splitting ---- */

static uint32_t add_cluster(struct tree *t, size_t start)
{
    if (!ims__grow((void **)&t->starts, &t->starts_cap, t->n_starts, sizeof(*t->starts), NOTHING) ||
        !ims__grow((void **)&t->mean_of, &t->mean_of_cap, t->n_starts, sizeof(*t->mean_of), NOTHING)) {
        t->is_short = true;
        return NOTHING;
    }
    t->starts[t->n_starts] = (uint32_t)start;
    t->mean_of[t->n_starts] = NOTHING; /* set_child may say otherwise */
    return LEAF | (uint32_t)t->n_starts++;
}

/* Of a mean to which no row is near: none shall come to it. */
static void set_child(struct tree *t, size_t mean, uint32_t child)
{
    t->means[mean].child = child;
    if (child == NOTHING)
        t->means[mean].half = INFINITY;
    else if (child & LEAF)
        t->mean_of[child & ~LEAF] = (uint32_t)mean;
}

static bool add_node(struct tree *t, uint32_t n_branches)
{
    t->is_short = t->is_short || !ims__grow((void **)&t->nodes, &t->nodes_cap, t->n_nodes, sizeof(*t->nodes), LEAF);
    for (uint32_t i = 0; !t->is_short && i < n_branches; i++) {
        t->is_short = !ims__grow((void **)&t->means, &t->means_cap, t->n_means + i, sizeof(*t->means), UINT32_MAX) ||
                      !ims__grow((void **)&t->bytes, &t->bytes_cap, t->n_means + i, t->stride, UINT32_MAX);
    }
    if (t->is_short)
        return false;
    t->nodes[t->n_nodes++] = (struct node){ .first = (uint32_t)t->n_means, .n = n_branches };
    t->n_means += n_branches;
    return true;
}

/* Sorts rows by `nearest`, which is below n_places; where they begin goes to starts, n_places + 1 of them. */
static void sort_rows(struct tree *t, uint32_t *rows, const uint32_t *nearest, size_t n, size_t *starts, size_t n_places)
{
    memset(starts, 0, (n_places + 1) * sizeof(*starts));
    for (size_t i = 0; i < n; i++)
        starts[nearest[i] + 1]++;
    for (size_t p = 0; p < n_places; p++)
        starts[p + 1] += starts[p];
    for (size_t i = 0; i < n; i++)
        t->room[starts[nearest[i]]++] = rows[i];
    memcpy(rows, t->room, n * sizeof(*rows));
    memmove(starts + 1, starts, n_places * sizeof(*starts));
    starts[0] = 0;
}

/* Rows that no mean tells apart. */
static uint32_t cut(struct tree *t, size_t at, size_t n)
{
    uint32_t child = n ? add_cluster(t, at) : NOTHING;

    for (size_t done = IMS_CELL_ROWS; done < n; done += IMS_CELL_ROWS)
        (void)add_cluster(t, at + done);
    return child;
}

/* rows: n of them, at place `at` of all. Returns the child that they are: a node or a cluster. */
static uint32_t split(struct tree *t, uint32_t *rows, size_t at, size_t n, unsigned depth)
{
    size_t starts[BRANCHES + 1], wanted = n / IMS_CELL_ROWS + 1;
    uint32_t node = (uint32_t)t->n_nodes, first = (uint32_t)t->n_means, n_branches;
    struct part all = { .t = t, .rows = rows, .nearest = t->nearest + at, .until = n, .node = node };

    if (n <= IMS_CELL_ROWS)
        return add_cluster(t, at);
    n_branches = wanted < BRANCHES ? (uint32_t)wanted : BRANCHES;
    if (!add_node(t, n_branches))
        return NOTHING;
    learn_means(t, &t->nodes[node], rows, n);
    run_halves(&all, find_branches);
    sort_rows(t, rows, t->nearest + at, n, starts, n_branches);
    for (uint32_t b = 0; b < n_branches && !t->is_short; b++) {
        size_t here = starts[b + 1] - starts[b];
        uint32_t child = NOTHING;

        if (here == n || depth == MAX_DEPTH) /* all rows are alike */
            child = cut(t, at + starts[b], here);
        else if (here)
            child = split(t, rows + starts[b], at + starts[b], here, depth + 1);
        set_child(t, first + b, child);
    }
    return node;
}

/* The mean of a cluster becomes that of its rows. */
static void follow_rows(struct tree *t, size_t mean, const uint32_t *rows, size_t n)
{
    memset(t->sums, 0, t->dim * sizeof(float));
    for (size_t i = 0; i < n; i++)
        add_row(t, rows[i], t->sums);
    for (uint32_t i = 0; i < t->dim; i++)
        t->sums[i] /= (float)n;
    set_mean(t, mean, t->sums);
}

/* Every row to the nearest cluster; those that have become too large are split, and the tree grows by that. */
static void settle(struct tree *t, uint32_t *rows, size_t n)
{
    size_t n_clusters = t->n_starts;
    size_t *starts = ims__alloc(n_clusters + 1, sizeof(*starts));
    uint32_t *means = ims__memdup(t->mean_of, n_clusters * sizeof(*means));
    struct part all = { .t = t, .rows = rows, .nearest = t->nearest, .until = n };

    t->is_short = t->is_short || !starts || !means;
    if (!t->is_short) {
        run_halves(&all, find_clusters);
        sort_rows(t, rows, t->nearest, n, starts, n_clusters);
        t->n_starts = 0;
    }
    for (size_t i = 0; !t->is_short && i < n_clusters; i++) {
        size_t here = starts[i + 1] - starts[i];

        if (means[i] == NOTHING) /* one of many of the same place: all its rows went to the first */
            continue;
        if (here)
            follow_rows(t, means[i], rows + starts[i], here);
        set_child(t, means[i], here ? split(t, rows + starts[i], starts[i], here, 0) : NOTHING);
    }
    ims__free(starts);
    ims__free(means);
}

bool ims__cluster_rows(const struct ims_snapshot *of, uint32_t dim, uint32_t *rows, size_t n, uint32_t **out_starts,
                       size_t *out_n)
{
    struct tree t = { .of = of, .dim = dim, .stride = ((size_t)dim + 15) / 16 * 16, .state = 7 };

    t.room = ims__alloc(n, sizeof(*t.room));
    t.nearest = ims__alloc(n, sizeof(*t.nearest));
    t.sums = ims__alloc(BRANCHES * (size_t)dim, sizeof(float));
    t.is_short = !t.room || !t.nearest || !t.sums;
    if (!t.is_short && n)
        (void)split(&t, rows, 0, n, 0);
    for (int i = 0; !t.is_short && t.n_nodes && i < SETTLINGS; i++)
        settle(&t, rows, n);
    ims__free(t.room);
    ims__free(t.nearest);
    ims__free(t.sums);
    ims__free(t.nodes);
    ims__free(t.means);
    ims__free(t.bytes);
    ims__free(t.mean_of);
    if (t.is_short) {
        ims__free(t.starts);
        return false;
    }
    *out_starts = t.starts;
    *out_n = t.n_starts;
    return true;
}
