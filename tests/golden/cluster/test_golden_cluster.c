/* Our clusterings against those of the hdbscan package and of scikit-learn (make.py), on drawn vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw.h"

#include "harness/test.h"

#include "base/json.h"
#include "base/mem.h"
#include "people/cluster/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 256

/* Calls fn for each data set with its graph. */
static void for_each_set(void (*fn)(const ims_json *set, const struct ims_graph *g, const struct ims_points *p))
{
    size_t len;
    char *text = test_read_file(test_source_path("tests/golden/cluster/expected.json"), &len);
    const ims_json *sets;
    ims_json *all = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims__json_parse(&all, text, len, "expected.json", &err), err);
    sets = ims__json_get(all, "sets");
    CHECK(ims__json_len(sets) >= 20);
    for (size_t i = 0; i < ims__json_len(sets) && !test_has_failed(); i++) {
        const ims_json *set = ims__json_at(sets, i);
        const char *name = ims__json_str(ims__json_get(set, "name"), NULL);
        struct draw d = { .seed = (uint64_t)ims__json_int(ims__json_get(set, "seed"), 0),
                          .n = (size_t)ims__json_int(ims__json_get(set, "n"), 0),
                          .dim = (size_t)ims__json_int(ims__json_get(set, "dim"), 0),
                          .groups = (int)ims__json_int(ims__json_get(set, "groups"), 0),
                          .spread = ims__json_num(ims__json_get(set, "spread"), 0),
                          .strangers = (size_t)ims__json_int(ims__json_get(set, "strangers"), 0),
                          .copies = (size_t)ims__json_int(ims__json_get(set, "copies"), 0),
                          .is_grid = strcmp(name, "grid") == 0 };
        struct ims_points p = draw_points(&d);
        struct ims_graph *g = NULL;

        CHECK_OK(ims__graph_build(&g, &p, &(struct ims_graph_options){ .n_threads = 2 }, &err), err);
        fn(set, g, &p);
        if (test_has_failed())
            test_note("data set %s", name);
        ims__graph_free(g);
        draw_free(&p);
    }
    ims__json_free(all);
    free(text);
}

static void check_trees(const ims_json *set, const struct ims_graph *g, const struct ims_points *p)
{
    const ims_json *trees = ims__json_get(set, "trees");

    (void)p;
    for (size_t t = 0; t < ims__json_len(trees); t++) {
        const ims_json *weights = ims__json_get(ims__json_at(trees, t), "weights");
        unsigned m = (unsigned)ims__json_int(ims__json_get(ims__json_at(trees, t), "min_samples"), 0);
        struct ims_tree_edge *tree = NULL;
        ims_err err = { 0 };

        CHECK_OK(ims__graph_tree(g, m, &tree, &err), err);
        CHECK_INT(ims__json_len(weights), g->n - 1);
        for (size_t e = 0; e + 1 < g->n; e++)
            CHECK_NEAR(1 - (double)tree[e].similarity, ims__json_num(ims__json_at(weights, e), -1), 1e-5);
        ims__free(tree);
    }
}

TEST(trees, "the weights of spanning trees are those of the hdbscan package, on ties and duplicates too")
{
    for_each_set(check_trees);
}

/* The same partition, whatever the numbers. */
static bool is_same_partition(const int32_t *got, const ims_json *want, size_t n)
{
    int32_t there[N_MAX], back[N_MAX];

    for (size_t i = 0; i < N_MAX; i++)
        there[i] = back[i] = -2;
    for (size_t i = 0; i < n; i++) {
        int32_t w = (int32_t)ims__json_int(ims__json_at(want, i), -3);

        if ((got[i] == IMS_NOISE) != (w == -1)) {
            test_fail(__FILE__, __LINE__, "face %zu has label %d, the reference says %d", i, got[i], w);
            return false;
        }
        if (w == -1)
            continue;
        if (there[got[i]] == -2 && back[w] == -2) {
            there[got[i]] = w;
            back[w] = got[i];
        }
        if (there[got[i]] != w || back[w] != got[i]) {
            test_fail(__FILE__, __LINE__, "face %zu is in cluster %d, which is not the reference's %d", i, got[i], w);
            return false;
        }
    }
    return true;
}

