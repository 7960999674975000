/* Neighbour graphs: exact against Prim, the same on every processor, for every filter, order and number of threads;
 * growing, stored, and with bad input.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw.h"

#include "harness/test.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "people/cluster/internal.h"
#include "people/cluster/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N 900

static const struct draw family = { .seed = 99, .n = N, .dim = 96, .groups = -7, .spread = 1.0, .strangers = 60 };
static const struct draw copies = { .seed = 98, .n = N, .dim = 64, .groups = 3, .spread = 0.8, .copies = N - 40 };
static const struct draw dense = { .seed = 97, .n = N, .dim = 64, .groups = 2, .spread = 0.02 };
static const struct draw circle = { .seed = 96, .n = N, .dim = 2, .groups = 5, .spread = 0.3 };

/* All weights of a minimum spanning tree by Prim, from cosines of our own; falling. */
static float *prim(const struct ims_points *p, unsigned m)
{
    size_t n = p->n, at = 0;
    float *s = calloc(n * n, sizeof(*s)), *core = calloc(n, sizeof(*core)), *best = calloc(n, sizeof(*best));
    float *row = calloc(n, sizeof(*row));
    bool *is_in = calloc(n, sizeof(*is_in));

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double dot = 0, aa = 0, bb = 0;

            for (size_t k = 0; k < p->dim; k++) {
                double a = (double)p->vectors[i * p->dim + k], b = (double)p->vectors[j * p->dim + k];

                dot += a * b;
                aa += a * a;
                bb += b * b;
            }
            s[i * n + j] = (float)(dot / sqrt(aa * bb));
        }
        memcpy(row, s + i * n, n * sizeof(*row));
        row[i] = -2;
        for (unsigned k = 0; k < m; k++) {
            size_t nearest = 0;

            for (size_t j = 1; j < n; j++)
                nearest = row[j] > row[nearest] ? j : nearest;
            core[i] = row[nearest];
            row[nearest] = -2;
        }
        best[i] = -3;
    }
    for (size_t step = 0; step + 1 < n; step++) {
        size_t next = n;

        is_in[at] = true;
        for (size_t j = 0; j < n; j++) {
            if (is_in[j])
                continue;
            best[j] = fmaxf(best[j], fminf(s[at * n + j], fminf(core[at], core[j])));
            if (next == n || best[j] > best[next])
                next = j;
        }
        row[step] = best[next];
        at = next;
    }
    free(s);
    free(core);
    free(best);
    free(is_in);
    return row;
}

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

static bool is_tree(const struct ims_tree_edge *tree, size_t n)
{
    uint32_t *parent = calloc(n, sizeof(*parent));
    bool is_sound = true;

    for (size_t i = 0; i < n; i++)
        parent[i] = (uint32_t)i;
    for (size_t e = 0; e + 1 < n && is_sound; e++) {
        uint32_t a = tree[e].a, b = tree[e].b;

        while (parent[a] != a)
            a = parent[a];
        while (parent[b] != b)
            b = parent[b];
        is_sound = a != b;
        parent[a] = b;
    }
    free(parent);
    return is_sound;
}

static void check_against_prim(const struct ims_graph *g, const struct ims_points *p, unsigned m)
{
    float *weights = prim(p, m);
    struct ims_tree_edge *tree = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims__graph_tree(g, m, &tree, &err), err);
    qsort(weights, p->n - 1, sizeof(*weights), falling);
    CHECK(is_tree(tree, p->n));
    for (size_t e = 0; e + 1 < p->n; e++)
        CHECK_NEAR(tree[e].similarity, weights[e], 3e-7);
    ims__free(tree);
    free(weights);
}

/* Few neighbours, so that lists do not suffice and the second pass has work. */
static void check_set(const struct draw *d, ims_graph_filter filter)
{
    struct ims_points p = draw_points(d);
    struct ims_graph_options o = { .n_threads = 2, .n_neighbours = 12, .max_samples = 8, .filter = filter };
    struct ims_graph *g = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims__graph_build(&g, &p, &o, &err), err);
    check_against_prim(g, &p, 1);
    check_against_prim(g, &p, 3);
    check_against_prim(g, &p, 8);
    ims__graph_free(g);
    draw_free(&p);
}

