/* The plain vector index: float rows in blocks, scanned from end to end. What the others are compared with.
 *
 * Rows 0..n-1 lie without gaps in blocks of BLOCK_ROWS; removing a row moves the last one into its
 * place. A search takes the read lock, cuts the rows into one stretch per thread, and merges the
 * threads' best hits. It reads every byte of what it looks at once: its floor is bytes / bandwidth.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/thread.h"
#include "kernels/kernels.h"
#include "vectors/embedded/id_map.h"
#include "vectors/embedded/top_k.h"
#include "vectors/vectors_backend.h"

#include <pthread.h>
#include <string.h>

#define BLOCK_ROWS 1024
#define MAX_BLOCKS ((size_t)1 << 20)
#define ROW_ALIGNMENT 64
#define MAX_THREADS 64
#define MIN_ROWS_PER_THREAD 8192 /* below this a thread costs more than it saves */

struct exact {
    uint32_t dim;
    unsigned n_threads;
    pthread_rwlock_t lock;
    bool has_lock;
    float **blocks;
    size_t n_blocks, blocks_cap;
    int64_t *ids; /* by row; blocks_cap * BLOCK_ROWS slots */
    size_t ids_cap;
    size_t n;
    struct ims_id_map rows;
};

static float *row_at(const struct exact *e, size_t row)
{
    return e->blocks[row / BLOCK_ROWS] + row % BLOCK_ROWS * e->dim;
}

static ims_status exact_open(void *ctx, const struct ims_vectors_options *options, ims_err *err)
{
    struct exact *e = ctx;

    e->dim = options->dim;
    e->n_threads = options->n_threads ? options->n_threads : 1;
    if (e->n_threads > MAX_THREADS)
        e->n_threads = MAX_THREADS;
    if (pthread_rwlock_init(&e->lock, NULL))
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "creating a lock");
    e->has_lock = true;
    return IMS_OK;
}

static void exact_close(void *ctx)
{
    struct exact *e = ctx;

    for (size_t i = 0; i < e->n_blocks; i++)
        ims__free(e->blocks[i]);
    ims__free(e->blocks);
    ims__free(e->ids);
    ims__id_map_release(&e->rows);
    if (e->has_lock)
        pthread_rwlock_destroy(&e->lock);
}

/* Room for n rows in all; what was allocated before a failure stays and is used later. */
static bool reserve_rows(struct exact *e, size_t n)
{
    size_t want = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;

    if (want * BLOCK_ROWS > e->ids_cap) {
        size_t cap = e->ids_cap * 2 > want * BLOCK_ROWS ? e->ids_cap * 2 : want * BLOCK_ROWS;
        int64_t *ids = ims__realloc(e->ids, cap, sizeof(*ids));

        if (!ids)
            return false;
        e->ids = ids;
        e->ids_cap = cap;
    }
    while (e->n_blocks < want) {
        if (!ims__grow((void **)&e->blocks, &e->blocks_cap, e->n_blocks, sizeof(*e->blocks), MAX_BLOCKS))
            return false;
        e->blocks[e->n_blocks] = ims__aligned_alloc(ROW_ALIGNMENT, (size_t)BLOCK_ROWS * e->dim,
                                                    sizeof(float));
        if (!e->blocks[e->n_blocks])
            return false;
        e->n_blocks++;
    }
    return ims__id_map_reserve(&e->rows, n);
}

static ims_status exact_add(void *ctx, const int64_t *ids, const float *rows, size_t n, ims_err *err)
{
    struct exact *e = ctx;
    ims_status st = IMS_OK;

    pthread_rwlock_wrlock(&e->lock);
    if (!reserve_rows(e, e->n + n)) {
        st = ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for %zu vectors of %u dimensions", e->n + n,
                      e->dim);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        size_t row = ims__id_map_get(&e->rows, ids[i]);

        if (row == IMS_NO_ROW) {
            row = e->n++;
            e->ids[row] = ids[i];
            ims__id_map_put(&e->rows, ids[i], row);
        }
        memcpy(row_at(e, row), rows + i * e->dim, e->dim * sizeof(float));
        ims__kernels()->normalise_f32(row_at(e, row), e->dim);
    }