static size_t n_compared;

static void check_hdbscan(const ims_json *set, const struct ims_graph *g, const struct ims_points *p)
{
    const ims_json *runs = ims__json_get(set, "hdbscan");
    /* Scores are ratios of 1 / distance, and a distance is known to 2^-25; points on a circle are 1e-5 apart. */
    bool has_scores = p->dim > 3;

    for (size_t r = 0; r < ims__json_len(runs); r++) {
        const ims_json *run = ims__json_at(runs, r), *values;
        struct ims_hdbscan_options o = {
            .min_cluster_size = (unsigned)ims__json_int(ims__json_get(run, "min_cluster_size"), 0),
            .min_samples = (unsigned)ims__json_int(ims__json_get(run, "min_samples"), 0),
            .epsilon = ims__json_num(ims__json_get(run, "epsilon"), -1),
            .use_leaves = ims__json_bool(ims__json_get(run, "leaf"), false),
            .allow_single = ims__json_bool(ims__json_get(run, "single"), false)
        };
        struct ims_labels l = { 0 };
        ims_err err = { 0 };

        if (ims__json_bool(ims__json_get(run, "depends_on_order"), false))
            continue; /* the package's labels change with the order of the faces */
        n_compared++;
        CHECK_OK(ims__hdbscan(g, &o, &l, &err), err);
        if (!is_same_partition(l.labels, ims__json_get(run, "labels"), g->n)) {
            test_note("min_cluster_size %u, min_samples %u, epsilon %g, leaf %d, single %d", o.min_cluster_size,
                      o.min_samples, o.epsilon, o.use_leaves, o.allow_single);
            return;
        }
        values = ims__json_get(run, "probabilities");
        for (size_t i = 0; i < ims__json_len(values) && has_scores; i++)
            CHECK_NEAR(l.probabilities[i], ims__json_num(ims__json_at(values, i), -1), 2e-4);
        values = ims__json_get(run, "outliers");
        for (size_t i = 0; i < ims__json_len(values) && has_scores; i++)
            CHECK_NEAR(l.outlier_scores[i], ims__json_num(ims__json_at(values, i), -1), 2e-4);
        ims__labels_release(&l);
    }
}

TEST(hdbscan, "HDBSCAN gives the package's labels, probabilities and outlier scores")
{
    n_compared = 0;
    for_each_set(check_hdbscan);
    CHECK(n_compared >= 160);
}

static void check_dbscan(const ims_json *set, const struct ims_graph *g, const struct ims_points *p)
{
    const ims_json *runs = ims__json_get(set, "dbscan");

    (void)p;
    for (size_t r = 0; r < ims__json_len(runs); r++) {
        const ims_json *run = ims__json_at(runs, r);
        struct ims_labels l = { 0 };
        ims_err err = { 0 };

        CHECK_OK(ims__dbscan(g, ims__json_num(ims__json_get(run, "eps"), -1),
                             (unsigned)ims__json_int(ims__json_get(run, "min_samples"), 0), &l, &err),
                 err);
        CHECK(is_same_partition(l.labels, ims__json_get(run, "labels"), g->n));
        ims__labels_release(&l);
    }
}

TEST(dbscan, "DBSCAN gives scikit-learn's labels, border faces included")
{
    for_each_set(check_dbscan);
}

static void check_average(const ims_json *set, const struct ims_graph *g, const struct ims_points *p)
{
    const ims_json *runs = ims__json_get(set, "average");

    for (size_t r = 0; r < ims__json_len(runs); r++) {
        const ims_json *run = ims__json_at(runs, r);
        struct ims_graph_options o = { 0 };
        struct ims_labels l = { 0 };
        ims_err err = { 0 };

        CHECK_OK(ims__average_linkage(g, p, ims__json_num(ims__json_get(run, "threshold"), -1), &o, &l, &err), err);
        CHECK(is_same_partition(l.labels, ims__json_get(run, "labels"), g->n));
        ims__labels_release(&l);
    }
}

TEST(average, "average linkage gives scikit-learn's labels")
{
    for_each_set(check_average);
}

TEST_MAIN
