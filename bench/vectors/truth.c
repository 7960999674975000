/* The exact best, found while rows pass by.
 * SPDX-License-Identifier: Apache-2.0 */
#include "truth.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

#define BLOCK 64 /* rows that stay in the cache while all queries meet them */

struct truth {
    const float *queries;
    size_t n_queries, n_filters;
    uint32_t dim;
    unsigned one_in[TRUTH_FILTERS];
    int64_t *ids; /* n_filters x n_queries x TRUTH_K */
    float *scores;
};

struct share {
    struct truth *t;
    const float *rows;
    size_t from, n, first_query, end_query;
    struct ims_thread thread;
};

bool truth_allows(unsigned one_in, size_t id)
{
    uint64_t z = ((uint64_t)id + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z >> 32) % one_in == 0;
}

struct truth *truth_new(const float *queries, size_t n_queries, uint32_t dim, const unsigned *one_in, size_t n_filters)
{
    struct truth *t = ims__zalloc(1, sizeof(*t));
    size_t n = n_filters * n_queries * TRUTH_K;

    if (!t)
        return NULL;
    *t = (struct truth){ .queries = queries, .n_queries = n_queries, .n_filters = n_filters, .dim = dim };
    memcpy(t->one_in, one_in, n_filters * sizeof(*one_in));
    t->ids = ims__alloc(n, sizeof(*t->ids));
    t->scores = ims__alloc(n, sizeof(*t->scores));
    if (!t->ids || !t->scores) {
        truth_free(t);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        t->ids[i] = -1;
        t->scores[i] = -INFINITY;
    }
    return t;
}

void truth_free(struct truth *t)
{
    if (!t)
        return;
    ims__free(t->ids);
    ims__free(t->scores);
    ims__free(t);
}

/* One row among the best of one query and filter. */
static void put(int64_t *ids, float *scores, int64_t id, float score)
{
    size_t at = TRUTH_K - 1;

    for (; at > 0 && scores[at - 1] < score; at--) {
        scores[at] = scores[at - 1];
        ids[at] = ids[at - 1];
    }
    scores[at] = score;
    ids[at] = id;
}

static void meet(struct truth *t, size_t query, const float *rows, const uint8_t *allowed, size_t from, size_t n)
{
    float scores[BLOCK];

    ims__kernels()->dot_f32_rows(t->queries + query * t->dim, rows, t->dim, n, t->dim, scores);
    for (size_t f = 0; f < t->n_filters; f++) {
        size_t at = (f * t->n_queries + query) * TRUTH_K;

        for (size_t i = 0; i < n; i++) {
            if (scores[i] > t->scores[at + TRUTH_K - 1] && allowed[i] >> f & 1)
                put(t->ids + at, t->scores + at, (int64_t)(from + i), scores[i]);
        }
    }
}

static void pass_share(void *arg)
{
    struct share *s = arg;

    for (size_t done = 0, n; done < s->n; done += n) {
        uint8_t allowed[BLOCK] = { 0 };

        n = s->n - done < BLOCK ? s->n - done : BLOCK;
        for (size_t i = 0; i < n; i++) {
            for (size_t f = 0; f < s->t->n_filters; f++)
                allowed[i] |= (uint8_t)(truth_allows(s->t->one_in[f], s->from + done + i) << f);
        }
        for (size_t q = s->first_query; q < s->end_query; q++)
            meet(s->t, q, s->rows + done * s->t->dim, allowed, s->from + done, n);
    }
}

void truth_pass(struct truth *t, const float *rows, size_t from, size_t n)
{
    struct share a = { .t = t, .rows = rows, .from = from, .n = n, .end_query = t->n_queries / 2 }, b = a;

    b.first_query = a.end_query;
    b.end_query = t->n_queries;
    if (ims__thread_start(&b.thread, "truth", pass_share, &b, NULL))
        pass_share(&b);
    pass_share(&a);
    ims__thread_join(&b.thread);
}

const int64_t *truth_of(const struct truth *t, size_t filter)
{
    return t->ids + filter * t->n_queries * TRUTH_K;
}

static size_t bytes_of_filter(const struct truth *t)
{
    return t->n_queries * TRUTH_K * sizeof(*t->ids);
}

bool truth_save(const struct truth *t, size_t filter, const char *path)
{
    return ims__write_derived(path, truth_of(t, filter), bytes_of_filter(t), NULL) == IMS_OK;
}

bool truth_load(struct truth *t, size_t filter, const char *path)
{
    size_t n_bytes = bytes_of_filter(t);
    struct ims_buf file = { 0 };
    bool is_there = ims__read_file(path, n_bytes, &file, NULL, NULL) == IMS_OK && file.len == n_bytes;

    if (is_there)
        memcpy(t->ids + filter * t->n_queries * TRUTH_K, file.data, n_bytes);
    ims__buf_release(&file);
    return is_there;
}
