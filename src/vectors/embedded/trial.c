/* Whether an order of likeness is good: searches that skip by it must find what others find.
 *
 * Skipping rests on clusters that hold what is alike. Where rows have no such clusters, or k-means did not find them, hits
 * lie as strays in cells that look far away, and nothing in a query tells. So a new order is tried with some of its own rows as
 * queries, once as it would be used and once with every code read; if too much is missed, its segments are read whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/persist.h"

#include "base/mem.h"

#define QUERIES 128
#define HITS 10
#define MAX_MISSED 3 /* of 1,280, of which 1.6 are stated; orders that turned out well missed none */

struct trial {
    float *rows; /* QUERIES * dim */
    struct ims_vectors_query queries[QUERIES];
    struct ims_vectors_hit hits[2][QUERIES][HITS];
    struct ims_vectors_result results[2][QUERIES];
};

static bool is_tried(const struct ims_view *v, unsigned level)
{
    return v->level == level && v->is_read_whole;
}

/* Rows here and there of the level's segments. Returns how many. */
static size_t draw_queries(const struct ims_snapshot *s, unsigned level, uint32_t dim, struct trial *t)
{
    size_t n_rows = 0, n = 0, at = 0;

    for (size_t i = 0; i < s->n_views; i++)
        n_rows += is_tried(&s->views[i], level) ? s->views[i].n_rows : 0;
    for (size_t i = 0; i < s->n_views; i++) {
        const struct ims_view *v = &s->views[i];

        if (!is_tried(v, level))
            continue;
        for (; n < QUERIES && n * n_rows / QUERIES < at + v->n_rows; n++) {
            t->queries[n] = (struct ims_vectors_query){ .vector = t->rows + n * dim, .k = HITS };
            memcpy(t->rows + n * dim, ims__segment_row(v->segment, (uint32_t)(n * n_rows / QUERIES - at)), dim * sizeof(float));
        }
        at += v->n_rows;
    }
    return n;
}

static size_t count_missed(const struct trial *t, size_t n)
{
    size_t n_missed = 0;

    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < t->results[0][i].n; a++) {
            bool is_found = false;

            for (size_t b = 0; b < t->results[1][i].n; b++)
                is_found = is_found || t->hits[0][i][a].id == t->hits[1][i][b].id;
            n_missed += !is_found;
        }
    }
    return n_missed;
}

static ims_status search_both_ways(struct ims_embedded *e, struct trial *t, size_t n, ims_err *err)
{
    ims_status st = IMS_OK;

    for (int skips = 0; !st && skips < 2; skips++) {
        struct ims_passes passes = { 0 };
        struct ims_job_rules rules = e->rules;

        for (size_t i = 0; i < n; i++)
            t->results[skips][i].hits = t->hits[skips][i];
        rules.is_trial = skips;
        if (rules.miss > IMS_VECTORS_MISS) /* what is allowed to be missed is no fault of the order */
            ims__job_rules_miss(&rules, IMS_VECTORS_MISS);
        st = ims__passes_open(&passes, &e->snapshots, &rules, 1, err);
        if (!st)
            st = ims__passes_search(&passes, t->queries, n, t->results[skips], err);
        ims__passes_close(&passes);
    }
    return st;
}

static ims_status allow_skipping(struct ims_embedded *e, unsigned level, ims_err *err)
{
    const struct ims_snapshot *now = atomic_load(&e->snapshots.current);
    struct ims_snapshot *next = ims__snapshot_new(now->n_views);

    if (!next)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for the vector index");
    for (size_t i = 0; i < now->n_views; i++) {
        next->views[i] = now->views[i];
        next->views[i].is_read_whole = now->views[i].is_read_whole && now->views[i].level != level;
        next->views[i].segment->refs++;
        if (next->views[i].dead)
            next->views[i].dead->refs++;
    }
    ims__snapshots_publish(&e->snapshots, next);
    return IMS_OK;
}

ims_status ims__embedded_try_order(struct ims_embedded *e, unsigned level, ims_err *err)
{
    const struct ims_snapshot *s = atomic_load(&e->snapshots.current);
    struct trial *t = ims__zalloc(1, sizeof(*t));
    ims_status st = IMS_OK;
    size_t n = 0;

    if (t)
        t->rows = ims__alloc((size_t)QUERIES * e->dim, sizeof(float));
    if (!t || !t->rows)
        st = ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for trying an order of likeness");
    if (!st)
        n = draw_queries(s, level, e->dim, t);
    if (n)
        st = search_both_ways(e, t, n, err);
    if (!st && n && count_missed(t, n) <= MAX_MISSED)
        st = allow_skipping(e, level, err);
    if (t)
        ims__free(t->rows);
    ims__free(t);
    return st;
}