TEST(tree_f32, "trees are Prim's, found by floats, for every min_samples of one graph")
{
    check_set(&family, IMS_GRAPH_FILTER_F32);
    check_set(&dense, IMS_GRAPH_FILTER_F32);
    check_set(&circle, IMS_GRAPH_FILTER_F32);
}

TEST(tree_u8, "trees are Prim's, found by bytes")
{
    check_set(&family, IMS_GRAPH_FILTER_U8);
}

TEST(tree_hard_u8, "trees are Prim's where bytes are far too coarse")
{
    check_set(&dense, IMS_GRAPH_FILTER_U8);
    check_set(&circle, IMS_GRAPH_FILTER_U8);
}

TEST(tree_copies, "trees are Prim's where most vectors are copies")
{
    check_set(&copies, IMS_GRAPH_FILTER_AUTO);
    check_set(&copies, IMS_GRAPH_FILTER_U8);
}

static void build(const struct ims_points *p, const struct ims_graph_options *o, struct ims_graph **out)
{
    ims_err err = { 0 };

    CHECK_OK(ims__graph_build(out, p, o, &err), err);
}

static void check_same_tree(const struct ims_graph *a, const struct ims_graph *b, unsigned m)
{
    struct ims_tree_edge *x = NULL, *y = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims__graph_tree(a, m, &x, &err), err);
    CHECK_OK(ims__graph_tree(b, m, &y, &err), err);
    for (size_t e = 0; e + 1 < a->n; e++)
        CHECK(x[e].similarity == y[e].similarity);
    ims__free(x);
    ims__free(y);
}

TEST(same_everywhere, "weights are the same bits on every processor, with every filter and number of threads")
{
    const struct ims_kernels *tables[] = { ims__kernels_for(IMS_CPU_GENERIC), ims__kernels_for(IMS_CPU_NEON),
                                           ims__kernels_for(IMS_CPU_AVX2), ims__kernels_avx512_plain(),
                                           ims__kernels_avx512_vnni(), ims__kernels_for(IMS_CPU_AVX512) };
    struct ims_points p = draw_points(&family);
    struct ims_graph *want = NULL;

    build(&p, &(struct ims_graph_options){ .n_threads = 1, .n_neighbours = 16, .max_samples = 5 }, &want);
    for (size_t t = 0; t < IMS_ARRAY_LEN(tables); t++) {
        for (int filter = 0; filter < 3 && tables[t]; filter++) {
            struct ims_graph *g = NULL;

            build(&p,
                  &(struct ims_graph_options){ .n_threads = 1 + (unsigned)filter,
                                               .n_neighbours = 16,
                                               .max_samples = 5,
                                               .filter = (ims_graph_filter)filter,
                                               .kernels = tables[t] },
                  &g);
            check_same_tree(want, g, 5);
            CHECK(memcmp(want->similarities, g->similarities, 5 * sizeof(float)) == 0);
            ims__graph_free(g);
        }
    }
    ims__graph_free(want);
    draw_free(&p);
}

/* Row i of the result is row (i * 7) % n. */
static struct ims_points shuffled(const struct ims_points *p)
{
    float *v = calloc(p->n * p->dim, sizeof(*v));
    int64_t *ids = calloc(p->n, sizeof(*ids));

    for (size_t i = 0; i < p->n; i++) {
        memcpy(v + i * p->dim, p->vectors + i * 7 % p->n * p->dim, p->dim * sizeof(*v));
        ids[i] = (int64_t)i;
    }
    return (struct ims_points){ p->n, p->dim, v, ids };
}