out:
    pthread_rwlock_unlock(&e->lock);
    return st;
}

static ims_status exact_remove(void *ctx, const int64_t *ids, size_t n, ims_err *err)
{
    struct exact *e = ctx;

    (void)err;
    pthread_rwlock_wrlock(&e->lock);
    for (size_t i = 0; i < n; i++) {
        size_t row = ims__id_map_get(&e->rows, ids[i]), last;

        if (row == IMS_NO_ROW)
            continue;
        last = --e->n;
        if (row != last) {
            memcpy(row_at(e, row), row_at(e, last), e->dim * sizeof(float));
            e->ids[row] = e->ids[last];
            ims__id_map_put(&e->rows, e->ids[row], row);
        }
        ims__id_map_remove(&e->rows, ids[i]);
    }
    pthread_rwlock_unlock(&e->lock);
    return IMS_OK;
}

static size_t exact_count(void *ctx)
{
    struct exact *e = ctx;
    size_t n;

    pthread_rwlock_rdlock(&e->lock);
    n = e->n;
    pthread_rwlock_unlock(&e->lock);
    return n;
}

static ims_status exact_get(void *ctx, int64_t id, float *out, ims_err *err)
{
    struct exact *e = ctx;
    ims_status st = IMS_OK;
    size_t row;

    pthread_rwlock_rdlock(&e->lock);
    row = ims__id_map_get(&e->rows, id);
    if (row == IMS_NO_ROW)
        st = ims_fail(err, IMS_E_NOT_FOUND, "vectors", 0, "no vector with id %lld", (long long)id);
    else
        memcpy(out, row_at(e, row), e->dim * sizeof(float));
    pthread_rwlock_unlock(&e->lock);
    return st;
}

/* One thread's share of a search: rows [from, until), or with a filter the entries of only_rows. */
struct stretch {
    const struct exact *e;
    const float *query;
    const size_t *only_rows; /* NULL = all */
    size_t from, until;
    struct ims_top_k best;
    struct ims_thread thread;
};

static void scan_rows(struct stretch *s)
{
    const struct exact *e = s->e;
    float scores[BLOCK_ROWS];

    for (size_t row = s->from; row < s->until;) {
        size_t n = BLOCK_ROWS - row % BLOCK_ROWS;

        if (n > s->until - row)
            n = s->until - row;
        ims__kernels()->dot_f32_rows(s->query, row_at(e, row), e->dim, n, e->dim, scores);
        for (size_t i = 0; i < n; i++)
            ims__top_k_offer(&s->best, e->ids[row + i], scores[i]);
        row += n;
    }
}

static void scan_chosen(struct stretch *s)
{
    const struct exact *e = s->e;

    for (size_t i = s->from; i < s->until; i++) {
        size_t row = s->only_rows[i];
        float score;

        ims__kernels()->dot_f32_rows(s->query, row_at(e, row), e->dim, 1, e->dim, &score);
        ims__top_k_offer(&s->best, e->ids[row], score);
    }
}

static void run_stretch(void *arg)
{
    struct stretch *s = arg;

    if (s->only_rows)
        scan_chosen(s);
    else
        scan_rows(s);
}

/* The read lock is held. The last stretch runs on the caller's thread, and so does any whose thread
 * could not be started. */
static void run_stretches(struct stretch *s, unsigned n)
{
    for (unsigned i = 0; i + 1 < n; i++) {
        if (ims__thread_start(&s[i].thread, "ims-scan", run_stretch, &s[i], NULL))
            run_stretch(&s[i]);
    }
    run_stretch(&s[n - 1]);
    for (unsigned i = 0; i + 1 < n; i++)
        ims__thread_join(&s[i].thread);
}

