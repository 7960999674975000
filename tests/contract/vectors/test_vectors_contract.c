/* What every vector index must do, against brute force. The backend is named by IMS_TEST_VECTORS.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/mem.h"
#include "vectors/vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *backend(void)
{
    const char *name = getenv("IMS_TEST_VECTORS");

    return name && *name ? name : "embedded";
}

static bool is_before(const struct ims_vectors_hit *a, const struct ims_vectors_hit *b)
{
    return a->score > b->score || (a->score == b->score && a->id < b->id);
}

static float random_unit(uint64_t *state)
{
    return (float)((double)(test_random(state) >> 11) / 4503599627370496.0 - 1.0);
}

static void random_row(uint64_t *state, float *row, uint32_t dim)
{
    for (uint32_t i = 0; i < dim; i++)
        row[i] = random_unit(state);
}

/* The oracle: what is stored, by id, as unit vectors in double. */
struct oracle {
    uint32_t dim;
    size_t n;
    int64_t ids[3000];
    double *rows;
};

static void oracle_put(struct oracle *o, int64_t id, const float *row)
{
    size_t at = 0;
    double norm = 0;

    while (at < o->n && o->ids[at] != id)
        at++;
    if (at == o->n)
        o->ids[o->n++] = id;
    for (uint32_t i = 0; i < o->dim; i++)
        norm += (double)row[i] * (double)row[i];
    for (uint32_t i = 0; i < o->dim; i++)
        o->rows[at * o->dim + i] = (double)row[i] / sqrt(norm);
}

static void oracle_remove(struct oracle *o, int64_t id)
{
    for (size_t at = 0; at < o->n; at++) {
        if (o->ids[at] == id) {
            o->n--;
            o->ids[at] = o->ids[o->n];
            memmove(o->rows + at * o->dim, o->rows + o->n * o->dim, o->dim * sizeof(double));
            return;
        }
    }
}

static double oracle_score(const struct oracle *o, const float *query, size_t at)
{
    double dot = 0, norm = 0;

    for (uint32_t i = 0; i < o->dim; i++) {
        dot += (double)query[i] * o->rows[at * o->dim + i];
        norm += (double)query[i] * (double)query[i];
    }
    return dot / sqrt(norm);
}

static bool is_in(const int64_t *ids, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* Every hit has its true score, the order is right, and nothing outside scores better than the last. */
static void check_against(struct oracle *o, struct ims_vectors *v, uint64_t *state, const int64_t *only, size_t n_only)
{
    float query[96];
    struct ims_vectors_hit hits[40];
    struct ims_vectors_query q = { .vector = query, .k = 1 + test_random(state) % 40, .only_ids = only, .n_only_ids = n_only };
    size_t n = 99, candidates = 99, allowed = 0;
    ims_err err;

    random_row(state, query, o->dim);
    CHECK_OK(ims_vectors_search(v, &q, hits, &n, &candidates, &err), err);
    for (size_t at = 0; at < o->n; at++)
        allowed += !only || is_in(only, n_only, o->ids[at]);
    CHECK_INT(candidates, allowed);
    CHECK_INT(n, allowed < q.k ? allowed : q.k);
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;

        while (at < o->n && o->ids[at] != hits[i].id)
            at++;
        CHECK(at < o->n);
        CHECK(!only || is_in(only, n_only, hits[i].id));
        CHECK_NEAR((double)hits[i].score, oracle_score(o, query, at), 2e-6);
        CHECK(i == 0 || is_before(&hits[i - 1], &hits[i]));
    }
    for (size_t at = 0; n == q.k && at < o->n; at++) {
        bool found = false;

        if (only && !is_in(only, n_only, o->ids[at]))
            continue;
        for (size_t i = 0; i < n; i++)
            found = found || hits[i].id == o->ids[at];
        CHECK(found || oracle_score(o, query, at) <= (double)hits[n - 1].score + 4e-6);
    }
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static size_t random_filter(const struct oracle *o, uint64_t *state, int64_t *out)
{
    size_t n = 0, kept = 0;

    for (size_t at = 0; at < o->n; at++) {
        if (test_random(state) % 3 == 0)
            out[n++] = o->ids[at];
    }
    out[n++] = -7; /* an id that is not there is passed over */
    qsort(out, n, sizeof(*out), compare_ids);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || out[i] != out[kept - 1])
            out[kept++] = out[i];
    }
    return kept;
}