static void check_order(const struct draw *d)
{
    struct ims_points p = draw_points(d), q = shuffled(&p);
    struct ims_graph_options o = { .n_threads = 2 };
    struct ims_graph *a = NULL, *b = NULL;
    struct ims_labels x = { 0 }, y = { 0 };
    struct ims_hdbscan_options h = { .min_cluster_size = 4, .min_samples = 3 };
    ims_err err = { 0 };
    int32_t *there = calloc(p.n, sizeof(*there));

    build(&p, &o, &a);
    build(&q, &o, &b);
    CHECK_OK(ims__hdbscan(a, &h, &x, &err), err);
    CHECK_OK(ims__hdbscan(b, &h, &y, &err), err);
    CHECK_INT(x.n_clusters, y.n_clusters);
    CHECK(x.n_clusters > 1);
    for (size_t i = 0; i < p.n; i++)
        there[i] = -1;
    for (size_t i = 0; i < p.n; i++) {
        size_t from = i * 7 % p.n;

        CHECK((x.labels[from] < 0) == (y.labels[i] < 0));
        CHECK(x.probabilities[from] == y.probabilities[i]);
        CHECK(x.outlier_scores[from] == y.outlier_scores[i]);
        if (y.labels[i] < 0)
            continue;
        if (there[y.labels[i]] < 0)
            there[y.labels[i]] = x.labels[from];
        CHECK_INT(there[y.labels[i]], x.labels[from]);
    }
    free(there);
    ims__labels_release(&x);
    ims__labels_release(&y);
    ims__graph_free(a);
    ims__graph_free(b);
    draw_free(&p);
    draw_free(&q);
}

TEST(order, "labels and scores do not depend on the order of the faces, even where all distances tie")
{
    check_order(&family);
    check_order(&copies);
}

/* The set without every faces whose place is 5 modulo step. */
static struct ims_points without(const struct ims_points *p, size_t step)
{
    float *v = calloc(p->n * p->dim, sizeof(*v));
    int64_t *ids = calloc(p->n, sizeof(*ids));
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (i % step == 5)
            continue;
        memcpy(v + n * p->dim, p->vectors + i * p->dim, p->dim * sizeof(*v));
        ids[n++] = p->ids[i];
    }
    return (struct ims_points){ n, p->dim, v, ids };
}

static void check_extend(const struct draw *d, size_t step, unsigned n_neighbours)
{
    struct ims_points all = draw_points(d), some = without(&all, step);
    struct ims_graph_options o = { .n_threads = 2, .n_neighbours = n_neighbours, .max_samples = n_neighbours / 2 };
    struct ims_graph *old = NULL, *grown = NULL;
    ims_err err = { 0 };

    build(&some, &o, &old);
    CHECK_OK(ims__graph_extend(&grown, old, &all, &o, &err), err);
    check_against_prim(grown, &all, 1);
    check_against_prim(grown, &all, n_neighbours / 2);
    ims__graph_free(old);
    ims__graph_free(grown);
    draw_free(&all);
    draw_free(&some);
}

TEST(extend, "a graph that grew gives the tree of one built at once")
{
    check_extend(&family, 15, 12);
    check_extend(&family, 800, 12);
    check_extend(&copies, 40, 12);
    check_extend(&dense, 40, 12);
    check_extend(&family, 15, 2); /* lists so short that neighbours fall out that the tree needs */
    check_extend(&circle, 15, 2);
    check_extend(&circle, 15, 4);
}

TEST(extend_refuses, "a graph whose faces are not all there any more is built anew")
{
    struct ims_points all = draw_points(&family), some = without(&all, 100);
    struct ims_graph_options o = { .n_neighbours = 12, .max_samples = 6 };
    struct ims_graph *old = NULL, *grown = NULL;
    ims_err err = { 0 };

    build(&all, &o, &old);
    CHECK_STATUS(ims__graph_extend(&grown, old, &some, &o, &err), IMS_E_UNSUPPORTED, err);
    CHECK(grown == NULL);
    ims__graph_free(old);
    draw_free(&all);
    draw_free(&some);
}

TEST(stored, "a graph survives as bytes; damage, another key and cut ends are noticed")
{
    struct ims_points p = draw_points(&family);
    struct ims_graph *g = NULL, *back = NULL;
    struct ims_buf bytes;
    uint64_t generation = 0;
    ims_err err = { 0 };

    build(&p, &(struct ims_graph_options){ .n_neighbours = 12, .max_samples = 6 }, &g);
    CHECK_OK(ims__graph_encode(g, "model 7", 42, &bytes, &err), err);
    CHECK_OK(ims__graph_decode(&back, bytes.data, bytes.len, "model 7", &generation, &err), err);
    CHECK_INT(generation, 42);
    CHECK_INT(back->n_bridges, g->n_bridges);
    check_same_tree(g, back, 6);
    ims__graph_free(back);
    back = NULL;
    CHECK_STATUS(ims__graph_decode(&back, bytes.data, bytes.len, "model 8", &generation, &err), IMS_E_VERSION, err);
    CHECK_STATUS(ims__graph_decode(&back, bytes.data, bytes.len - 1, "model 7", &generation, &err), IMS_E_CORRUPT, err);
    CHECK_STATUS(ims__graph_decode(&back, bytes.data, 20, "model 7", &generation, &err), IMS_E_CORRUPT, err);
    for (size_t at = 8; at < bytes.len; at += bytes.len / 37) {
        bytes.data[at] ^= 4;
        CHECK(ims__graph_decode(&back, bytes.data, bytes.len, "model 7", &generation, &err) != IMS_OK);
        CHECK(err.status == IMS_E_CORRUPT || err.status == IMS_E_VERSION);
        bytes.data[at] ^= 4;
    }
    CHECK(back == NULL);
    ims__buf_release(&bytes);
    ims__graph_free(g);
    draw_free(&p);
}

