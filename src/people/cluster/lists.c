/* The first pass: the most similar faces of each face, and a bound for everything else.
 *
 * A face collects candidates in a buffer; when that is full, the best ones stay and the lowest score of theirs
 * becomes the bound that later candidates must reach. What stays does not depend on the order of arrival: equal scores
 * are ordered by place. Scores of bytes are coarse, so twice as many stay as the list will have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct lists {
    struct ims_graph *g;
    struct run *run;
    const struct filter *filter;
    size_t n_kept;         /* candidates that stay */
    size_t capacity;       /* of a buffer */
    uint64_t *candidates;  /* n x capacity */
    uint32_t *counts;
    float *bounds;         /* lowest score that can still enter */
    struct ims_lock *locks; /* one for each block of faces */
    size_t n_locks;
    atomic_size_t next;
};

static void push(struct lists *l, uint32_t place, uint32_t other, float score)
{
    uint64_t *mine = l->candidates + (size_t)place * l->capacity;

    if (score < l->bounds[place])
        return;
    mine[l->counts[place]++] = ims__rank_key(score, other);
    if (l->counts[place] < l->capacity)
        return;
    ims__rank_select(mine, l->capacity, l->n_kept);
    l->counts[place] = (uint32_t)l->n_kept;
    l->bounds[place] = ims__rank_lowest(mine, l->n_kept);
}

static void take_bounds(void *arg, size_t first, size_t n, float *out)
{
    struct lists *l = arg;

    ims__lock(&l->locks[first / SWEEP_BLOCK]);
    for (size_t i = 0; i < n; i++)
        out[i] = nextafterf(l->bounds[first + i], -INFINITY); /* equal scores pass: their places decide */
    ims__unlock(&l->locks[first / SWEEP_BLOCK]);
}

/* All hits of one call are of one block of rows and one of columns. */
static ims_status take_hits(void *arg, const struct hit *hits, size_t n)
{
    struct lists *l = arg;
    struct ims_lock *rows = &l->locks[hits[0].row / SWEEP_BLOCK], *cols = &l->locks[hits[0].col / SWEEP_BLOCK];

    ims__lock(rows);
    for (size_t i = 0; i < n; i++)
        push(l, hits[i].row, hits[i].col, hits[i].score);
    ims__unlock(rows);
    ims__lock(cols);
    for (size_t i = 0; i < n; i++)
        push(l, hits[i].col, hits[i].row, hits[i].score);
    ims__unlock(cols);
    return IMS_OK;
}

void ims__lists_store(struct ims_graph *g, size_t i, const uint64_t *keys)
{
    for (size_t j = 0; j < g->k; j++) {
        g->neighbours[i * g->k + j] = ims__rank_place(keys[j]);
        g->similarities[i * g->k + j] = ims__rank_score(keys[j]);
    }
}

/* Vectors that are far apart in memory, asked for while another is computed. */
static void fetch_early(const struct run *r, uint32_t place)
{
    const char *v = (const char *)(r->points->vectors + (size_t)place * r->points->dim);

    for (size_t i = 0; i < r->points->dim * sizeof(float); i += 64)
        __builtin_prefetch(v + i, 0, 3);
}

/* Scores become cosines. Returns what a candidate with a score of at most theirs can still have. */
static double settle(struct lists *l, size_t i, uint64_t *keys, size_t n)
{
    double bound = (double)ims__rank_lowest(keys, n) * l->filter->unit + (double)l->filter->margins[i];

    for (size_t j = 0; j < n; j++) {
        uint32_t other = ims__rank_place(keys[j]);

        if (j + 1 < n)
            fetch_early(l->run, ims__rank_place(keys[j + 1]));
        keys[j] = ims__rank_key(ims__run_cosine(l->run, i, other), other);
    }
    return bound;
}

/* Candidates become a list: the best scores, and the others only where those leave the core similarity open. */
static void finish_face(struct lists *l, size_t i)
{
    struct ims_graph *g = l->g;
    uint64_t *mine = l->candidates + i * l->capacity;
    size_t n = l->counts[i] < l->n_kept ? l->counts[i] : l->n_kept;
    double bound;

    ims__rank_select(mine, l->counts[i], n);
    ims__rank_select(mine, n, g->k);
    bound = settle(l, i, mine, g->k);
    ims__rank_sort(mine, g->k);
    if (n > g->k && (double)ims__rank_score(mine[g->max_samples - 1]) < bound) {
        bound = settle(l, i, mine + g->k, n - g->k);
        ims__rank_sort(mine, n);
        bound = n == g->n - 1 ? EVERYTHING_LISTED : bound;
        bound = fmax(bound, (double)ims__rank_score(mine[g->k]));
    }
    ims__lists_store(g, i, mine);
    if (g->k == g->n - 1)
        g->bounds[i] = EVERYTHING_LISTED;
    else
        g->bounds[i] = bound < 1 ? nextafterf((float)bound, 2) : 1;
}

static void finish_worker(void *arg, unsigned worker)
{
    struct lists *l = arg;

    (void)worker;
    for (;;) {
        size_t first = atomic_fetch_add(&l->next, SWEEP_BLOCK);

        if (first >= l->g->n || atomic_load(&l->run->is_cancelled))
            return;
        for (size_t i = first; i < first + SWEEP_BLOCK && i < l->g->n; i++)
            finish_face(l, i);
    }
}

static void lists_release(struct lists *l)
{
    for (size_t i = 0; i < l->n_locks; i++)
        ims__lock_release(&l->locks[i]);
    ims__free(l->locks);
    ims__free(l->candidates);
    ims__free(l->counts);
    ims__free(l->bounds);
}

static ims_status lists_init(struct lists *l, ims_err *err)
{
    size_t n = l->g->n, n_blocks = (n + SWEEP_BLOCK - 1) / SWEEP_BLOCK;

    l->n_kept = l->filter->is_u8 ? 2 * l->g->k : l->g->k;
    if (l->n_kept > n - 1)
        l->n_kept = n - 1;
    l->capacity = l->n_kept + l->g->k;
    l->candidates = ims__alloc(n, l->capacity * sizeof(*l->candidates));
    l->counts = ims__zalloc(n, sizeof(*l->counts));
    l->bounds = ims__alloc(n, sizeof(*l->bounds));
    l->locks = ims__zalloc(n_blocks, sizeof(*l->locks));
    if (!l->candidates || !l->counts || !l->bounds || !l->locks)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "neighbour lists of %zu faces", n);
    for (size_t i = 0; i < n; i++)
        l->bounds[i] = -INFINITY;
    for (; l->n_locks < n_blocks; l->n_locks++) {
        ims_status st = ims__lock_init(&l->locks[l->n_locks]);

        if (st)
            return ims_fail(err, st, "cluster", 0, "locks of the neighbour lists");
    }
    return IMS_OK;
}

ims_status ims__lists_build(struct ims_graph *g, struct run *r, struct filter *f, ims_err *err)
{
    struct lists l = { .g = g, .run = r, .filter = f };
    struct sweep s = { .run = r, .filter = f, .n = g->n, .n_rows = g->n, .phase = "comparing",
                       .bounds = take_bounds, .take = take_hits, .arg = &l };
    ims_status st = lists_init(&l, err);

    if (st)
        goto out;
    st = ims__sweep(&s, err);
    if (st)
        goto out;
    atomic_init(&l.next, 0);
    ims__run_parallel(r, finish_worker, &l);
out:
    lists_release(&l);
    return st;
}