static void run_random_changes(uint32_t dim, unsigned n_threads, uint64_t seed)
{
    struct ims_vectors_options options = { .dim = dim, .n_threads = n_threads };
    struct oracle o = { .dim = dim };
    struct ims_vectors *v = NULL;
    static int64_t filter[3001];
    float row[96];
    ims_err err;

    o.rows = calloc((size_t)3000 * dim, sizeof(double));
    CHECK_OK(ims_vectors_open(&v, backend(), &options, &err), err);
    for (int step = 0; step < 2600 && !test_has_failed(); step++) {
        int64_t id = (int64_t)(test_random(&seed) % 2000);

        if (test_random(&seed) % 4) {
            random_row(&seed, row, dim);
            CHECK_OK(ims_vectors_add(v, &id, row, 1, &err), err);
            oracle_put(&o, id, row);
        } else {
            CHECK_OK(ims_vectors_remove(v, &id, 1, &err), err);
            oracle_remove(&o, id);
        }
        CHECK_INT(ims_vectors_count(v), o.n);
        if (step % 50 == 0)
            check_against(&o, v, &seed, NULL, 0);
        if (step % 50 == 25)
            check_against(&o, v, &seed, filter, random_filter(&o, &seed, filter));
    }
    ims_vectors_close(v);
    free(o.rows);
}

TEST(random_changes, "search equals brute force over random inserts, replacements, deletes and filters")
{
    run_random_changes(64, 1, 1);
    run_random_changes(17, 1, 2);
    run_random_changes(96, 3, 3);
    run_random_changes(1, 1, 4);
}

TEST(many_threads, "a scan cut over threads gives the same hits as one thread")
{
    enum { DIM = 32, N = 40000, K = 100 };
    struct ims_vectors *one = NULL, *many = NULL;
    struct ims_vectors_options options = { .dim = DIM, .n_threads = 1 };
    float *rows = malloc((size_t)N * DIM * sizeof(float));
    int64_t *ids = malloc(N * sizeof(*ids));
    struct ims_vectors_hit a[K], b[K];
    uint64_t state = 9;
    size_t na, nb;
    ims_err err;

    for (int i = 0; i < N; i++) {
        random_row(&state, rows + (size_t)i * DIM, DIM);
        ids[i] = i * 3;
    }
    memcpy(rows + (size_t)35000 * DIM, rows, DIM * sizeof(float)); /* a tie across stretches */
    CHECK_OK(ims_vectors_open(&one, backend(), &options, &err), err);
    options.n_threads = 5;
    CHECK_OK(ims_vectors_open(&many, backend(), &options, &err), err);
    CHECK_OK(ims_vectors_add(one, ids, rows, N, &err), err);
    CHECK_OK(ims_vectors_add(many, ids, rows, N, &err), err);
    for (int i = 0; i < 20; i++) {
        struct ims_vectors_query q = { .vector = rows + (size_t)i * 1000 * DIM, .k = K };

        CHECK_OK(ims_vectors_search(one, &q, a, &na, NULL, &err), err);
        CHECK_OK(ims_vectors_search(many, &q, b, &nb, NULL, &err), err);
        CHECK_INT(na, nb);
        for (size_t k = 0; k < na; k++) {
            CHECK_INT(a[k].id, b[k].id);
        }
    }
    CHECK_INT(a[0].score > 0.9999f, 1);
    ims_vectors_close(one);
    ims_vectors_close(many);
    free(rows);
    free(ids);
}

