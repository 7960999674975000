/* Compares everything with everything, a block of pairs at a time: the two matrix passes of a clustering.
 *
 * A task is a block of columns, packed once into panels, against all blocks of rows before it. The largest tasks
 * come first, so that threads end together. Rows stream past panels that stay in the second-level cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>

#define N_HITS ((size_t)16384) /* collected before they are handed over */

struct state {
    struct sweep *s;
    size_t n_blocks; /* of columns */
    atomic_size_t next;
    atomic_size_t pairs_done; /* of blocks */
    size_t n_pairs;
    atomic_int status;
};

/* What a thread needs. */
struct scratch {
    uint8_t *panels;
    struct hit *hits;
    size_t n_hits;
    float row_bounds[SWEEP_BLOCK], col_bounds[SWEEP_BLOCK];
    size_t row_first, n_rows, col_first, n_cols;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t place_of(const struct sweep *s, size_t row)
{
    return s->order ? s->order[row] : row;
}

static size_t panel_bytes(const struct sweep *s)
{
    const struct ims_kernels *k = s->run->kernels;

    return s->filter->is_u8 ? k->tiles_u8.n_cols * (s->filter->stride * k->tiles_u8.element_bytes + 4)
                            : k->tiles_f32.n_cols * s->run->points->dim * sizeof(float);
}

static size_t tile_rows(const struct sweep *s)
{
    return s->filter->is_u8 ? s->run->kernels->tiles_u8.n_rows : s->run->kernels->tiles_f32.n_rows;
}

static size_t tile_cols(const struct sweep *s)
{
    return s->filter->is_u8 ? s->run->kernels->tiles_u8.n_cols : s->run->kernels->tiles_f32.n_cols;
}

static void pack_f32(const struct sweep *s, size_t first, size_t n, float *panel)
{
    const struct ims_points *p = s->run->points;
    size_t n_cols = tile_cols(s);

    for (size_t c = 0; c < n_cols; c++) {
        const float *v = c < n ? p->vectors + place_of(s, first + c) * p->dim : NULL;

        for (size_t k = 0; k < p->dim; k++)
            panel[k * n_cols + c] = v ? v[k] : 0;
    }
}

static void pack_columns(const struct sweep *s, struct scratch *t)
{
    size_t n_cols = tile_cols(s), bytes = panel_bytes(s);

    for (size_t c = 0; c < t->n_cols; c += n_cols) {
        size_t n = smaller(n_cols, t->n_cols - c);
        uint8_t *panel = t->panels + c / n_cols * bytes;

        if (s->filter->is_u8)
            s->run->kernels->tiles_u8.pack(s->filter->bytes + (t->col_first + c) * s->filter->stride, s->filter->stride,
                                           n, s->filter->stride, panel);
        else
            pack_f32(s, t->col_first + c, n, (float *)(void *)panel);
    }
}

static void fill_bounds(const struct sweep *s, size_t first, size_t n, float *out)
{
    s->bounds(s->arg, first, n, out);
    for (size_t i = n; i < SWEEP_BLOCK; i++)
        out[i] = INFINITY;
}

static ims_status hand_over(const struct sweep *s, struct scratch *t)
{
    ims_status st = t->n_hits ? s->take(s->arg, t->hits, t->n_hits) : IMS_OK;

    t->n_hits = 0;
    if (st)
        return st;
    fill_bounds(s, t->row_first, t->n_rows, t->row_bounds);
    fill_bounds(s, t->col_first, t->n_cols, t->col_bounds);
    return IMS_OK;
}

static void score_tile(const struct sweep *s, const struct scratch *t, size_t row, const uint8_t *panel, float *tile)
{
    const struct ims_points *p = s->run->points;
    const float *rows[IMS_TILE_SIDE_MAX];
    size_t n_rows = tile_rows(s), last = t->row_first + t->n_rows - 1;

    if (s->filter->is_u8) {
        s->run->kernels->tiles_u8.run(s->filter->bytes + (t->row_first + row) * s->filter->stride, s->filter->stride,
                                      panel, s->filter->stride, tile);
        return;
    }
    for (size_t i = 0; i < n_rows; i++)
        rows[i] = p->vectors + place_of(s, smaller(t->row_first + row + i, last)) * p->dim;
    s->run->kernels->tiles_f32.run(rows, (const float *)(const void *)panel, p->dim, tile);
}

static void keep_hits(struct scratch *t, size_t row, size_t col, size_t n_cols, const float *tile,
                      const uint16_t *above, size_t n_above)
{
    for (size_t i = 0; i < n_above; i++) {
        size_t in_row = row + above[i] / n_cols, in_col = col + above[i] % n_cols;

        if (in_row < t->n_rows && in_col < t->n_cols && t->row_first + in_row < t->col_first + in_col)
            t->hits[t->n_hits++] = (struct hit){ .row = (uint32_t)(t->row_first + in_row),
                                                 .col = (uint32_t)(t->col_first + in_col),
                                                 .score = tile[above[i]] };
    }
}

static ims_status compare_blocks(const struct sweep *s, struct scratch *t)
{
    size_t n_rows = tile_rows(s), n_cols = tile_cols(s), bytes = panel_bytes(s);
    float tile[IMS_TILE_MAX];
    uint16_t above[IMS_TILE_MAX];
    ims_status st = hand_over(s, t); /* nothing yet: only fetches the bounds */

    for (size_t row = 0; row < t->n_rows && !st; row += n_rows) {
        for (size_t col = 0; col < t->n_cols && !st; col += n_cols) {
            size_t n;

            score_tile(s, t, row, t->panels + col / n_cols * bytes, tile);
            n = s->run->kernels->tile_above(tile, n_rows, n_cols, t->row_bounds + row, t->col_bounds + col, above);
            keep_hits(t, row, col, n_cols, tile, above, n);
            if (t->n_hits + IMS_TILE_MAX > N_HITS)
                st = hand_over(s, t);
        }
    }
    return st ? st : hand_over(s, t);
}

static bool report(struct state *state, unsigned worker)
{
    struct run *r = state->s->run;

    if (worker == 0 && state->n_pairs)
        ims__run_report(r, state->s->phase, (double)atomic_load(&state->pairs_done) / (double)state->n_pairs);
    return !atomic_load(&r->is_cancelled) && atomic_load(&state->status) == IMS_OK;
}

static ims_status run_task(struct state *state, struct scratch *t, size_t block, unsigned worker)
{
    const struct sweep *s = state->s;
    ims_status st = IMS_OK;

    t->col_first = block * SWEEP_BLOCK;
    t->n_cols = smaller(SWEEP_BLOCK, s->n - t->col_first);
    pack_columns(s, t);
    for (size_t first = 0; first < s->n_rows && first <= t->col_first && !st; first += SWEEP_BLOCK) {
        t->row_first = first;
        t->n_rows = smaller(SWEEP_BLOCK, s->n_rows - first);
        if (!s->skips || !s->skips(s->arg, first, t->n_rows, t->col_first, t->n_cols))
            st = compare_blocks(s, t);
        atomic_fetch_add(&state->pairs_done, 1);
        if (!report(state, worker))
            break;
    }
    return st;
}

static void sweep_worker(void *arg, unsigned worker)
{
    struct state *state = arg;
    const struct sweep *s = state->s;
    size_t n_panels = (SWEEP_BLOCK + tile_cols(s) - 1) / tile_cols(s);
    struct scratch *t = ims__zalloc(1, sizeof(*t));
    ims_status st = IMS_OK;

    if (t) {
        t->panels = ims__aligned_alloc(64, n_panels, panel_bytes(s));
        t->hits = ims__alloc(N_HITS, sizeof(*t->hits));
    }
    if (!t || !t->panels || !t->hits) {
        st = IMS_E_NOMEM;
        goto out;
    }
    s->run->kernels->tiles_u8.begin();
    while (!st && report(state, worker)) {
        size_t task = atomic_fetch_add(&state->next, 1);

        if (task >= state->n_blocks)
            break;
        st = run_task(state, t, state->n_blocks - 1 - task, worker);
    }
    s->run->kernels->tiles_u8.end();
out:
    if (st)
        atomic_store(&state->status, (int)st);
    if (t) {
        ims__free(t->panels);
        ims__free(t->hits);
    }
    ims__free(t);
}

ims_status ims__sweep(struct sweep *s, ims_err *err)
{
    struct state state = { .s = s, .n_blocks = (s->n + SWEEP_BLOCK - 1) / SWEEP_BLOCK };
    ims_status st;

    for (size_t block = 0; block < state.n_blocks; block++)
        state.n_pairs += smaller(block + 1, (s->n_rows + SWEEP_BLOCK - 1) / SWEEP_BLOCK);
    atomic_init(&state.next, 0);
    atomic_init(&state.pairs_done, 0);
    atomic_init(&state.status, IMS_OK);
    ims__run_parallel(s->run, sweep_worker, &state);
    st = (ims_status)atomic_load(&state.status);
    if (st)
        return ims_fail(err, st, "cluster", 0, "comparing %zu faces", s->n);
    if (atomic_load(&s->run->is_cancelled))
        return ims_fail(err, IMS_E_CANCELLED, "cluster", 0, "the clustering was cancelled");
    return IMS_OK;
}