static ims_status scan(const struct exact *e, const struct ims_vectors_query *q,
                       const size_t *only_rows, size_t n, struct ims_vectors_hit *out_hits,
                       size_t *out_n, ims_err *err)
{
    struct stretch stretches[MAX_THREADS] = { 0 };
    struct ims_top_k best = { .hits = out_hits, .k = q->k };
    struct ims_vectors_hit *room = NULL;
    size_t n_room = 0;
    unsigned n_threads = e->n_threads;

    if (n == 0) {
        *out_n = 0;
        return IMS_OK;
    }
    if (n / MIN_ROWS_PER_THREAD < n_threads)
        n_threads = (unsigned)(n / MIN_ROWS_PER_THREAD) + 1;
    for (unsigned i = 0; i < n_threads; i++) {
        size_t from = n / n_threads * i, until = i + 1 < n_threads ? n / n_threads * (i + 1) : n;

        stretches[i] = (struct stretch){ .e = e,
                                         .query = q->vector,
                                         .only_rows = only_rows,
                                         .from = from,
                                         .until = until,
                                         .best = { .k = q->k < until - from ? q->k : until - from } };
        n_room += stretches[i].best.k;
    }
    room = ims__alloc(n_room, sizeof(*room));
    if (!room)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for %zu hits", n_room);
    for (unsigned i = 0; i < n_threads; i++)
        stretches[i].best.hits = i ? stretches[i - 1].best.hits + stretches[i - 1].best.k : room;
    run_stretches(stretches, n_threads);
    for (unsigned i = 0; i < n_threads; i++) {
        for (size_t j = 0; j < stretches[i].best.n; j++)
            ims__top_k_offer(&best, stretches[i].best.hits[j].id, stretches[i].best.hits[j].score);
    }
    ims__top_k_sort(&best);
    *out_n = best.n;
    ims__free(room);
    return IMS_OK;
}

/* The rows of the ids that are allowed; the read lock is held. */
static ims_status resolve_filter(const struct exact *e, const struct ims_vectors_query *q,
                                 size_t **out_rows, size_t *out_n, ims_err *err)
{
    size_t *rows = ims__alloc(q->n_only_ids, sizeof(*rows));
    size_t n = 0;

    if (!rows)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for a filter of %zu", q->n_only_ids);
    for (size_t i = 0; i < q->n_only_ids; i++) {
        size_t row = ims__id_map_get(&e->rows, q->only_ids[i]);

        if (row != IMS_NO_ROW)
            rows[n++] = row;
    }
    *out_rows = rows;
    *out_n = n;
    return IMS_OK;
}

/* The read lock is held. */
static ims_status search_one(const struct exact *e, const struct ims_vectors_query *q,
                             struct ims_vectors_result *r, ims_err *err)
{
    struct ims_vectors_query plain = *q;
    size_t *rows = NULL;
    size_t n = e->n;
    ims_status st = IMS_OK;

    if (q->filter) {
        plain.only_ids = q->filter->ids;
        plain.n_only_ids = q->filter->n;
    }
    if (plain.only_ids)
        st = resolve_filter(e, &plain, &rows, &n, err);
    if (!st)
        st = scan(e, &plain, rows, n, r->hits, &r->n, err);
    if (!st)
        r->answer = (struct ims_vectors_answer){ .plan = IMS_VECTORS_FLOATS,
                                                 .n_candidates = n,
                                                 .n_floats = n,
                                                 .n_shared = 1 };
    ims__free(rows);
    return st;
}

static ims_status exact_search(void *ctx, const struct ims_vectors_query *queries, size_t n,
                               struct ims_vectors_result *results, ims_err *err)
{
    struct exact *e = ctx;
    ims_status st = IMS_OK;

    pthread_rwlock_rdlock(&e->lock);
    for (size_t i = 0; !st && i < n; i++)
        st = search_one(e, &queries[i], &results[i], err);
    pthread_rwlock_unlock(&e->lock);
    return st;
}

const struct ims_vectors_ops ims__vectors_exact = {
    .abi = IMS_VECTORS_ABI,
    .name = "exact",
    .ctx_size = sizeof(struct exact),
    .open = exact_open,
    .close = exact_close,
    .add = exact_add,
    .remove = exact_remove,
    .count = exact_count,
    .get = exact_get,
    .search = exact_search,
};