TEST(few, "no face, one and two are no special case")
{
    struct ims_points p = draw_points(&family);
    struct ims_hdbscan_options h = { .min_cluster_size = 2 };

    for (size_t n = 0; n < 4; n++) {
        struct ims_points few = { n, p.dim, p.vectors, p.ids };
        struct ims_graph_options o = { 0 };
        struct ims_graph *g = NULL;
        struct ims_labels l = { 0 };
        ims_err err = { 0 };

        build(&few, &o, &g);
        CHECK_OK(ims__hdbscan(g, &h, &l, &err), err);
        CHECK_INT(l.n, n);
        ims__labels_release(&l);
        CHECK_OK(ims__dbscan(g, 0.5, 1, &l, &err), err);
        CHECK(n == 0 || l.n_clusters >= 1);
        ims__labels_release(&l);
        CHECK_OK(ims__average_linkage(g, &few, 0.5, &o, &l, &err), err);
        CHECK(n == 0 || l.n_clusters >= 1);
        ims__labels_release(&l);
        ims__graph_free(g);
    }
    draw_free(&p);
}

static void check_refused(const struct ims_points *p, const struct ims_graph_options *o, ims_status want, const char *word)
{
    struct ims_graph *g = NULL;
    ims_err err = { 0 };

    CHECK_STATUS(ims__graph_build(&g, p, o, &err), want, err);
    CHECK(g == NULL);
    if (!strstr(err.text, word))
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, word);
}

TEST(bad_input, "what is not a unit vector, out of order or too much is refused with its face or numbers")
{
    struct ims_points p = draw_points(&family);
    struct ims_graph_options o = { 0 };
    float *v = (float *)(uintptr_t)p.vectors, kept = v[5 * p.dim + 3];
    int64_t *ids = (int64_t *)(uintptr_t)p.ids;

    v[5 * p.dim + 3] = NAN;
    check_refused(&p, &o, IMS_E_INVALID, "face 60 is not finite");
    v[5 * p.dim + 3] = INFINITY;
    check_refused(&p, &o, IMS_E_INVALID, "face 60 is not finite");
    v[5 * p.dim + 3] = 2;
    check_refused(&p, &o, IMS_E_INVALID, "face 60 has length");
    v[5 * p.dim + 3] = kept;
    ids[7] = ids[6];
    check_refused(&p, &o, IMS_E_INVALID, "must rise");
    ids[7] = ids[6] + 10;
    p.dim = 0;
    check_refused(&p, &o, IMS_E_DIMENSION, "0 numbers");
    p.dim = family.dim;
    o.max_bytes = 100000;
    check_refused(&p, &o, IMS_E_LIMIT, "MiB of memory");
    o.max_bytes = 0;
    o.n_neighbours = 4;
    o.max_samples = 5;
    check_refused(&p, &o, IMS_E_INVALID, "at least as many neighbours");
    draw_free(&p);
}