TEST(ties, "equal scores are ordered by id, so pages agree")
{
    struct ims_vectors_options options = { .dim = 4 };
    struct ims_vectors *v = NULL;
    float rows[6][4] = { { 1, 0, 0, 0 }, { 1, 0, 0, 0 }, { 2, 0, 0, 0 }, { 0, 1, 0, 0 }, { 1, 0, 0, 0 }, { 5, 0, 0, 0 } };
    int64_t ids[6] = { 50, 10, 40, 5, 30, 20 };
    float query[4] = { 1, 0, 0, 0 };
    struct ims_vectors_hit hits[6];
    size_t n;
    ims_err err;

    CHECK_OK(ims_vectors_open(&v, backend(), &options, &err), err);
    CHECK_OK(ims_vectors_add(v, ids, rows[0], 6, &err), err);
    for (size_t k = 1; k <= 6; k++) {
        static const int64_t want[] = { 10, 20, 30, 40, 50, 5 };
        struct ims_vectors_query q = { .vector = query, .k = k };

        CHECK_OK(ims_vectors_search(v, &q, hits, &n, NULL, &err), err);
        CHECK_INT(n, k);
        for (size_t i = 0; i < n; i++) {
            CHECK_INT(hits[i].id, want[i]);
        }
    }
    ims_vectors_close(v);
}

TEST(bad_input, "zero and infinite vectors, wrong sizes and unordered filters are refused")
{
    struct ims_vectors_options options = { .dim = 2 };
    struct ims_vectors *v = NULL;
    float good[2] = { 1, 2 }, mixed[4] = { 1, 1, 0, 0 }, infinite[2] = { INFINITY, 0 }, nan[2] = { NAN, 1 };
    int64_t ids[2] = { 1, 2 }, unordered[2] = { 2, 1 };
    struct ims_vectors_query q = { .vector = good, .k = 1 };
    struct ims_vectors_hit hit;
    size_t n;
    ims_err err;

    CHECK_STATUS(ims_vectors_open(&v, "no such index", &options, &err), IMS_E_UNSUPPORTED, err);
    options.dim = 0;
    CHECK_STATUS(ims_vectors_open(&v, backend(), &options, &err), IMS_E_DIMENSION, err);
    options.dim = 2;
    CHECK_OK(ims_vectors_open(&v, backend(), &options, &err), err);
    CHECK_STATUS(ims_vectors_add(v, ids, mixed, 2, &err), IMS_E_INVALID, err);
    CHECK_INT(ims_vectors_count(v), 0);
    CHECK_STATUS(ims_vectors_add(v, ids, infinite, 1, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_vectors_add(v, ids, nan, 1, &err), IMS_E_INVALID, err);
    CHECK_OK(ims_vectors_add(v, ids, good, 1, &err), err);
    CHECK_STATUS(ims_vectors_get(v, 2, good, &err), IMS_E_NOT_FOUND, err);
    q.k = 0;
    CHECK_STATUS(ims_vectors_search(v, &q, &hit, &n, NULL, &err), IMS_E_LIMIT, err);
    q.k = 1;
    q.only_ids = unordered;
    q.n_only_ids = 2;
    CHECK_STATUS(ims_vectors_search(v, &q, &hit, &n, NULL, &err), IMS_E_INVALID, err);
    q.only_ids = NULL;
    q.vector = nan;
    CHECK_STATUS(ims_vectors_search(v, &q, &hit, &n, NULL, &err), IMS_E_INVALID, err);
    ims_vectors_close(v);
}

TEST(no_memory, "every allocation that fails leaves an index that still answers")
{
    struct ims_vectors_options options = { .dim = 8 };
    float row[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    struct ims_vectors_hit hit;
    bool is_through = false;
    ims_err err;

    for (uint64_t at = 1; !is_through; at++) {
        struct ims_vectors *v = NULL;
        struct ims_vectors_query q = { .vector = row, .k = 1 };
        int64_t id = 5;
        size_t n = 0;

        ims__mem_fail_at(at);
        if (ims_vectors_open(&v, backend(), &options, &err) == IMS_OK) {
            is_through = ims_vectors_add(v, &id, row, 1, &err) == IMS_OK &&
                         ims_vectors_search(v, &q, &hit, &n, NULL, &err) == IMS_OK;
            if (!is_through)
                CHECK_SOFT(err.status == IMS_E_NOMEM);
            ims__mem_fail_at(0);
            CHECK_OK(ims_vectors_add(v, &id, row, 1, &err), err);
            CHECK_OK(ims_vectors_search(v, &q, &hit, &n, NULL, &err), err);
            CHECK_INT(n, 1);
        }
        ims__mem_fail_at(0);
        ims_vectors_close(v);
        CHECK(at < 100);
    }
}

TEST_MAIN