TEST(bad_parameters, "parameters that mean nothing are refused, min_samples beyond the graph with its limit")
{
    struct ims_points p = draw_points(&family);
    struct ims_graph_options o = { .n_neighbours = 12, .max_samples = 6 };
    struct ims_graph *g = NULL;
    struct ims_labels l = { 0 };
    ims_err err = { 0 };

    build(&p, &o, &g);
    CHECK_STATUS(ims__hdbscan(g, &(struct ims_hdbscan_options){ .min_cluster_size = 1 }, &l, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims__hdbscan(g, &(struct ims_hdbscan_options){ .min_cluster_size = 3, .epsilon = NAN }, &l, &err),
                 IMS_E_INVALID, err);
    CHECK_STATUS(ims__hdbscan(g, &(struct ims_hdbscan_options){ .min_cluster_size = 3, .min_samples = 7 }, &l, &err),
                 IMS_E_LIMIT, err);
    CHECK(strstr(err.text, "up to 6") != NULL);
    CHECK_STATUS(ims__dbscan(g, -0.1, 3, &l, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims__dbscan(g, 0.5, 0, &l, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims__dbscan(g, 0.5, 8, &l, &err), IMS_E_LIMIT, err);
    CHECK_STATUS(ims__average_linkage(g, &p, 3, &o, &l, &err), IMS_E_INVALID, err);
    o.max_bytes = 1000;
    CHECK_STATUS(ims__average_linkage(g, &p, 1.2, &o, &l, &err), IMS_E_LIMIT, err);
    CHECK(l.labels == NULL);
    ims__graph_free(g);
    draw_free(&p);
}

struct stop {
    int calls, at;
};

static bool stop_at(void *arg, const char *phase, double fraction)
{
    struct stop *s = arg;

    CHECK_SOFT(phase[0] != '\0');
    CHECK_SOFT(fraction >= 0 && fraction <= 1);
    return ++s->calls < s->at;
}

TEST(cancel, "a clustering can be stopped at every report, and nothing is left")
{
    struct ims_points p = draw_points(&family);
    struct stop all = { 0, 1000000 };
    struct ims_graph_options o = { .n_threads = 2, .n_neighbours = 12, .max_samples = 6, .on_progress = stop_at,
                                   .arg = &all };
    struct ims_graph *g = NULL;
    ims_err err = { 0 };

    build(&p, &o, &g);
    ims__graph_free(g);
    g = NULL;
    CHECK(all.calls > 2);
    for (int at = 1; at <= 3; at++) {
        struct stop s = { 0, at };

        o.arg = &s;
        CHECK_STATUS(ims__graph_build(&g, &p, &o, &err), IMS_E_CANCELLED, err);
        CHECK(g == NULL);
    }
    draw_free(&p);
}

TEST(memory_fails, "every allocation may fail: the error says so and nothing is left")
{
    struct draw small = family;
    struct ims_points p;
    struct ims_graph_options o = { .n_threads = 1, .n_neighbours = 8, .max_samples = 4 };
    ims_status st = IMS_E_NOMEM;

    small.n = 300;
    p = draw_points(&small);
    for (uint64_t at = 1; st == IMS_E_NOMEM && at < 400; at++) {
        struct ims_graph *g = NULL;
        ims_err err = { 0 };

        ims__mem_fail_at(at);
        st = ims__graph_build(&g, &p, &o, &err);
        ims__mem_fail_at(0);
        CHECK(st == IMS_OK || (st == IMS_E_NOMEM && g == NULL && err.text[0]));
        ims__graph_free(g);
    }
    CHECK_INT(st, IMS_OK);
    draw_free(&p);
}

/* ---- the best of many ---- */

static int falling_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

TEST(best, "the best keys come first, whatever their order was and however many are equal")
{
    uint64_t keys[160], sorted[160];
    uint32_t state = 1;

    for (unsigned round = 0; round < 4000; round++) {
        size_t n = 1 + round % 160, n_best = 1 + (round * 7) % n;

        for (size_t i = 0; i < n; i++) {
            state = state * 1664525u + 1013904223u;
            keys[i] = round % 3 == 0 ? i : round % 3 == 1 ? state >> 30 : state;
        }
        memcpy(sorted, keys, n * sizeof(*keys));
        qsort(sorted, n, sizeof(*sorted), falling_keys);
        ims__rank_select(keys, n, n_best);
        qsort(keys, n_best, sizeof(*keys), falling_keys);
        for (size_t i = 0; i < n_best; i++)
            CHECK(keys[i] == sorted[i]);
        qsort(keys, n, sizeof(*keys), falling_keys); /* and nothing is lost */
        CHECK(memcmp(keys, sorted, n * sizeof(*keys)) == 0);
    }
}

TEST_MAIN
